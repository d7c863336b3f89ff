import { Recorders } from '../../agent/record/recorders.ts'
import { openRing } from '../../agent/ring/ring.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { agent } from './storage-rig.ts'
import { syntheticPicture } from './synthetic.ts'

/**
 * Records two synthetic streams into argv[2] from picture argv[3] on until it is killed. Tells on stdout, picture by
 * picture, what the worker has written (`w n`, one line for both streams) and since when it runs (`ready`).
 */
const [, , dir = '', first = '0'] = process.argv
const clock = systemClock
const ring = await openRing({
  dir,
  agent,
  quotaBytes: 1e9,
  whenFull: 'overwrite',
  clock,
  onFatal: (error) => {
    throw error
  },
})
// Segments of three GOPs: the kill also falls into sealing and opening.
const recorders = new Recorders({ ring, clock, segmentMs: 250, onGap: () => {} })
process.stdout.write('ready\n') // Waits, unlike `writeSync`, for a parent that reads late.

const frameMs = 10
const startMs = clock.nowMs() - Number(first) * frameMs
const startMonotonicMs = clock.monotonicMs() - Number(first) * frameMs
const unwritten: number[] = []
for (let n = Number(first); ; n += 1) {
  for (const stream of ['door', 'yard']) {
    const unit = syntheticPicture(n, { stream, frameMs, startMs, startMonotonicMs, bytes: 1500 })
    recorders.open(stream).write(unit)
  }
  unwritten.push(n)
  await clock.sleep(frameMs)
  if (ring.stats().queueBytes > 0) continue
  for (const done of unwritten.splice(0)) process.stdout.write(`w ${done} ${clock.nowMs()}\n`)
}
