import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlabLog, take } from '../../../../agent/play/slab-log.ts'

const put = (log: SlabLog, ...bytes: number[]) => log.reserve(bytes.length).set(bytes)

test('a reader gets what was written behind it, in views of the slab', () => {
  const log = new SlabLog(8)
  put(log, 1, 2)
  const cursor = log.end()
  put(log, 3, 4)
  const [chunk] = take(cursor, 100)
  expect(chunk).toEqual(Buffer.of(3, 4))
  put(log, 5)
  expect(take(cursor, 100)[0]?.buffer).toBe(chunk?.buffer)
  expect(take(cursor, 100)).toEqual([])
})

test('a message is never split over slabs; one larger than a slab gets its own', () => {
  const log = new SlabLog(4)
  const cursor = log.end()
  put(log, 1, 2, 3)
  put(log, 4, 5)
  put(log, 6, 7, 8, 9, 10, 11)
  expect(take(cursor, 100)).toEqual([Buffer.of(1, 2, 3), Buffer.of(4, 5), Buffer.of(6, 7, 8, 9, 10, 11)])
  expect(cursor.position).toBe(11)
})

test('takes whole slabs up to the bound, and at least one', () => {
  const log = new SlabLog(4)
  const cursor = log.end()
  put(log, 1, 2, 3)
  put(log, 4, 5, 6)
  put(log, 7, 8, 9)
  expect(take(cursor, 1)).toEqual([Buffer.of(1, 2, 3)])
  expect(take(cursor, 6)).toEqual([Buffer.of(4, 5, 6), Buffer.of(7, 8, 9)])
})

test('any writes and any takes give the bytes in order, and taken bytes never change', () => {
  const step = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 40 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const log = new SlabLog(16)
      const cursor = log.end()
      const written: number[] = []
      const taken: Buffer[] = []
      for (const wanted of steps) {
        if (typeof wanted === 'number') taken.push(...take(cursor, wanted))
        else {
          put(log, ...wanted)
          written.push(...wanted)
        }
      }
      taken.push(...take(cursor, Number.MAX_SAFE_INTEGER))
      expect([...Buffer.concat(taken)]).toEqual(written)
      expect(cursor.position).toBe(log.position)
    }),
  )
})
