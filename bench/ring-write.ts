import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Recorders } from '../agent/record/recorders.ts'
import { openRing } from '../agent/ring/ring.ts'
import { systemClock } from '../shared/node/clock.ts'
import { agent } from '../test/support/storage-rig.ts'
import { syntheticPicture } from '../test/support/synthetic.ts'

/**
 * What recording costs without network and parsing: 50 streams of 2 Mb/s at 25 pictures a second for 20 s.
 * `node bench/ring-write.ts [streams] [seconds]`
 */
const streams = Number(process.argv[2] ?? 50)
const seconds = Number(process.argv[3] ?? 20)
const dir = await mkdtemp(join(tmpdir(), 'ring-write-'))
const clock = systemClock
const onFatal = (error: Error) => {
  throw error
}
const ring = await openRing({ dir, agent, quotaBytes: 1e11, whenFull: 'stop', clock, onFatal })
const recorders = new Recorders({
  ring,
  clock,
  segmentMs: 5000,
  onGap: (stream, gap) => console.log(stream, gap),
})

const frame = {
  frameMs: 40,
  gop: 50,
  bytes: 10_000,
  startMs: clock.nowMs(),
  startMonotonicMs: clock.monotonicMs(),
}
const sinks = Array.from({ length: streams }, (_, i) => recorders.open(`cam-${i}`))
const delay = monitorEventLoopDelay({ resolution: 1 })
const cpu = process.cpuUsage()
const begun = clock.monotonicMs()
let queueBytes = 0
let bytes = 0
// Each stream at its own moment of the 40 ms, as cameras do.
for (let n = 0; n < seconds * 25; n += 1) {
  for (const [i, sink] of sinks.entries()) {
    const due = begun + n * 40 + (i * 40) / streams
    const early = due - clock.monotonicMs()
    if (early > 1) await clock.sleep(early)
    if (n === 1 && i === 0) delay.enable()
    const unit = syntheticPicture(n, frame)
    bytes += unit.sizeBytes
    sink.write(unit)
    queueBytes = Math.max(queueBytes, ring.stats().queueBytes)
  }
}
delay.disable()
const used = process.cpuUsage(cpu)
await recorders[Symbol.asyncDispose]()
await ring[Symbol.asyncDispose]()
await rm(dir, { recursive: true })
const mb = bytes / 1e6
console.log(
  JSON.stringify({
    ...{ streams, mb: Math.round(mb), cpuMsPerMb: ((used.user + used.system) / 1000 / mb).toFixed(2) },
    cpuShare: ((used.user + used.system) / 1e6 / seconds).toFixed(3),
    queueMaxMb: (queueBytes / 1e6).toFixed(1),
    ...{ loopP99Ms: (delay.percentile(99) / 1e6).toFixed(1), loopMaxMs: (delay.max / 1e6).toFixed(1) },
    maxRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
)
