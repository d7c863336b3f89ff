import { expect, test } from 'vitest'
import { decodeCursor, encodeCursor, keyCondition } from '../../../../cloud/aws/dynamo-query.ts'
import type { Query } from '../../../../cloud/ports.ts'

const values = (query: Omit<Query, 'pk'>) => {
  const made = keyCondition({ pk: 'p', ...query })
  return made === 'empty' ? made : [made.expression, made.values]
}
const end = '\u{10ffff}'

test.each<[string, Omit<Query, 'pk'>, unknown]>([
  ['all', {}, ['#pk = :pk', { ':pk': 'p' }]],
  ['a prefix', { prefix: 'a#' }, ['#pk = :pk AND begins_with(#sk, :low)', { ':pk': 'p', ':low': 'a#' }]],
  ['from', { from: 'b' }, ['#pk = :pk AND #sk >= :low', { ':pk': 'p', ':low': 'b' }]],
  ['to', { to: 'b' }, ['#pk = :pk AND #sk <= :high', { ':pk': 'p', ':high': 'b' }]],
  [
    'both',
    { from: 'a', to: 'b' },
    ['#pk = :pk AND #sk BETWEEN :low AND :high', { ':pk': 'p', ':low': 'a', ':high': 'b' }],
  ],
  [
    'a prefix that ends later than `to`',
    { prefix: 'a', to: 'a5' },
    ['#pk = :pk AND #sk BETWEEN :low AND :high', { ':pk': 'p', ':low': 'a', ':high': 'a5' }],
  ],
  [
    'a prefix that begins before `from`',
    { prefix: 'a', from: 'a5' },
    ['#pk = :pk AND #sk BETWEEN :low AND :high', { ':pk': 'p', ':low': 'a5', ':high': `a${end}` }],
  ],
  ['bounds the wrong way round', { from: 'b', to: 'a' }, 'empty'],
  ['bounds the wrong way round in bytes of UTF-8 only', { from: '😀', to: 'Ａ' }, 'empty'],
  ['an end before everything', { to: '' }, 'empty'],
  ['a beginning before everything', { from: '' }, ['#pk = :pk', { ':pk': 'p' }]],
])('one condition on the sort key of %s', (_name, query, expected) => {
  expect(values(query)).toEqual(expected)
})

test('a cursor says where in its own list, and nothing else is one', () => {
  const query = { index: 'gsi1' as const, pk: 'g' }
  const cursor = encodeCursor(query, { pk: 'p', sk: 's', gsi1pk: 'g', gsi1sk: 'x' })
  expect(decodeCursor(query, cursor)).toEqual({ pk: 'p', sk: 's', gsi1pk: 'g', gsi1sk: 'x' })
  for (const text of ['', 'e30', Buffer.from('["a","b"]').toString('base64url')])
    expect(() => decodeCursor(query, text)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})
