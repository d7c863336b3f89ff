import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handlers } from '../cloud/jobs/handlers.ts'
import { muxSegment } from '../cloud/jobs/mux.ts'
import { openLocalCloud } from '../cloud/local/local-cloud.ts'
import { startWorker } from '../cloud/local/worker.ts'
import { getRecording } from '../cloud/rows/recording.ts'
import { keys } from '../shared/contract/segment.ts'
import { systemClock } from '../shared/node/clock.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../test/support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../test/support/synthetic.ts'

// node bench/jobs.bench.ts [directory] — the mux of 10, 60 and 600 s of 1080p (8 Mb/s, 30 pictures a second)
// beside `cp` of the same file, both with a warm page cache; then from the close of a recording of 60 s to its MP4.

const megabits = 8
const epoch = 1_700_000_000_000
const segmentS = 15

function segmentAt(stream: string, seq: number, seconds: number) {
  const bytes = Math.round((megabits * 1e6) / 8 / 30)
  const first = seq * segmentS * 30
  const units = Array.from({ length: seconds * 30 }, (_, i) =>
    unitOf(syntheticPicture(first + i, { frameMs: 33, gop: 60, bytes })),
  )
  return sealSegment({ agent: 'lab', stream, epoch, seq, units, video: syntheticVideo })
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const dir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'edgereel-bench-'))
try {
  await using cloud = await openLocalCloud({ dir, clock: systemClock })
  const ports = { ...cloud, clock: systemClock }
  const signal = AbortSignal.timeout(600_000)
  for (const seconds of [10, 60, 600]) {
    const muxMs: number[] = []
    const copyMs: number[] = []
    const cpuMs: number[] = []
    for (let run = 0; run < 5; run += 1) {
      const sealed = segmentAt(`mux${seconds}-${run}`, 1, seconds)
      await putSegment(cloud.store, sealed)
      const path = join(dir, 'archive', keys.raw(sealed.manifest, 'h264'))
      const copyStart = performance.now()
      await copyFile(path, join(dir, 'copy'))
      copyMs.push(performance.now() - copyStart)
      const cpu = process.cpuUsage()
      const start = performance.now()
      await muxSegment(sealed.manifest, ports, signal)
      muxMs.push(performance.now() - start)
      const { user, system } = process.cpuUsage(cpu)
      cpuMs.push((user + system) / 1000)
      if (run > 0) continue
      const { size } = await stat(path)
      console.log(`${seconds} s: ${(size / 1e6).toFixed(0)} MB`)
    }
    const [mux, copy] = [median(muxMs), median(copyMs)]
    console.log(
      `  mux ${mux.toFixed(0)} ms (CPU ${median(cpuMs).toFixed(0)} ms), cp ${copy.toFixed(0)} ms, ratio ${(mux / copy).toFixed(1)}`,
    )
  }
  // The pictures cannot be decoded: thumbnails are left out.
  const { mux, export: exporting } = handlers
  const own = { ...(mux && { mux }), ...(exporting && { export: exporting }) }
  await using _worker = startWorker({ ports, handlers: own, clock: systemClock, onError: console.error })
  for (let take = 0; take < 5; take += 1) {
    const segments = [0, 1, 2, 3].map((seq) => segmentAt(`take${take}`, seq, segmentS))
    for (const sealed of segments.slice(0, 3)) await putSegment(cloud.store, sealed)
    await systemClock.sleep(3000) // The earlier segments of a take have been muxed when it is closed.
    const start = performance.now()
    const last = segments[3]
    if (last) await putSegment(cloud.store, last)
    const stored = performance.now()
    await putRecording(cloud.store, recordingOf(`take${take}`, segments))
    while (!(await getRecording(cloud.catalogue, `take${take}`))?.meta.files) await systemClock.sleep(2)
    const end = performance.now()
    console.log(
      `close of 60 s: MP4 after ${(end - start).toFixed(0)} ms (of which upload ${(stored - start).toFixed(0)} ms)`,
    )
  }
} finally {
  await rm(dir, { recursive: true })
}
