import { expect, test } from 'vitest'
import { DecodeTimes } from '../../../../shared/media/reorder.ts'

const run = (times: DecodeTimes, pts: number[]) => pts.map((ptsMs) => times.next(ptsMs))
const dts = (depth: number, pts: number[]) => run(new DecodeTimes(depth), pts).map(({ dtsMs }) => dtsMs)

test('without reordering DTS is PTS, and PTS is as it came', () => {
  expect(dts(0, [1000, 1033, 1300, 1301])).toEqual([1000, 1033, 1300, 1301])
})

test('I P B B with depth 2: DTS are the sorted PTS, two pictures earlier', () => {
  expect(dts(2, [0, 120, 40, 80, 240, 160, 200])).toEqual([-80, -40, 0, 40, 80, 120, 160])
})

test('variable spacing: nothing is invented but the first N', () => {
  expect(dts(1, [1000, 1500, 1100, 1600, 1520])).toEqual([960, 1000, 1100, 1500, 1520])
})

test('a depth that is larger than the real one only leads more', () => {
  const times = run(
    new DecodeTimes(16),
    Array.from({ length: 100 }, (_, at) => 5000 + at * 33),
  )
  expect(times.every(({ dtsMs, ptsMs, clamped }) => dtsMs <= ptsMs && !clamped)).toBe(true)
  expect(Math.max(...times.map(({ dtsMs, ptsMs }) => ptsMs - dtsMs))).toBeLessThanOrEqual(16 * 40)
  expect(times.at(-1)).toEqual({ dtsMs: 5000 + 83 * 33, ptsMs: 5000 + 99 * 33, clamped: false })
})

test('leading pictures of an open GOP fit before the first', () => {
  expect(dts(2, [1000, 920, 960, 1120, 1040])).toEqual([920, 920, 960, 960, 1000])
})

test('a deeper reordering than declared is clamped, counted and learnt', () => {
  const times = new DecodeTimes(0)
  const result = run(times, [0, 120, 40, 80, 240, 160, 200, 360, 280, 320])
  expect(times.clampedCount).toBe(2)
  expect(times.depth).toBe(2)
  expect(result.slice(0, 4)).toEqual([
    { dtsMs: 0, ptsMs: 0, clamped: false },
    { dtsMs: 120, ptsMs: 120, clamped: false },
    { dtsMs: 120, ptsMs: 120, clamped: true },
    { dtsMs: 120, ptsMs: 120, clamped: true },
  ])
  expect(result.slice(4).map(({ ptsMs }) => ptsMs)).toEqual([240, 160, 200, 360, 280, 320])
})

test('the depth never grows past what a codec allows', () => {
  const times = new DecodeTimes(99)
  expect(times.depth).toBe(16)
  run(times, [1e6, ...Array.from({ length: 100 }, (_, at) => 5e5 - at)])
  expect(times.depth).toBe(16)
  expect(times.clampedCount).toBe(100)
})

test('a new epoch begins anew, and DTS still do not step back', () => {
  const times = new DecodeTimes(2)
  run(times, [0, 80, 40])
  times.restart(2)
  expect(run(times, [81, 161, 121, 201]).map(({ dtsMs }) => dtsMs)).toEqual([1, 41, 81, 121])
  times.restart(0)
  expect(times.next(202)).toEqual({ dtsMs: 202, ptsMs: 202, clamped: false })
})

test('a configuration that declares more reordering deepens, one that declares less does not', () => {
  const times = new DecodeTimes(0)
  run(times, [0, 40])
  times.deepen(1)
  expect(run(times, [120, 80, 200, 160]).map(({ dtsMs }) => dtsMs)).toEqual([80, 80, 120, 160])
  times.deepen(0)
  expect(times.depth).toBe(1)
})
