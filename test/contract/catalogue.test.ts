import { describe, expect, test } from 'vitest'
import type { Catalogue, Query } from '../../cloud/ports.ts'
import { implementations } from './implementations.ts'

async function sortKeys(catalogue: Catalogue, query: Query): Promise<{ keys: string[]; pages: number }> {
  const keys: string[] = []
  let pages = 0
  let cursor: string | undefined
  do {
    const page = await catalogue.query({ ...query, ...(cursor !== undefined && { cursor }) })
    keys.push(...page.rows.map((row) => row.sk))
    cursor = page.cursor
    pages += 1
  } while (cursor !== undefined)
  return { keys, pages }
}

describe.each(implementations)('catalogue, $name', ({ open }) => {
  test('writes under a condition and counts versions', async () => {
    await using it = await open()
    const row = { pk: 'p', sk: 's', text: '录像', nested: { list: [1, null, true] } }
    expect(await it.catalogue.put(row, 'absent')).toBe(1)
    await expect(it.catalogue.put(row, 'absent')).rejects.toMatchObject({ kind: 'Aborted' })
    expect(await it.catalogue.put({ ...row, text: 'b' }, 1)).toBe(2)
    await expect(it.catalogue.put({ ...row, text: 'c' }, 1)).rejects.toMatchObject({ kind: 'Aborted' })
    expect(await it.catalogue.put({ ...row, text: 'd' }, 'any')).toBe(3)
    expect(await it.catalogue.get('p', 's')).toEqual({ ...row, text: 'd', version: 3 })
    expect(await it.catalogue.get('p', 't')).toBeUndefined()
    await expect(it.catalogue.put({ pk: 'p', sk: 't' }, 1)).rejects.toMatchObject({ kind: 'Aborted' })
  })

  test('of ten that change one version at once, one wins', async () => {
    await using it = await open()
    await it.catalogue.put({ pk: 'p', sk: 's' }, 'absent')
    const tries = Array.from({ length: 10 }, (_, i) => it.catalogue.put({ pk: 'p', sk: 's', i }, 1))
    const won = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled')
    expect(won).toHaveLength(1)
  })

  test('writes all rows or none', async () => {
    await using it = await open()
    await it.catalogue.put({ pk: 'p', sk: 'taken' }, 'absent')
    const writes = ['a', 'taken', 'b'].map((sk) => ({ row: { pk: 'p', sk }, condition: 'absent' as const }))
    await expect(it.catalogue.putAll(writes)).rejects.toMatchObject({ kind: 'Aborted' })
    expect((await it.catalogue.query({ pk: 'p' })).rows).toHaveLength(1)
    await it.catalogue.putAll(writes.filter(({ row }) => row.sk !== 'taken'))
    expect((await it.catalogue.query({ pk: 'p' })).rows).toHaveLength(3)
  })

  test('deletes under a condition', async () => {
    await using it = await open()
    await it.catalogue.put({ pk: 'p', sk: 's' }, 'absent')
    await expect(it.catalogue.delete('p', 's', 2)).rejects.toMatchObject({ kind: 'Aborted' })
    await it.catalogue.delete('p', 's', 1)
    await it.catalogue.delete('p', 's')
    expect(await it.catalogue.get('p', 's')).toBeUndefined()
  })

  test('orders by bytes of UTF-8, with bounds, prefixes, both ways', async () => {
    await using it = await open()
    // UTF-16 would sort U+1F600 before U+FF21.
    const keys = ['a', 'a#1', 'a#2', 'b', 'é', 'Ａ', '😀']
    for (const sk of keys.toReversed()) await it.catalogue.put({ pk: 'p', sk }, 'absent')
    await it.catalogue.put({ pk: 'q', sk: 'a#3' }, 'absent')

    expect((await sortKeys(it.catalogue, { pk: 'p' })).keys).toEqual(keys)
    expect((await sortKeys(it.catalogue, { pk: 'p', descending: true })).keys).toEqual(keys.toReversed())
    expect((await sortKeys(it.catalogue, { pk: 'p', prefix: 'a#' })).keys).toEqual(['a#1', 'a#2'])
    expect((await sortKeys(it.catalogue, { pk: 'p', from: 'a#2', to: 'b' })).keys).toEqual(['a#2', 'b'])
    expect((await sortKeys(it.catalogue, { pk: 'p', limit: 2 })).keys).toEqual(keys)
    expect((await sortKeys(it.catalogue, { pk: 'p', limit: 3, descending: true })).keys).toEqual(
      keys.toReversed(),
    )
    await expect(it.catalogue.query({ pk: 'p', cursor: 'made up' })).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
  })

  test('answers from sparse indexes, in order, also where index keys are equal', async () => {
    await using it = await open()
    for (const n of [3, 1, 2]) {
      await it.catalogue.put({ pk: `p${n}`, sk: `s${n}`, gsi1pk: 'g', gsi1sk: 'same' }, 'absent')
    }
    await it.catalogue.put({ pk: 'x', sk: 'x' }, 'absent')
    const found = await sortKeys(it.catalogue, { index: 'gsi1', pk: 'g', limit: 1 })
    expect(found.keys.toSorted()).toEqual(['s1', 's2', 's3'])
    await it.catalogue.put({ pk: 'p1', sk: 's1' }, 'any')
    expect((await sortKeys(it.catalogue, { index: 'gsi1', pk: 'g' })).keys.toSorted()).toEqual(['s2', 's3'])
    expect((await sortKeys(it.catalogue, { index: 'gsi2', pk: 'g' })).keys).toEqual([])
  })

  test('cuts pages at 1 MB', async () => {
    await using it = await open()
    const text = 'x'.repeat(300_000)
    for (let n = 0; n < 8; n += 1) await it.catalogue.put({ pk: 'p', sk: String(n), text }, 'absent')
    const { keys, pages } = await sortKeys(it.catalogue, { pk: 'p' })
    expect(keys).toHaveLength(8)
    expect(pages).toBeGreaterThanOrEqual(3)
  })

  test('does not return a row past its time, and its place is free', async () => {
    await using it = await open()
    await it.catalogue.put({ pk: 'p', sk: 'old', ttl: 1 }, 'absent')
    await it.catalogue.put({ pk: 'p', sk: 'new', ttl: 4_000_000_000 }, 'absent')
    expect(await it.catalogue.get('p', 'old')).toBeUndefined()
    expect((await sortKeys(it.catalogue, { pk: 'p' })).keys).toEqual(['new'])
    await it.catalogue.put({ pk: 'p', sk: 'old' }, 'absent')
    expect((await sortKeys(it.catalogue, { pk: 'p' })).keys).toEqual(['new', 'old'])
  })

  test.each([
    ['a row over 400 KB', { pk: 'p', sk: 's', text: 'x'.repeat(410_000) }],
    ['an empty partition key', { pk: '', sk: 's' }],
    ['an empty sort key', { pk: 'p', sk: '' }],
    ['a partition key over 2048 bytes', { pk: '录'.repeat(683), sk: 's' }],
    ['a sort key over 1024 bytes', { pk: 'p', sk: 'x'.repeat(1025) }],
    ['an empty index key', { pk: 'p', sk: 's', gsi1pk: 'a', gsi1sk: '' }],
  ])('refuses %s', async (_name, row) => {
    await using it = await open()
    await expect(it.catalogue.put(row, 'any')).rejects.toMatchObject({ kind: 'InvalidArgument' })
  })

  test('refuses more than 100 rows at once, and one row twice', async () => {
    await using it = await open()
    const writes = Array.from({ length: 101 }, (_, n) => ({
      row: { pk: 'p', sk: `${n}` },
      condition: 'any' as const,
    }))
    await expect(it.catalogue.putAll(writes)).rejects.toMatchObject({ kind: 'InvalidArgument' })
    await it.catalogue.putAll(writes.slice(1))
    const twice = [writes[0], writes[0]].filter((write) => write !== undefined)
    await expect(it.catalogue.putAll(twice)).rejects.toMatchObject({ kind: 'InvalidArgument' })
  })
})
