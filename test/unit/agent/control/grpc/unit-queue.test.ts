import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UnitQueue } from '../../../../../agent/control/grpc/unit-queue.ts'
import type { AccessUnit } from '../../../../../shared/media/access-unit.ts'
import { fakeAudio, fakeUnit } from '../../../../support/live-units.ts'

const MiB = 1024 * 1024
const key = (ms: number, bytes = 100) => fakeUnit({ ms, key: true, bytes })
const picture = (ms: number, bytes = 100) => fakeUnit({ ms, bytes })
const sound = (ms: number) => fakeUnit({ ms, config: fakeAudio })

function drain(queue: UnitQueue) {
  const out: { ms: number; lost?: number }[] = []
  for (let next = queue.shift(); next; next = queue.shift()) {
    out.push({ ms: next.unit.dtsMs, ...(next.dropped ? { lost: next.dropped.units } : {}) })
  }
  return out
}

test('hands on what comes in, in its order', () => {
  const queue = new UnitQueue(() => 0)
  for (const unit of [key(0), picture(40), sound(50), key(80)]) queue.push(unit)
  expect(drain(queue)).toEqual([{ ms: 0 }, { ms: 40 }, { ms: 50 }, { ms: 80 }])
  expect(queue.droppedUnits).toBe(0)
})

test('over the budget of bytes it goes on at the newest key frame, and says what is missing', () => {
  const queue = new UnitQueue(() => 0)
  for (const unit of [key(0), picture(40), key(80, MiB), picture(120, MiB), picture(160, 100_000)])
    queue.push(unit)
  expect(queue.shift()).toMatchObject({
    unit: { dtsMs: 80 },
    dropped: { units: 2, bytes: 208, totalUnits: 2 },
  })
  expect(drain(queue)).toEqual([{ ms: 120 }, { ms: 160 }])
})

test('over the budget of seconds too', () => {
  let nowMs = 0
  const queue = new UnitQueue(() => nowMs)
  queue.push(key(0))
  queue.push(key(1000))
  nowMs = 3001
  queue.push(picture(1040))
  expect(drain(queue)).toEqual([{ ms: 1000, lost: 1 }, { ms: 1040 }])
})

test('inside the newest GOP a client may lag, but a GOP without end is dropped', () => {
  const queue = new UnitQueue(() => 0)
  queue.push(key(0, MiB))
  for (let i = 1; i <= 30; i += 1) queue.push(picture(i * 40, MiB))
  expect(queue.length).toBe(31)
  queue.push(picture(1240, 2 * MiB))
  expect(queue.length).toBe(0)
  queue.push(picture(1280))
  queue.push(key(1320))
  expect(drain(queue)).toEqual([{ ms: 1320, lost: 33 }])
})

test('a unit that no message can hold takes its GOP with it', () => {
  const queue = new UnitQueue(() => 0)
  for (const unit of [key(0), picture(40, 10 * MiB), picture(80), key(120)]) queue.push(unit)
  expect(drain(queue)).toEqual([{ ms: 120, lost: 3 }])
})

test('what comes before the first key frame is no loss', () => {
  const queue = new UnitQueue(() => 0)
  queue.push(picture(0))
  queue.push(key(40))
  expect(drain(queue)).toEqual([{ ms: 40 }])
})

test('sound alone goes on anywhere', () => {
  let nowMs = 0
  const queue = new UnitQueue(() => nowMs)
  queue.push(sound(0))
  nowMs = 4000
  queue.push(sound(4000))
  expect(drain(queue)).toEqual([{ ms: 4000, lost: 1 }])
})

test('whatever comes and however slowly it is taken: a GOP never begins in its middle, and all is accounted for', () => {
  const step = fc.record({
    kind: fc.constantFrom('key', 'picture', 'picture', 'picture', 'sound'),
    bytes: fc.constantFrom(10, 1000, MiB, 11 * MiB),
    waitMs: fc.integer({ min: 0, max: 2000 }),
    takes: fc.integer({ min: 0, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let nowMs = 0
      let pushed = 0
      const taken: AccessUnit[] = []
      const queue = new UnitQueue(() => nowMs)
      queue.push(key(0))
      pushed += 1
      const take = () => {
        const next = queue.shift()
        if (next?.dropped) expect(next.unit.randomAccess && next.unit.track === 'video').toBe(true)
        if (next) taken.push(next.unit)
      }
      for (const [i, { kind, bytes, waitMs, takes }] of steps.entries()) {
        nowMs += waitMs
        const ms = i + 1
        queue.push(kind === 'sound' ? sound(ms) : fakeUnit({ ms, key: kind === 'key', bytes }))
        pushed += 1
        for (let n = 0; n < takes; n += 1) take()
        expect(queue.length).toBeLessThanOrEqual(4096)
      }
      while (queue.length > 0) take()
      expect(taken.length + queue.droppedUnits).toBe(pushed)
    }),
    { numRuns: 300 },
  )
})
