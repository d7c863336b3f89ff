import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { catalogueTurnRows, pageBytesMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Catalogue, Condition, Query, Row } from '../ports.ts'
import { checkTransaction, encodeRow } from '../row-limits.ts'
import { transaction } from './database.ts'

type Stored = { pk: string; sk: string; version: number; json: string; sortKey: string }

/** The catalogue on SQLite, with DynamoDB's questions, order and limits. */
export class LocalCatalogue implements Catalogue {
  readonly #database: DatabaseSync
  readonly #clock: Pick<Clock, 'nowMs'>
  #readInTurn = 0

  constructor(database: DatabaseSync, clock: Pick<Clock, 'nowMs'>) {
    this.#database = database
    this.#clock = clock
    database.prepare('DELETE FROM rows WHERE ttl IS NOT NULL AND ttl <= ?').run(this.#nowS())
  }

  async get(pk: string, sk: string): Promise<Row | undefined> {
    await this.#giveWay(1)
    const stored = this.#find(pk, sk)
    return stored && decode(stored)
  }

  /** Answers are there at once, so whoever asks on and on would let nobody else in: no request, no timer. */
  async #giveWay(rows: number): Promise<void> {
    this.#readInTurn += rows
    if (this.#readInTurn < catalogueTurnRows) return
    this.#readInTurn = 0
    await nextTurn()
  }

  async put(row: Row, condition: Condition): Promise<number> {
    const json = encodeRow(row)
    return transaction(this.#database, () => this.#write(row, json, condition))
  }

  async putAll(writes: { row: Row; condition: Condition }[]): Promise<void> {
    const jsons = writes.map(({ row }) => encodeRow(row))
    checkTransaction(
      writes.map(({ row }) => row),
      jsons,
    )
    transaction(this.#database, () => {
      writes.forEach(({ row, condition }, i) => {
        this.#write(row, jsons[i] ?? '', condition)
      })
    })
  }

  async delete(pk: string, sk: string, condition: Condition = 'any'): Promise<void> {
    transaction(this.#database, () => {
      check(condition, this.#find(pk, sk), pk, sk)
      this.#database.prepare('DELETE FROM rows WHERE pk = ? AND sk = ?').run(pk, sk)
    })
  }

  async query(query: Query): Promise<{ rows: Row[]; cursor?: string }> {
    const page = this.#readPage(query)
    await this.#giveWay(page.rows.length + 1)
    return page
  }

  #readPage(query: Query): { rows: Row[]; cursor?: string } {
    const { sql, values } = this.#select(query)
    const rows: Row[] = []
    let bytes = 0
    let last: Stored | undefined
    for (const row of this.#database.prepare(sql).iterate(...values)) {
      const stored = row as Stored
      bytes += Buffer.byteLength(stored.json)
      if (last && (rows.length === (query.limit ?? Number.POSITIVE_INFINITY) || bytes > pageBytesMax)) {
        return { rows, cursor: encodeCursor(last) }
      }
      rows.push(decode(stored))
      last = stored
    }
    return { rows }
  }

  #select(query: Query): { sql: string; values: SQLInputValue[] } {
    const [pkColumn, skColumn] = query.index ? [`${query.index}pk`, `${query.index}sk`] : ['pk', 'sk']
    const where = [`${pkColumn} = ?`, '(ttl IS NULL OR ttl > ?)']
    const values: SQLInputValue[] = [query.pk, this.#nowS()]
    const add = (condition: string, ...more: SQLInputValue[]) => {
      where.push(condition)
      values.push(...more)
    }
    if (query.from !== undefined) add(`${skColumn} >= ?`, query.from)
    if (query.to !== undefined) add(`${skColumn} <= ?`, query.to)
    if (query.prefix) add(`${skColumn} >= ? AND ${skColumn} < ?`, query.prefix, `${query.prefix}\u{10ffff}`)
    const order = query.descending ? 'DESC' : 'ASC'
    if (query.cursor !== undefined) {
      const sign = query.descending ? '<' : '>'
      add(`(${skColumn}, pk, sk) ${sign} (?, ?, ?)`, ...decodeCursor(query.cursor))
    }
    const sql = `SELECT pk, sk, version, json, ${skColumn} AS sortKey FROM rows WHERE ${where.join(' AND ')}
      ORDER BY ${skColumn} ${order}, pk ${order}, sk ${order}`
    return { sql, values }
  }

  #find(pk: string, sk: string): Stored | undefined {
    const found = this.#database
      .prepare('SELECT pk, sk, version, json FROM rows WHERE pk = ? AND sk = ? AND (ttl IS NULL OR ttl > ?)')
      .get(pk, sk, this.#nowS())
    return found as Stored | undefined
  }

  #write(row: Row, json: string, condition: Condition): number {
    const before = this.#find(row.pk, row.sk)
    check(condition, before, row.pk, row.sk)
    const version = (before?.version ?? 0) + 1
    this.#database
      .prepare('REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        row.pk,
        row.sk,
        version,
        row.gsi1pk ?? null,
        row.gsi1sk ?? null,
        row.gsi2pk ?? null,
        row.gsi2sk ?? null,
        row.ttl ?? null,
        json,
      )
    return version
  }

  #nowS(): number {
    return Math.floor(this.#clock.nowMs() / 1000)
  }
}

function check(condition: Condition, before: Stored | undefined, pk: string, sk: string): void {
  if (condition === 'any' || (condition === 'absent' ? !before : before?.version === condition)) return
  throw new AppError('Aborted', `The row ${pk} / ${sk} has changed in between.`)
}

function decode(stored: Stored): Row {
  return { ...(JSON.parse(stored.json) as Row), version: stored.version }
}

function encodeCursor(row: Stored): string {
  return Buffer.from(JSON.stringify([row.sortKey, row.pk, row.sk])).toString('base64url')
}

function decodeCursor(cursor: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === 'string'))
      return parts
  } catch {
    // Falls through to the one error below.
  }
  throw new AppError('InvalidArgument', 'The cursor is not one that this list gave.')
}
