import {
  partitionKeyBytesMax,
  rowBytesMax,
  sortKeyBytesMax,
  transactionBytesMax,
  transactionRowsMax,
} from '../shared/cloud-limits.ts'
import { AppError } from '../shared/error.ts'
import type { Row } from './ports.ts'

// DynamoDB's limits, enforced here too: what runs on one PC must run on AWS.

/** The JSON of a row without its version. Throws `InvalidArgument` for what DynamoDB would refuse. */
export function encodeRow(row: Row): string {
  checkKey('pk', row.pk, partitionKeyBytesMax)
  checkKey('sk', row.sk, sortKeyBytesMax)
  for (const [index, pk, sk] of [
    ['gsi1', row.gsi1pk, row.gsi1sk],
    ['gsi2', row.gsi2pk, row.gsi2sk],
  ] as const) {
    if ((pk === undefined) !== (sk === undefined)) throw refused(`only one of the keys of ${index} is set`)
    if (pk === undefined || sk === undefined) continue
    checkKey(`${index}pk`, pk, partitionKeyBytesMax)
    checkKey(`${index}sk`, sk, sortKeyBytesMax)
  }
  const { version: _version, ...attributes } = row
  const json = JSON.stringify(attributes)
  if (Buffer.byteLength(json) > rowBytesMax) throw refused(`it has more than ${rowBytesMax} bytes`)
  return json
}

export function checkTransaction(rows: readonly Row[], jsons: readonly string[]): void {
  if (new Set(rows.map(({ pk, sk }) => JSON.stringify([pk, sk]))).size < rows.length)
    throw new AppError('InvalidArgument', 'One transaction cannot write the same row twice.')
  if (jsons.length > transactionRowsMax)
    throw refused(`${jsons.length} rows at once, ${transactionRowsMax} are allowed`)
  const bytes = jsons.reduce((sum, json) => sum + Buffer.byteLength(json), 0)
  if (bytes > transactionBytesMax) throw refused(`${bytes} bytes at once, ${transactionBytesMax} are allowed`)
}

function checkKey(name: string, value: unknown, bytesMax: number): void {
  if (typeof value !== 'string' || value === '')
    throw refused(`${name} is not a text with at least one character`)
  if (!value.isWellFormed()) throw refused(`${name} is not well-formed Unicode`)
  if (Buffer.byteLength(value) > bytesMax) throw refused(`${name} has more than ${bytesMax} bytes`)
}

const refused = (why: string) => new AppError('InvalidArgument', `The catalogue refuses the row: ${why}.`)
