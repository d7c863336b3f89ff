import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/modules.ts'

const lengths: Record<string, number> = { A: 17, B: 14, C: 18, D: 7, E: 7, F: 10, G: 5, H: 10 }

test('docs/reliability.md names a test of each of the 88 cases, and each is there', () => {
  const text = readFileSync(join(repository, 'docs/reliability.md'), 'utf8')
  const rows = [...text.matchAll(/^\| ([A-H]\d+) \| ([^|]+) \|/gm)]
  const all = Object.entries(lengths).flatMap(([letter, length]) =>
    Array.from({ length }, (_, i) => `${letter}${i + 1}`),
  )
  expect(rows.map(([, id]) => id)).toEqual(all)
  const files = rows.flatMap(([, , cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
  )
  expect(rows.filter(([, , cell]) => !cell?.includes('`')).map(([, id]) => id)).toEqual([])
  expect(files.filter((path) => !existsSync(join(repository, path)))).toEqual([])
})
