import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handlers } from '../cloud/jobs/handlers.ts'
import { openLocalCloud } from '../cloud/local/local-cloud.ts'
import { getRecording } from '../cloud/rows/recording.ts'
import { systemClock } from '../shared/node/clock.ts'
import { tuneHeap } from '../shared/node/heap.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  type SealedSegment,
  sealSegment,
  unitOf,
} from '../test/support/segment-fixture.ts'
import {
  syntheticAudio,
  syntheticPicture,
  syntheticSound,
  syntheticVideo,
} from '../test/support/synthetic.ts'

/**
 * node bench/export-memory.bench.ts [hours]
 *
 * Peak memory of a process that exports a recording of 8 hours, picture (30 a second) and sound, in segments of
 * a minute: started as `up` starts the cloud. The pictures are small, as memory goes with their number.
 */
const stream = 'cam'
const epoch = 1_700_000_000_000
const startMs = 1_772_366_400_000
const segmentMs = 60_000
const pictureMs = 33
const soundMs = (1024 * 1000) / 44_100

tuneHeap({ growPercent: 30, isPrompt: false }) // As the cloud.

/** Picture and sound of one minute of the stream. */
function segmentAt(seq: number): SealedSegment {
  const within = (everyMs: number) => {
    const first = Math.ceil((seq * segmentMs) / everyMs)
    const count = Math.ceil(((seq + 1) * segmentMs) / everyMs) - first
    return Array.from({ length: count }, (_, i) => first + i)
  }
  const pictures = within(pictureMs).map((n) =>
    unitOf(syntheticPicture(n, { startMs, frameMs: pictureMs, gop: 1, bytes: 400 + (n % 600) })),
  )
  const sound = within(soundMs).map((n) => unitOf(syntheticSound(n, { startMs })))
  const units = [...pictures, ...sound].sort((a, b) => a.dtsMs - b.dtsMs)
  return sealSegment({
    agent: 'lab',
    stream,
    epoch,
    seq,
    units,
    video: syntheticVideo,
    audio: syntheticAudio,
  })
}

async function prepare(dir: string, hours: number): Promise<void> {
  await using cloud = await openLocalCloud({ dir, clock: systemClock })
  const segments: SealedSegment[] = []
  for (let seq = 0; seq < hours * 60; seq += 1) {
    const sealed = segmentAt(seq)
    await putSegment(cloud.store, sealed)
    segments.push({ ...sealed, files: [] })
  }
  await drain(cloud, 'mux')
  await putRecording(cloud.store, recordingOf('long', segments))
  await drain(cloud, 'mux')
}

async function drain(
  cloud: Awaited<ReturnType<typeof openLocalCloud>>,
  name: 'mux' | 'export',
): Promise<void> {
  const ports = { ...cloud, clock: systemClock }
  for (;;) {
    const [message] = await cloud.queue.receive(name, { max: 1, visibilityS: 3600 })
    if (!message) return
    await handlers[name]?.(message.body, ports, new AbortController().signal)
    await cloud.queue.remove(name, message.receipt)
  }
}

async function exportAll(dir: string): Promise<void> {
  const start = performance.now()
  const peak = () => process.resourceUsage().maxRSS / 1024
  await using cloud = await openLocalCloud({ dir, clock: systemClock })
  const before = peak()
  await drain(cloud, 'export')
  const files = (await getRecording(cloud.catalogue, 'long'))?.meta.files ?? []
  const seconds = (performance.now() - start) / 1000
  const sizes = files.map(({ units, mp4Bytes }) => `${units} pictures, ${(mp4Bytes / 1e6).toFixed(0)} MB`)
  console.log(`files: ${sizes.join('; ')}; ${seconds.toFixed(1)} s`)
  console.log(`peak memory ${peak().toFixed(0)} MB (before the export ${before.toFixed(0)} MB)`)
}

/** A process for each step, so that the one that is measured has done nothing else. */
async function step(name: string, ...args: string[]): Promise<void> {
  const node = ['--max-semi-space-size=4', import.meta.filename, name, ...args]
  const [code] = await once(spawn(process.execPath, node, { stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
}

const [first = '8', directory = ''] = process.argv.slice(2)
if (first === 'prepare') await prepare(directory, Number(process.argv[4]))
else if (first === 'export') await exportAll(directory)
else {
  const dir = await mkdtemp(join(tmpdir(), 'edgereel-bench-'))
  try {
    await step('prepare', dir, first)
    await step('export', dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}
