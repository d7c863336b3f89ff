import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HistoryPlace } from '../../../../agent/ingest/vehicle-history-place.ts'

const none = () => []

function place(from = 1_000_000) {
  const it = new HistoryPlace(from, none)
  let nowMs = 0
  /** Pictures of these stamps, 100 ms apart. */
  const came = (...stamps: number[]) => {
    for (const stamp of stamps) {
      nowMs += 100
      it.came(stamp, 'vehicle', nowMs)
    }
    return it.position
  }
  const wait = (ms: number) => {
    nowMs += ms
  }
  return { it, came, wait, now: () => nowMs }
}

test('a 32-bit counter of the vehicle that wraps is no leap, forward or back', () => {
  const { it, came } = place()
  expect(came(2 ** 32 - 2000, 2 ** 32 - 1000, 1000, 2000)).toBe(1_004_000)
  it.play('back')
  expect(came(1000, 2 ** 32 - 1000)).toBe(1_001_000)
})

test('a leap that nobody asked for is the next thing that it holds, or nothing is known', () => {
  const files = [
    { from: 0, to: 1_001_000 },
    { from: 2_000_000, to: 2_002_000 },
  ]
  const it = new HistoryPlace(1_000_000, () => files)
  for (const stamp of [5000, 6000, 9_000_000, 9_001_000]) it.came(stamp, 'vehicle', 0)
  expect(it.position).toBe(2_001_000)
  it.came(1, 'vehicle', 0)
  expect(it.position).toBe(2_001_000)
})

test.each([
  ['goes on with the stamps of the recording', [1000, 2000, 302_000, 303_000], 1_302_000],
  ['counts anew from where it was told to begin', [1000, 2000, 90_000_000, 90_001_000], 1_301_000],
  ['lands a key frame before', [1000, 2000, 297_500, 298_000], 1_297_000],
])('told to go elsewhere, it %s', (_name, stamps, expected) => {
  const { it, came, now } = place()
  came(1000)
  it.seek(1_300_000, now())
  expect(it.position).toBe(1_300_000)
  expect(came(...stamps)).toBe(expected)
})

test('told to go elsewhere, it goes on with a clock that knows nothing of it', () => {
  const { it, came, now, wait } = place()
  came(1000)
  it.seek(1_300_000, now())
  came(2000, 3000)
  wait(5000)
  expect(came(8000)).toBe(1_307_000)
  expect(came(9000)).toBe(1_308_000)
})

test('another clock, or another connection, takes no step', () => {
  const { it, came } = place()
  came(1000, 2000)
  it.came(77_000_000, 'timeline', 0)
  expect(it.position).toBe(1_001_000)
  it.restart(1_000_500)
  expect(came(5, 1005)).toBe(1_001_500)
})

// A vehicle whose stamps are those of the recording, told anything, obeys after up to 2 s.
test('whatever it is told, the place is right as soon as it has obeyed', () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('turn' as const), step: fc.constantFrom(1000, 4000, -2000, -16_000) }),
    fc.record({ kind: fc.constant('seek' as const), to: fc.integer({ min: 0, max: 86_400_000 }) }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), fc.integer({ min: 0, max: 20 }), (actions, late) => {
      const { it, came, now } = place(0)
      let at = 0
      let stepMs = 1000
      const picture = () => {
        came(at + 777)
        at += stepMs
      }
      for (let n = 0; n < 5; n += 1) picture()
      for (const told of actions) {
        if (told.kind === 'seek') it.seek(told.to, now())
        else it.play(told.step < 0 ? 'back' : 'forward')
        for (let n = 0; n < late; n += 1) picture()
        if (told.kind === 'seek') at = told.to
        else stepMs = told.step
        picture()
        for (let n = 0; n < 60; n += 1) picture()
        expect(Math.abs(it.position - (at - stepMs))).toBeLessThan(1)
      }
    }),
  )
})
