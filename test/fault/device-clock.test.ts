import { expect, test } from 'vitest'
import { counter } from '../../agent/ingest/flv-units.ts'
import { StreamRecorder } from '../../agent/record/recorder.ts'
import { Timeline } from '../../shared/media/timeline.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeRecorderRing } from '../support/fake-recorder-ring.ts'
import { syntheticPicture } from '../support/synthetic.ts'

const u64Max = Number(2n ** 64n - 1n)
const hour = 3_600_000
const pictures = 1500 // A minute of 25 a second, with a key frame each second.

/**
 * RELIABILITY.md D5, from stamp to segment: a device's clock that misbehaves after ten seconds. Every picture is
 * recorded, a minute lasts a minute, and a clock that is not followed is flagged.
 */
test.each<[string, (n: number) => number, Set<string>]>([
  ['goes well', (n) => n * 40, new Set(['device'])],
  ['steps back ten seconds', (n) => 60_000 + n * 40 - (n < 250 ? 0 : 10_000), new Set(['device'])],
  ['is an hour ahead', (n) => n * 40 + (n < 250 ? 0 : hour), new Set(['device'])],
  ['stands still', (n) => Math.min(n, 250) * 40, new Set(['device', 'arrival'])],
  ['says the largest number there is', (n) => (n < 250 ? n * 40 : u64Max), new Set(['device', 'arrival'])],
  ['says it once', (n) => (n === 250 ? u64Max : n * 40), new Set(['device', 'arrival'])],
  ['is noise', (n) => (n < 250 ? n * 40 : (n * 2_654_435_761) % 1e12), new Set(['device', 'arrival'])],
])('a clock that %s', async (_name, stampOf, sources) => {
  const clock = new FakeClock()
  const ring = new FakeRecorderRing()
  const recorder = new StreamRecorder('cam', { ring, clock, segmentMs: 60_000, onGap: () => undefined })
  const timeline = new Timeline({ wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() })
  const nextEpoch = counter()
  let epoch = 0
  for (let n = 0; n < pictures; n += 1) {
    clock.advance(40)
    const arrivalMs = clock.monotonicMs()
    const { ptsMs, epochStarted, timeSource } = timeline.map({ deviceMs: stampOf(n), arrivalMs })
    if (epochStarted) epoch = nextEpoch()
    const key = n % 25 === 0
    const times = { dtsMs: ptsMs, ptsMs, arrivalMs, epoch, timeSource, randomAccess: key, idr: key }
    recorder.write({ ...syntheticPicture(n), ...times })
  }
  recorder.end('over')
  await recorder.flushNow()

  expect(recorder.stats).toMatchObject({ accepted: pictures, written: pictures, lost: 0 })
  expect(new Set(ring.segments.map(({ header }) => header.timeSource))).toEqual(sources)
  expect(ring.segments.length).toBeLessThanOrEqual(12)
  const units = ring.segments.flatMap((segment) => segment.units)
  const walls = ring.segments.flatMap(({ units: own, end }) =>
    own.map(({ ptsMs }) => ptsMs + (end?.wallOffsetMs ?? 0)),
  )
  expect(units).toHaveLength(pictures)
  const lasted = Math.max(...walls) - Math.min(...walls)
  expect(lasted).toBeGreaterThan(55_000)
  expect(lasted).toBeLessThan(70_000)
  for (const { units: own } of ring.segments) {
    const times = own.map(({ dtsMs }) => dtsMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  }
})
