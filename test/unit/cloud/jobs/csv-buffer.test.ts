import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CsvBuffer, IsoTime } from '../../../../cloud/jobs/csv-buffer.ts'

const written = (write: (csv: CsvBuffer) => unknown) => {
  const csv = new CsvBuffer()
  write(csv)
  return Buffer.from(csv.take()).toString()
}

test('any integer is written as JavaScript writes it', () => {
  const edges = [0, 9, 10, 99, 100, 999_999_999_999_999, 2 ** 53 - 1, -1, -(2 ** 53 - 1)]
  for (const value of edges) expect(written((csv) => csv.integer(value))).toBe(String(value))
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => written((csv) => csv.integer(value)) === String(value)),
  )
})

test('any time is written as Date writes it', () => {
  const iso = new IsoTime()
  const times = fc.integer({ min: -1e12, max: 253_402_300_799_999 })
  const near = fc.integer({ min: 0, max: 3000 })
  fc.assert(
    fc.property(times, near, (wallMs, later) => {
      for (const at of [wallMs, wallMs + later])
        expect(written((csv) => iso.write(csv, at))).toBe(new Date(at).toISOString())
    }),
  )
})

test('lines come in chunks, none is torn or lost', () => {
  const csv = new CsvBuffer()
  let text = ''
  let chunks = 0
  for (let n = 0; n < 20_000; n += 1) {
    const full = csv.integer(n).comma().text('x').endLine()
    if (!full) continue
    expect(full.at(-1)).toBe(10)
    text += Buffer.from(full).toString()
    chunks += 1
  }
  text += Buffer.from(csv.take()).toString()
  expect(chunks).toBeGreaterThan(1)
  expect(text).toBe(Array.from({ length: 20_000 }, (_, n) => `${n},x\n`).join(''))
})
