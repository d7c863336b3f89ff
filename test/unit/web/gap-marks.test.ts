import { expect, test } from 'vitest'
import { gapMarks } from '../../../web/archive/gap-marks.ts'

const file = { from: 1000, to: 5000 }

test('gaps become ranges of the file, cut to it, in order', () => {
  const gaps = [
    { from: 4500, to: 9000, cause: 'crash' as const },
    { from: 500, to: 1200, cause: 'source-lost' as const },
    { from: 2000, to: 2000, cause: 'clock' as const },
  ]
  expect(gapMarks(gaps, file)).toEqual([
    { startMs: 0, endMs: 200, cause: 'source-lost' },
    { startMs: 1000, endMs: 1000, cause: 'clock' },
    { startMs: 3500, endMs: 4000, cause: 'crash' },
  ])
})

test('a gap of another part is not marked', () => {
  expect(gapMarks([{ from: 6000, to: 7000, cause: 'crash' }], file)).toEqual([])
})
