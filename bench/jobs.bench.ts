import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handlers } from '../cloud/jobs/handlers.ts'
import { muxSegment } from '../cloud/jobs/mux.ts'
import { type LocalCloud, openLocalCloud } from '../cloud/local/local-cloud.ts'
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
import { hasProgram } from '../test/support/shared-data.ts'
import { syntheticPicture, syntheticVideo } from '../test/support/synthetic.ts'
import { median, rotated, spread, table } from './support/figures.ts'

/**
 * node bench/jobs.bench.ts [directory]
 *
 * The mux of 10, 60 and 600 s of 1080p (8 Mb/s, 30 pictures a second), with its checksums, its rows and its
 * syncs, beside `cp` of the same file (which syncs nothing), beside `cp` and `sync` of the copy, and beside
 * `ffmpeg -f h264 -r 30 -c copy` (which syncs nothing, checks nothing and knows one frame rate); all with a
 * warm page cache, in turns. Then from the close of a recording of 60 s to its MP4.
 */
const megabits = 8
const epoch = 1_700_000_000_000
const segmentS = 15
const rounds = 7

function segmentAt(stream: string, seq: number, seconds: number, first: number) {
  const bytes = Math.round((megabits * 1e6) / 8 / 30)
  const units = Array.from({ length: seconds * 30 }, (_, i) =>
    unitOf(syntheticPicture(first + i, { frameMs: 33, gop: 60, bytes })),
  )
  return sealSegment({ agent: 'lab', stream, epoch, seq, units, video: syntheticVideo })
}

async function timed(work: () => Promise<unknown>): Promise<{ wallMs: number; cpuMs: number }> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const wallMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { wallMs, cpuMs: (user + system) / 1000 }
}

async function command(name: string, ...args: string[]): Promise<void> {
  const [code] = await once(spawn(name, args, { stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
}

type Copy = 'cp' | 'synced' | 'ffmpeg'
const copiers: Copy[] = hasProgram('ffmpeg') ? ['cp', 'synced', 'ffmpeg'] : ['cp', 'synced']

/** Processes of their own, a target that is not there yet. FFmpeg guesses one frame rate and checks nothing. */
async function copy(what: Copy, from: string, to: string): Promise<void> {
  const ffmpeg = ['-v', 'quiet', '-f', 'h264', '-r', '30', '-i', from, '-c', 'copy', '-f', 'mp4', to]
  if (what === 'cp') await command('cp', from, to)
  else if (what === 'ffmpeg') await command('ffmpeg', ...ffmpeg)
  else await command('sh', '-c', 'cp "$0" "$1" && sync "$1" "$2"', from, to, join(to, '..'))
}

async function benchMux(cloud: LocalCloud, seconds: number): Promise<string[]> {
  const ports = { ...cloud, clock: systemClock }
  const mux: number[] = []
  const cpu: number[] = []
  const copies: Record<Copy, number[]> = { cp: [], synced: [], ffmpeg: [] }
  let sizeBytes = 0
  for (let round = 0; round < rounds; round += 1) {
    const { manifest, files } = segmentAt(`mux${seconds}`, round, seconds, round * seconds * 30)
    await putSegment(cloud.store, { manifest, files })
    const path = join(dir, 'archive', keys.raw(manifest, 'h264'))
    sizeBytes = (await stat(path)).size
    const to = join(dir, 'copy')
    for (const what of rotated(['mux' as const, ...copiers], round)) {
      if (what === 'mux') {
        const taken = await timed(() => muxSegment(manifest, ports, AbortSignal.timeout(600_000)))
        mux.push(taken.wallMs)
        cpu.push(taken.cpuMs)
      } else {
        copies[what].push((await timed(() => copy(what, path, to))).wallMs)
        await rm(to)
      }
    }
    for (const key of [keys.raw(manifest, 'h264'), keys.media(manifest)]) await cloud.store.delete(key)
  }
  const ratio = (to: number[]) => (median(mux) / median(to)).toFixed(1)
  return [
    `${seconds} s, ${(sizeBytes / 1e6).toFixed(0)} MB`,
    ...[mux, cpu, copies.cp, copies.synced, copies.ffmpeg].map(spread),
    ratio(copies.cp),
    ratio(copies.synced),
    copiers.includes('ffmpeg') ? ratio(copies.ffmpeg) : '–',
  ]
}

/** From the moment when the last segment of a take is sent until its MP4 can be downloaded. */
async function benchClose(cloud: LocalCloud): Promise<string> {
  const ports = { ...cloud, clock: systemClock }
  // The pictures cannot be decoded: thumbnails are left out.
  const { mux, export: exporting } = handlers
  const own = { ...(mux && { mux }), ...(exporting && { export: exporting }) }
  await using _worker = startWorker({ ports, handlers: own, clock: systemClock, onError: console.error })
  const ms: number[] = []
  for (let take = 0; take < 5; take += 1) {
    const stream = `take${take}`
    const segments = [0, 1, 2, 3].map((seq) => segmentAt(stream, seq, segmentS, seq * segmentS * 30))
    for (const sealed of segments.slice(0, 3)) await putSegment(cloud.store, sealed)
    await systemClock.sleep(3000) // The earlier segments of a take have been muxed when it is closed.
    const start = performance.now()
    const last = segments[3]
    if (last) await putSegment(cloud.store, last)
    await putRecording(cloud.store, recordingOf(stream, segments))
    while (!(await getRecording(cloud.catalogue, stream))?.meta.files) await systemClock.sleep(2)
    ms.push(performance.now() - start)
  }
  return spread(ms)
}

const dir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'edgereel-bench-'))
try {
  await using cloud = await openLocalCloud({ dir, clock: systemClock })
  const times = ['mux ms', 'mux CPU ms', 'cp ms', 'cp + sync ms', 'ffmpeg -c copy ms']
  const head = ['', ...times, 'mux : cp', 'mux : cp + sync', 'mux : ffmpeg']
  const rows: string[][] = []
  for (const seconds of [10, 60, 600]) rows.push(await benchMux(cloud, seconds))
  console.log(table(head, rows))
  console.log(
    `\nclose of a take of 60 s to its MP4, upload of the last segment included: ${await benchClose(cloud)} ms`,
  )
} finally {
  await rm(dir, { recursive: true })
}
