/**
 * What fetching IP cameras costs, beside `ffmpeg -rtsp_transport tcp -i … -c copy -f null -`, one process for each camera:
 * first only the fetching and the hub, then the whole agent that records them all. One run, rounds interleaved.
 *   node bench/pull.bench.ts [--least 1] [--cameras 50] [--rounds 3] [--seconds 10] [--warm 8]
 */
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RecordingReport, StreamInfo } from '../shared/contract/agent-api.ts'
import { repository } from '../test/support/modules.ts'
import { numbers, rotated, short, spread, table } from './support/figures.ts'
import { figuresOf, ServerProcess } from './support/server-process.ts'

const options = numbers({ least: 1, cameras: 50, rounds: 3, seconds: 10, warm: 8 })
const run = promisify(execFile)
const support = (name: string) => fileURLToPath(new URL(`support/${name}`, import.meta.url))

type Target = 'fetching' | 'ffmpeg' | 'recording'
/** `pictures`: that came, of all cameras. Unknown of FFmpeg, which only counts for itself. */
type Counted = { pictures: number; live: number; gaps: number }
type Running = AsyncDisposable & {
  pids: number[]
  counted?: () => Promise<Counted>
  /** Of the last seconds: what is not in the ring. */
  missing?: () => Promise<number>
}
type Sample = { cpuPercent: number; pssMb: number; pictures: number; gaps: number; missing: number }

const directory = await mkdtemp(join(tmpdir(), 'edgereel-pull-'))
const film = join(directory, 'film.mp4')
const scene = 'testsrc2=s=1920x1080:r=25:d=10,noise=alls=12:allf=t'
const rate = ['-b:v', '4M', '-minrate', '4M', '-maxrate', '4M', '-bufsize', '2M', '-nal-hrd', 'cbr']
const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-pix_fmt', 'yuv420p', ...rate]
await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', scene, ...encoder, film])

/** Proportional: what processes share is counted once. */
async function pssMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return (Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) * 1024) / 1e6
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

const targets: Record<Target, (urls: readonly string[]) => Promise<Running>> = {
  fetching: async (urls) => {
    const server = await ServerProcess.start(process.execPath, ({ port }) => [
      '--heap-growing-percent=150', // As agent/main.ts has it.
      ...[support('pull-sink.ts'), String(port), ...urls],
    ])
    const counted = async () => JSON.parse(await said(server.port))
    return { pids: [server.pid], counted, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  },
  ffmpeg: async (urls) => {
    const children = urls.map((url) =>
      spawn(
        'ffmpeg',
        ['-v', 'error', '-nostdin', '-rtsp_transport', 'tcp', '-i', url, '-c', 'copy', '-f', 'null', '-'],
        { stdio: 'ignore' },
      ),
    )
    return {
      pids: children.map(({ pid = 0 }) => pid),
      [Symbol.asyncDispose]: async () => void (await Promise.all(children.map(ended))),
    }
  },
  recording: async (urls) => {
    const config = join(directory, 'config.yaml')
    const streams = Object.fromEntries(
      urls.map((url, i) => [`cam-${i}`, { source: url, ring: 'always', upload: 'never' }]),
    )
    const ports = { grpc: { port: null }, rtmp: { port: null } }
    await writeFile(
      config,
      JSON.stringify({ ...ports, cameras: { allow: ['127.0.0.0/8'] }, streams, ring: { quota: '20GB' } }),
    )
    const main = join(repository, 'agent/main.ts')
    const server = await ServerProcess.start(process.execPath, ({ directory: data, port }) => [
      main,
      ...['--data', data, '--port', String(port), '--config', config],
    ])
    const counted = async () => {
      const { streams: all } = await server.api<{ streams: StreamInfo[] }>('streams')
      const sum = (read: (stream: StreamInfo) => number) => all.reduce((total, one) => total + read(one), 0)
      const live = all.filter(({ state }) => state === 'live').length
      return { pictures: sum(({ units }) => units), live, gaps: sum(({ gaps }) => gaps) }
    }
    const missing = async () => {
      const wanted = { streams: Object.keys(streams), from: '-6s', durationSeconds: 4 }
      const { id } = await server.api<{ id: string }>('recordings', wanted)
      const report = await server.api<RecordingReport>(`recordings/${id}/report`)
      return report.streams.reduce((sum, { pictures }) => sum + Math.max(0, 4 * 25 - 1 - pictures), 0)
    }
    const close = () => server[Symbol.asyncDispose]()
    return { pids: [server.pid], counted, missing, [Symbol.asyncDispose]: close }
  },
}

async function said(port: number): Promise<string> {
  let text = ''
  for await (const bytes of connect(port, '127.0.0.1')) text += bytes
  return text
}

async function measure(target: Target, count: number): Promise<Sample> {
  const cameras = fork(support('rtsp-cameras.ts'), [film, String(count)])
  const [urls] = (await once(cameras, 'message')) as [string[]]
  try {
    await using running = await targets[target](urls)
    await sleep(options.warm * 1000)
    const cpuS = async () => {
      const all = await Promise.all(running.pids.map(figuresOf))
      return all.reduce((sum, figures) => sum + figures.cpuS, 0)
    }
    const look = async () => {
      const [seconds, counted] = [performance.now() / 1000, await running.counted?.()]
      return { seconds, counted, cpuS: await cpuS() }
    }
    const before = await look()
    await sleep(options.seconds * 1000)
    const after = await look()
    const memory = await Promise.all(running.pids.map(pssMb))
    const seconds = after.seconds - before.seconds
    const [had, has] = [before.counted, after.counted]
    if (has && has.live < count) console.error(`only ${has.live} of ${count} are live`)
    return {
      cpuPercent: ((after.cpuS - before.cpuS) / seconds) * 100,
      pssMb: memory.reduce((sum, mb) => sum + mb, 0),
      pictures: has && had ? (has.pictures - had.pictures) / seconds / count : Number.NaN,
      gaps: has && had ? has.gaps - had.gaps : Number.NaN,
      missing: (await running.missing?.()) ?? Number.NaN,
    }
  } finally {
    await ended(cameras)
  }
}

const names = Object.keys(targets) as Target[]
const counts = [1, 10, 50].filter((count) => count >= options.least && count <= options.cameras)
const samples = new Map<string, Sample[]>()
const samplesOf = (target: Target, count: number) => samples.get(`${target} ${count}`) ?? []
for (let round = 0; round < options.rounds; round += 1) {
  for (const count of counts) {
    for (const target of rotated(names, round)) {
      const sample = await measure(target, count)
      samples.set(`${target} ${count}`, [...samplesOf(target, count), sample])
      console.error(
        `round ${round + 1}, ${count} × ${target}: ${short(sample.cpuPercent)} % of a core, ${short(sample.pssMb)} MB, ${short(sample.pictures)} pictures/s each, ${sample.gaps} gaps, ${sample.missing} missing`,
      )
    }
  }
}
await rm(directory, { recursive: true, force: true })

/** In each round the one by the other: what shares the machine falls on both. */
const ratios = (target: Target, count: number, read: (sample: Sample) => number) =>
  samplesOf(target, count).map((sample, round) => {
    const base = samplesOf('ffmpeg', count)[round]
    return base ? read(sample) / read(base) : Number.NaN
  })
const added = (target: Target, count: number) =>
  samplesOf(target, count).map(({ pssMb: mb }, round) => {
    return (mb - (samplesOf(target, 1)[round]?.pssMb ?? Number.NaN)) / (count - 1)
  })
const rows = counts.flatMap((count) =>
  names.map((target) => {
    const own = samplesOf(target, count)
    return [
      ...[String(count), target],
      spread(own.map(({ cpuPercent }) => cpuPercent / count)),
      spread(ratios(target, count, ({ cpuPercent }) => cpuPercent)),
      spread(own.map((sample) => sample.pssMb / count)),
      spread(ratios(target, count, (sample) => sample.pssMb)),
      count > 1 ? spread(added(target, count)) : '–',
      spread(own.map(({ pictures }) => pictures)),
      ...[own.map(({ gaps }) => gaps), own.map(({ missing }) => missing)].map((all) =>
        short(Math.max(...all)),
      ),
    ]
  }),
)
console.log(`${options.rounds} rounds of ${options.seconds} s; median of the rounds (least–most)\n`)
console.log(
  table(
    [
      ...['cameras', 'what', 'CPU % of a core each', '× FFmpeg', 'MB each', '× FFmpeg'],
      ...['MB for one more', 'pictures/s each', 'gaps', 'not in the ring'],
    ],
    rows,
  ),
)
