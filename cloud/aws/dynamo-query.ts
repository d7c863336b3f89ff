import { AppError } from '../../shared/error.ts'
import type { Query } from '../ports.ts'

/** What a query of ours is to DynamoDB; `empty` when its bounds leave nothing, which DynamoDB would refuse. */
export type KeyCondition = {
  expression: string
  names: Record<string, string>
  values: Record<string, string>
}

/**
 * DynamoDB takes one condition on the sort key: bounds and prefix are made one. Order is that of bytes of
 * UTF-8, which is not that of JavaScript's strings.
 */
export function keyCondition(query: Query): KeyCondition | 'empty' {
  const { from, to, prefix } = query
  const names = { '#pk': partitionKey(query), '#sk': sortKey(query) }
  const low = greatest([from, prefix])
  const high = least([to, prefix && `${prefix}\u{10ffff}`])
  if (to === '' || (low && high && byBytes(low, high) > 0)) return 'empty'
  if (prefix && !from && to === undefined)
    return condition('begins_with(#sk, :low)', names, query, { ':low': prefix })
  if (low && high)
    return condition('#sk BETWEEN :low AND :high', names, query, { ':low': low, ':high': high })
  if (low) return condition('#sk >= :low', names, query, { ':low': low })
  if (high) return condition('#sk <= :high', names, query, { ':high': high })
  return { expression: '#pk = :pk', names: { '#pk': names['#pk'] }, values: { ':pk': query.pk } }
}

function condition(
  onSortKey: string,
  names: Record<string, string>,
  query: Query,
  values: Record<string, string>,
): KeyCondition {
  return { expression: `#pk = :pk AND ${onSortKey}`, names, values: { ':pk': query.pk, ...values } }
}

export const partitionKey = ({ index }: Query): string => (index ? `${index}pk` : 'pk')
export const sortKey = ({ index }: Query): string => (index ? `${index}sk` : 'sk')

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function greatest(values: (string | undefined)[]): string | undefined {
  return values.filter(isText).toSorted(byBytes).at(-1)
}

function least(values: (string | undefined)[]): string | undefined {
  return values.filter(isText).toSorted(byBytes)[0]
}

const isText = (value: string | undefined): value is string => value !== undefined && value !== ''

type Key = Record<string, unknown>

/** The place of a row in a list, as text for whoever asked. */
export function encodeCursor(query: Query, last: Key): string {
  return Buffer.from(JSON.stringify([last[sortKey(query)], last.pk, last.sk])).toString('base64url')
}

/** DynamoDB's start key of it. `InvalidArgument` when this list gave no such cursor. */
export function decodeCursor(query: Query, cursor: string): Key {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === 'string')) {
      const [at, pk, sk] = parts as [string, string, string]
      return { pk, sk, ...(query.index && { [partitionKey(query)]: query.pk, [sortKey(query)]: at }) }
    }
  } catch {
    // Falls through to the one error below.
  }
  throw new AppError('InvalidArgument', 'The cursor is not one that this list gave.')
}
