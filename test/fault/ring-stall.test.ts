import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StreamRecorder } from '../../agent/record/recorder.ts'
import { openRing } from '../../agent/ring/ring.ts'
import type { Ring } from '../../agent/ring/types.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { ringQueueBytesMax } from '../../shared/limits.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { picturesIn } from '../support/killed-recorder.ts'
import { agent } from '../support/storage-rig.ts'
import { syntheticPicture } from '../support/synthetic.ts'

/** RELIABILITY.md A11, A12: a disk that stands still for 5 s. */
const clock = systemClock
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-stall-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function open(): Promise<Ring> {
  const workerUrl = new URL('../support/stalling-worker.ts', import.meta.url)
  const onFatal = (error: Error) => {
    throw error
  }
  return openRing({ dir, agent, quotaBytes: 1e9, whenFull: 'overwrite', clock, onFatal, workerUrl })
}

/** Gives pictures until the worker has stood still and come back; answers how many, and the largest queue seen. */
async function recordThroughStall(
  ring: Ring,
  recorder: StreamRecorder,
  options: { bytes: number; pauseMs: number },
) {
  const startMs = clock.nowMs()
  const startMonotonicMs = clock.monotonicMs()
  const seen = { pictures: 0, turns: 0, queueBytes: 0 }
  for (let stalled = false; ; seen.pictures += 1) {
    const frame = { startMs, startMonotonicMs, frameMs: options.pauseMs, gop: 10, bytes: options.bytes }
    recorder.write(syntheticPicture(seen.pictures, frame))
    await clock.sleep(options.pauseMs)
    const { queueBytes } = ring.stats()
    seen.queueBytes = Math.max(seen.queueBytes, queueBytes)
    // Pictures that were given while the worker answered nothing: turns of a loop that did not wait for it.
    if (queueBytes > options.bytes * 5) {
      stalled = true
      seen.turns += 1
    } else if (stalled) return seen
  }
}

test('the main thread goes on, the queue takes it all, nothing is lost', { timeout: 40_000 }, async () => {
  await using ring = await open()
  const gaps: Gap[] = []
  const recorder = new StreamRecorder('cam', {
    ring,
    clock,
    segmentMs: 60_000,
    onGap: (_s, gap) => gaps.push(gap),
  })
  const seen = await recordThroughStall(ring, recorder, { bytes: 5000, pauseMs: 20 })
  expect(seen.turns).toBeGreaterThan(50)
  expect(seen.queueBytes).toBeLessThan(ringQueueBytesMax)
  recorder.end('over')
  await recorder.flushNow()
  expect(gaps).toEqual([])
  expect(await picturesIn(ring, 'cam')).toEqual([...Array(seen.pictures + 0).keys()].concat(seen.pictures))
})

test('a queue that is full costs whole GOPs, counted', { timeout: 40_000 }, async () => {
  await using ring = await open()
  const gaps: Gap[] = []
  const recorder = new StreamRecorder('cam', {
    ring,
    clock,
    segmentMs: 60_000,
    onGap: (_s, gap) => gaps.push(gap),
  })
  const seen = await recordThroughStall(ring, recorder, { bytes: 600_000, pauseMs: 20 })
  expect(seen.queueBytes).toBeLessThanOrEqual(ringQueueBytesMax)
  for (let n = 0; n < 20; n += 1) recorder.write(syntheticPicture(n, { startMs: clock.nowMs(), bytes: 100 }))
  recorder.end('over')
  await recorder.flushNow()
  const { accepted, written, lost } = recorder.stats
  expect(lost).toBeGreaterThan(0)
  expect(accepted).toBe(written + lost)
  expect(gaps.map(({ cause }) => cause)).toContain('disk-slow')
  expect(gaps.reduce((sum, gap) => sum + (gap.units ?? 0), 0)).toBe(lost)
})
