import { expect, test } from 'vitest'
import { Timeline, type TimelineTime } from '../../../../shared/media/timeline.ts'

const wall = 1_763_600_000_000
const start = () => new Timeline({ wallMs: wall, monotonicMs: 5000 })

/** Pairs of device stamp and arrival → what the timeline says. */
const run = (timeline: Timeline, stamps: [deviceMs: number, arrivalMs: number][], reorderMs?: number) =>
  stamps.map(([deviceMs, arrivalMs]) =>
    timeline.map({ deviceMs, arrivalMs, ...(reorderMs === undefined ? {} : { reorderMs }) }),
  )
const pts = (times: TimelineTime[]) => times.map(({ ptsMs }) => ptsMs - wall)
const reasons = (times: TimelineTime[]) => times.flatMap(({ reason }) => reason ?? [])
const steady = (count: number, device: number, arrival: number, step = 100): [number, number][] =>
  Array.from({ length: count }, (_, at) => [device + at * step, arrival + at * step])

test.each([
  ['since boot', 123_456],
  ['like dates', 1_600_000_000_000],
  ['from 0', 0],
  ['near the largest', Number.MAX_SAFE_INTEGER - 10_000],
])('stamps %s: the first is its arrival, the spacing is the device’s', (_name, origin) => {
  const times = run(start(), [
    [origin, 6000],
    [origin + 33, 6200],
    [origin + 67, 6201],
    [origin + 1000, 6950],
  ])
  expect(pts(times)).toEqual([1000, 1033, 1067, 2000])
  expect(times[0]).toEqual({ ptsMs: wall + 1000, epochStarted: true, reason: 'start', timeSource: 'device' })
  expect(times[1]).toEqual({ ptsMs: wall + 1033, epochStarted: false, timeSource: 'device' })
})

test('fractions are rounded once, not summed', () => {
  const times = run(
    start(),
    Array.from({ length: 91 }, (_, at) => [at * (1000 / 30), 6000 + at * 33]),
  )
  expect(times.at(-1)?.ptsMs).toBe(wall + 1000 + 3000)
})

test('jitter is kept: late arrival, early arrival, stamps that step back within the tolerance', () => {
  const times = run(start(), [
    [0, 6000],
    [120, 8100],
    [40, 8101],
    [80, 8102],
    [2100, 8103],
    [110, 8200],
    [4000, 8400],
  ])
  expect(pts(times)).toEqual([1000, 1120, 1040, 1080, 3100, 1110, 5000])
  expect(reasons(times)).toEqual(['start'])
})

test('a 32-bit counter wraps, also with reordering around the wrap', () => {
  const timeline = start()
  const stamps = [2 ** 32 - 80, 2 ** 32 - 40, 40, 2 ** 32 - 1, 0, 80]
  const times = stamps.map((deviceMs, at) =>
    timeline.map({ deviceMs, arrivalMs: 6000 + at * 40, wrapBits: 32 }),
  )
  expect(pts(times)).toEqual([1000, 1040, 1120, 1079, 1080, 1160])
  expect(reasons(times)).toEqual(['start'])
})

test('a counter wraps again and again (D1)', () => {
  const timeline = start()
  let last = 0
  for (let at = 0; at < 10; at++) {
    const ms = at * 2 ** 30
    last = timeline.map({ deviceMs: ms % 2 ** 32, arrivalMs: 6000 + ms, wrapBits: 32 }).ptsMs
  }
  expect(last).toBe(wall + 1000 + 9 * 2 ** 30)
})

test('a jump ahead starts an epoch that goes on from arrival, without overlap (D6)', () => {
  const times = run(start(), [
    [0, 6000],
    [100, 6100],
    [36_000_200, 6200],
    [36_000_300, 6310],
  ])
  expect(pts(times)).toEqual([1000, 1100, 1200, 1300])
  expect(times[2]).toMatchObject({ epochStarted: true, reason: 'jump', timeSource: 'device' })
})

test('a step back starts an epoch, later than all that was (D5)', () => {
  const times = run(start(), [
    [50_000, 6000],
    [59_000, 6010],
    [49_100, 6100],
    [49_200, 6200],
  ])
  expect(pts(times)).toEqual([1000, 10_000, 10_090, 10_190])
  expect(times[2]).toMatchObject({ epochStarted: true, reason: 'backward', timeSource: 'device' })
})

test('a source that never reorders may say so', () => {
  const stamps: [number, number][] = [
    [1000, 6000],
    [900, 6100],
  ]
  expect(reasons(run(start(), stamps, 50))).toEqual(['start', 'backward'])
  expect(reasons(run(start(), stamps))).toEqual(['start'])
})

test('a stalled network that then delivers all at once is no jump; neither is a gap in the source', () => {
  const times = run(start(), [
    [0, 6000],
    [100, 36_000],
    [200, 36_001],
    [29_900, 36_002],
    [30_000, 36_010],
    [90_000, 96_010],
  ])
  expect(reasons(times)).toEqual(['start'])
  expect(pts(times).at(-1)).toBe(91_000)
})

test('an agent that was stopped for 8 hours goes on in the same epoch (D7)', () => {
  const times = run(start(), [
    [0, 6000],
    [28_800_000, 28_806_000],
    [28_800_100, 28_806_001],
  ])
  expect(reasons(times)).toEqual(['start'])
})

test('a frozen clock: times of arrival, in a new epoch (D5)', () => {
  const stamps: [number, number][] = Array.from({ length: 40 }, (_, at) => [777, 6000 + at * 100])
  const times = run(start(), stamps)
  expect(reasons(times)).toEqual(['start', 'frozen'])
  expect(times.findIndex(({ reason }) => reason === 'frozen')).toBe(21)
  expect(times[21]).toMatchObject({ epochStarted: true, timeSource: 'arrival' })
  expect(pts(times.slice(21, 24))).toEqual([3100, 3200, 3300])
})

test('a duplicate after a stall is not a frozen clock', () => {
  expect(
    reasons(
      run(start(), [
        [0, 6000],
        [100, 6100],
        [100, 16_100],
        [200, 16_101],
      ]),
    ),
  ).toEqual(['start'])
})

test('a clock that moves but not on is frozen too', () => {
  const stamps: [number, number][] = Array.from({ length: 60 }, (_, at) => [
    777 + (at % 2) * 40,
    6000 + at * 100,
  ])
  expect(reasons(run(start(), stamps))).toEqual(['start', 'frozen'])
})

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 64])(
  'an absurd stamp (%d): times of arrival',
  (stamp) => {
    const times = run(start(), [
      [100, 6000],
      [stamp, 6100],
      [stamp, 6200],
    ])
    expect(pts(times)).toEqual([1000, 1100, 1200])
    expect(times[1]).toMatchObject({ reason: 'absurd', timeSource: 'arrival' })
    expect(run(start(), [[stamp, 6000]])[0]).toMatchObject({
      epochStarted: true,
      reason: 'absurd',
      ptsMs: wall + 1000,
    })
  },
)

test('pictures of one burst stay apart when only arrival is known', () => {
  const times = run(start(), [
    [-1, 6000],
    [-1, 6000],
    [-1, 6000.2],
    [-1, 7000],
  ])
  expect(pts(times)).toEqual([1000, 1001, 1002, 2000])
})

test('a clock that was frozen and runs again is followed after a while, in a new epoch', () => {
  const timeline = start()
  run(
    timeline,
    Array.from({ length: 30 }, (_, at) => [777, 6000 + at * 100]),
  )
  const times = run(timeline, steady(150, 50_000, 9000))
  expect(reasons(times)).toEqual(['recovered'])
  const recovered = times.findIndex(({ reason }) => reason === 'recovered')
  expect(recovered).toBe(100)
  expect(times[recovered - 1]?.timeSource).toBe('arrival')
  expect(times.at(-1)?.timeSource).toBe('device')
  expect(pts(times)).toEqual(steady(150, 0, 4000).map(([, arrival]) => arrival))
})

test('a clock that was absurd and then runs in seconds is not followed', () => {
  const timeline = start()
  run(timeline, [[-1, 6000]])
  const times = run(
    timeline,
    Array.from({ length: 300 }, (_, at) => [Math.floor(at / 10), 6100 + at * 100]),
  )
  expect(reasons(times)).toEqual([])
  expect(times.at(-1)?.timeSource).toBe('arrival')
})

test('a clock that leaps to and fro does not make an epoch of each picture', () => {
  const stamps: [number, number][] = Array.from({ length: 600 }, (_, at) => [
    at % 2 ? 1e9 : 0,
    6000 + at * 100,
  ])
  const times = run(start(), stamps)
  expect(times.filter(({ epochStarted }) => epochStarted).length).toBeLessThanOrEqual(6)
  expect(reasons(times).at(-1)).toBe('unstable')
  expect(times.at(-1)?.timeSource).toBe('arrival')
})

test('whatever the stamps are: integers, and every epoch begins after all before it', () => {
  let seed = 7
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  const timeline = start()
  let latest = Number.NEGATIVE_INFINITY
  let arrivalMs = 6000
  let deviceMs = 0
  for (let at = 0; at < 20_000; at++) {
    arrivalMs += random() * 100
    deviceMs = random() < 0.01 ? random() * 1e9 : deviceMs + random() * 100
    const { ptsMs, epochStarted } = timeline.map({ deviceMs, arrivalMs })
    expect(Number.isSafeInteger(ptsMs)).toBe(true)
    if (epochStarted) expect(ptsMs).toBeGreaterThan(latest)
    latest = Math.max(latest, ptsMs)
  }
})

test('after stamps that ran ahead of time, times of arrival go on from there, at the pace of arrival', () => {
  const fast = Array.from({ length: 41 }, (_, at): [number, number] => [at * 1600, 6000 + at * 100])
  const back = Array.from({ length: 20 }, (_, at): [number, number] => [
    61_000 - at * 3000,
    10_500 + at * 500,
  ])
  const times = run(start(), [...fast, ...back])
  const after = pts(times).slice(41)
  expect(pts(times)[40]).toBe(65_000)
  expect(after).toEqual(back.map(([, arrivalMs]) => 65_000 + arrivalMs - 10_000))
})
