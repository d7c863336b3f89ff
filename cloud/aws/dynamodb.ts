import { randomUUID } from 'node:crypto'
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Catalogue, Condition, Query, Row } from '../ports.ts'
import { checkTransaction, encodeRow } from '../row-limits.ts'
import { attemptsOf, awsError } from './aws-error.ts'
import { type Expected, writeCondition } from './dynamo-condition.ts'
import { decodeCursor, encodeCursor, type KeyCondition, keyCondition } from './dynamo-query.ts'
import { refusalOf } from './dynamo-transaction.ts'
import { againAfterRaces, LostRace } from './lost-races.ts'

type Write = { row: Row; condition: Condition }
type Item = Record<string, unknown>

/**
 * The catalogue on one table: `pk`, `sk`, the indexes `gsi1` and `gsi2` (all attributes projected), `ttl`.
 * Beside a row's own attributes stand `version` and `writeId`, which tells a write that comes again (its first
 * answer was lost) from one that lost a race. Lists over an index may miss the newest second.
 */
export class DynamoCatalogue implements Catalogue {
  readonly #client: DynamoDBDocumentClient
  readonly #table: string
  readonly #clock: Clock

  constructor(client: DynamoDBClient, table: string, clock: Clock) {
    this.#client = DynamoDBDocumentClient.from(client)
    this.#table = table
    this.#clock = clock
  }

  async get(pk: string, sk: string): Promise<Row | undefined> {
    const command = new GetCommand({ TableName: this.#table, Key: { pk, sk }, ConsistentRead: true })
    const { Item: item } = await this.#client.send(command).catch(rethrow)
    return item && this.#live(item) ? rowOf(item) : undefined
  }

  async put(row: Row, condition: Condition): Promise<number> {
    const item = itemOf(encodeRow(row))
    if (condition !== 'any') return await this.#put(row, item, condition)
    return await againAfterRaces(this.#clock, async () => {
      const expected = await this.#expected(row, condition)
      return await this.#put(row, item, expected).catch(lostRace)
    })
  }

  async putAll(writes: Write[]): Promise<void> {
    const jsons = writes.map(({ row }) => encodeRow(row))
    checkTransaction(
      writes.map(({ row }) => row),
      jsons,
    )
    await againAfterRaces(this.#clock, () => this.#putAll(writes, jsons))
  }

  async delete(pk: string, sk: string, condition: Condition = 'any'): Promise<void> {
    const command = new DeleteCommand({
      TableName: this.#table,
      Key: { pk, sk },
      ...(condition !== 'any' && writeCondition(condition, this.#nowS())),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
    try {
      await this.#client.send(command)
    } catch (cause) {
      const isGone = cause instanceof ConditionalCheckFailedException && cause.Item === undefined
      if (isGone && attemptsOf(cause) > 1) return // By our own first attempt, whose answer was lost.
      rethrow(cause)
    }
  }

  async query(query: Query): Promise<{ rows: Row[]; cursor?: string }> {
    const condition = keyCondition(query)
    if (condition === 'empty') return { rows: [] }
    const rows: Row[] = []
    let start = query.cursor === undefined ? undefined : decodeCursor(query, query.cursor)
    do {
      const limit = query.limit === undefined ? undefined : query.limit - rows.length
      const page = await this.#page(query, condition, { start, limit })
      rows.push(...page.items.filter((item) => this.#live(item)).map(rowOf))
      start = page.last
      // A page of rows that are past their time is not the end of the list.
    } while (start && (rows.length === 0 || (query.limit !== undefined && rows.length < query.limit)))
    return { rows, ...(start && { cursor: encodeCursor(query, start) }) }
  }

  async #page(
    query: Query,
    condition: KeyCondition,
    at: { start: Item | undefined; limit: number | undefined },
  ) {
    const command = new QueryCommand({
      TableName: this.#table,
      IndexName: query.index,
      ConsistentRead: query.index === undefined, // An index has no consistent reads.
      KeyConditionExpression: condition.expression,
      ExpressionAttributeNames: condition.names,
      ExpressionAttributeValues: condition.values,
      ScanIndexForward: !query.descending,
      ExclusiveStartKey: at.start,
      Limit: at.limit,
    })
    const { Items: items = [], LastEvaluatedKey: last } = await this.#client.send(command).catch(rethrow)
    return { items, last }
  }

  /** Writes if the row is as expected. Returns its version. */
  async #put(row: Row, item: Item, expected: Expected): Promise<number> {
    const version = versionAfter(expected)
    const writeId = randomUUID()
    const command = new PutCommand({
      TableName: this.#table,
      Item: { ...item, version, writeId },
      ...writeCondition(expected, this.#nowS()),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
    try {
      await this.#client.send(command)
      return version
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return rethrow(cause)
      if (cause.Item?.writeId?.S === writeId) return version
      throw changed(row)
    }
  }

  async #putAll(writes: Write[], jsons: string[]): Promise<void> {
    const items = await Promise.all(
      writes.map(async ({ row, condition }, i) => {
        const expected = await this.#expected(row, condition)
        const item = { ...itemOf(jsons[i] ?? ''), version: versionAfter(expected), writeId: randomUUID() }
        return { Put: { TableName: this.#table, Item: item, ...writeCondition(expected, this.#nowS()) } }
      }),
    )
    // The token makes a transaction that is sent twice (a lost answer) happen once.
    const command = new TransactWriteCommand({ TransactItems: items, ClientRequestToken: randomUUID() })
    await this.#client.send(command).catch((cause: unknown) => {
      throw refusalOf(cause, writes)
    })
  }

  /** `any`: whatever it is now, so that the version goes on counting. */
  async #expected({ pk, sk }: Row, condition: Condition): Promise<Expected> {
    if (condition !== 'any') return condition
    return (await this.get(pk, sk))?.version ?? 'absent'
  }

  /** DynamoDB deletes what is past its time within days: until then it is not seen. */
  #live({ ttl }: Item): boolean {
    return typeof ttl !== 'number' || ttl > this.#nowS()
  }

  #nowS(): number {
    return Math.floor(this.#clock.nowMs() / 1000)
  }
}

const versionAfter = (expected: Expected): number => (expected === 'absent' ? 1 : expected + 1)

const itemOf = (json: string): Item => JSON.parse(json) as Item

function rowOf({ writeId: _writeId, ...row }: Item): Row {
  return row as Row
}

/** No condition of the caller's: whoever was faster, it is tried again. */
function lostRace(cause: unknown): never {
  throw AppError.from(cause).kind === 'Aborted' ? new LostRace(cause) : cause
}

const changed = ({ pk, sk }: Row) => new AppError('Aborted', `The row ${pk} / ${sk} has changed in between.`)

function rethrow(cause: unknown): never {
  throw awsError(cause, 'The catalogue')
}
