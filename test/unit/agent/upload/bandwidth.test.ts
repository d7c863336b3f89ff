import { expect, test } from 'vitest'
import { createPace, parseHours, withinHours } from '../../../../agent/upload/bandwidth.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const { signal } = new AbortController()

test('without a cap nothing waits', async () => {
  const clock = new FakeClock()
  await createPace(null, clock).take(1e9, signal)
  expect(clock.sleeping).toBe(0)
})

test('two that share a pace get the rate together, and a pause is not saved up', async () => {
  const clock = new FakeClock()
  const pace = createPace(10_000, clock)
  const done: string[] = []
  const take = (name: string, bytes: number) => pace.take(bytes, signal).then(() => done.push(name))
  const both = [take('a', 5000), take('b', 5000), take('a', 5000)]
  await Promise.resolve()
  await both[0]
  expect(done).toEqual(['a'])
  clock.advance(499)
  await Promise.resolve()
  expect(done).toEqual(['a'])
  clock.advance(1)
  await both[1]
  clock.advance(500)
  await both[2]
  expect(done).toEqual(['a', 'b', 'a'])

  clock.advance(60_000)
  await take('c', 20_000)
  void take('d', 1)
  await Promise.resolve()
  expect(clock.sleeping).toBe(1)
})

test('a slow line sends small pieces, so that something moves every second', () => {
  expect(createPace(5000, new FakeClock()).chunkBytes).toBe(5000)
  expect(createPace(1e9, new FakeClock()).chunkBytes).toBe(256 * 1024)
})

test.each([0, 1, 999, -5])('a cap of %d bytes a second is a mistake', (rate) => {
  expect(() => createPace(rate, new FakeClock())).toThrow(/cloud\.bandwidth/)
})

const at = (hour: number, minute: number) => new Date(2026, 2, 1, hour, minute).getTime()

test.each([
  ['22:00-06:00', [22, 0], true],
  ['22:00-06:00', [5, 59], true],
  ['22:00-06:00', [6, 0], false],
  ['22:00-06:00', [21, 59], false],
  ['09:30-17:00', [9, 30], true],
  ['09:30-17:00', [9, 29], false],
  ['09:30-17:00', [17, 0], false],
  ['00:00-24:00', [23, 59], true],
] as const)('%s at %j: %s', (hours, [hour, minute], expected) => {
  expect(withinHours(parseHours(hours), at(hour, minute))).toBe(expected)
  expect(withinHours(null, at(hour, minute))).toBe(true)
})

test.each(['', '9:00-17:00', '08:00-08:00', '24:30-06:00', '10:00-24:01', '10:60-11:00', 'always'])(
  'refuses %j',
  (text) => {
    expect(() => parseHours(text)).toThrow(/cloud\.hours/)
  },
)
