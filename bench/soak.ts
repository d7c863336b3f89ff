/**
 * The whole program under churn: publishers and viewers that come and go over all transports, viewers that stop
 * reading, peers that speak nonsense, recordings that start and stop, a ring that is full. Every ten seconds one line
 * of figures of the agent and the cloud process; at the end the slopes.
 *   node bench/soak.ts [--minutes 60] [--visitors 4] [--streams 3] [--warm 5] [--record 60]
 * Exits 1 when memory, descriptors or threads did not stay flat (RELIABILITY.md E7).
 */
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, Program } from '../test/support/program.ts'
import { Churn } from './support/churn.ts'
import { numbers, short } from './support/figures.ts'
import { figuresOf } from './support/server-process.ts'

const options = numbers({ minutes: 60, visitors: 4, streams: 3, warm: 5, record: 60 })
const everyMs = 10_000
const recordEveryMs = options.record * 1000
const windowMinutes = Math.max(2, options.minutes / 6) // Ten of an hour: a full collection of the heap is in each.
const slopeMax = 1 // MB of RSS an hour, of either process (RELIABILITY.md E7).

type Sample = { minutes: number; rssMb: number; fds: number; threads: number; cpuS: number }

async function sample(pid: number, minutes: number): Promise<Sample> {
  const [{ rssMb, cpuS }, fds, tasks] = await Promise.all([
    figuresOf(pid),
    readdir(`/proc/${pid}/fd`),
    readdir(`/proc/${pid}/task`),
  ])
  return { minutes, rssMb, fds: fds.length, threads: tasks.length, cpuS }
}

/** Of the supervisor: agent and cloud by their command lines. */
async function children(pid: number): Promise<Record<'agent' | 'cloud', number>> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const named = await Promise.all(
    list
      .trim()
      .split(' ')
      .map(async (child) => [await readFile(`/proc/${child}/cmdline`, 'utf8'), Number(child)] as const),
  )
  const find = (what: RegExp) => named.find(([line]) => what.test(line))?.[1] ?? 0
  return { agent: find(/agent\/main/), cloud: find(/cloud\/local\/main/) }
}

/**
 * Per hour, by least squares over the least of each window: what the garbage collector has not come to yet is no leak.
 */
function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const windows = Map.groupBy(samples, ({ minutes }) => Math.floor(minutes / windowMinutes))
  const points = Array.from(windows, ([window, list]) => ({
    x: (window * windowMinutes) / 60,
    y: Math.min(...list.map(of)),
  }))
  const mean = (pick: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  const spread = mean((point) => (point.x - x) ** 2)
  return spread === 0 ? 0 : mean((point) => (point.x - x) * (point.y - y)) / spread
}

const rtmpPort = await freePort()
await using program = await Program.start({
  config: `rtmp: { port: ${rtmpPort} }\nring: { quota: 300MB, segmentSeconds: 10 }\n`,
})
const pids = await children(program.pid)
const adminToken = await program.adminToken()
await using churn = new Churn({
  httpPort: program.port,
  rtmpPort,
  adminToken,
  phonePath: async (stream) => `/android-cam?token=${await program.publisherToken(stream)}`,
})
const steady = await churn.steady(options.streams)
await sleep(2000)
churn.start(steady, options.visitors)

const samples = { agent: [] as Sample[], cloud: [] as Sample[] }
const startedMs = performance.now()
let recordedMs = -recordEveryMs
let recordings = 0
for (let next = everyMs; next <= options.minutes * 60_000; next += everyMs) {
  const elapsed = performance.now() - startedMs
  if (elapsed - recordedMs >= recordEveryMs) {
    recordedMs = elapsed
    recordings += 1
    await program.post('/agent/v1/recordings', { streams: [steady[0]], durationSeconds: 15 })
  }
  await sleep(Math.max(0, next - (performance.now() - startedMs)))
  const minutes = (performance.now() - startedMs) / 60_000
  for (const name of ['agent', 'cloud'] as const) samples[name].push(await sample(pids[name], minutes))
  const line = Object.entries(samples).map(([name, list]) => {
    const { rssMb, fds, threads, cpuS } = list.at(-1) ?? { rssMb: 0, fds: 0, threads: 0, cpuS: 0 }
    return `${name} ${short(rssMb)} MB, ${fds} fds, ${threads} threads, ${short(cpuS)} s of CPU`
  })
  console.log(`${short(minutes)} min: ${line.join(' · ')} · ${churn.present} visitors there`)
}
console.log(`came: ${JSON.stringify(churn.counts)}, ${recordings} recordings`)
const { live } = await program.json<{ live: unknown }>('/agent/v1/stats')
console.log(`live: ${JSON.stringify(live)}`)

let flat = true
for (const [name, list] of Object.entries(samples)) {
  const warm = list.filter(({ minutes }) => minutes >= options.warm)
  const figures = {
    rss: slope(warm, ({ rssMb }) => rssMb),
    fds: slope(warm, ({ fds }) => fds),
    threads: slope(warm, ({ threads }) => threads),
  }
  if (figures.rss > slopeMax || figures.fds > 2 || figures.threads > 0.5) flat = false
  const [from, to] = [warm.at(0), warm.at(-1)]
  console.log(
    `${name}: RSS ${short(from?.rssMb ?? 0)} → ${short(to?.rssMb ?? 0)} MB, ${short(figures.rss)} MB/h; descriptors ${from?.fds} → ${to?.fds}, ${short(figures.fds)} an hour; threads ${short(figures.threads)} an hour`,
  )
}
process.exitCode = flat ? 0 : 1
