/**
 * The whole program under churn: publishers and viewers that come and go over all transports, viewers that stop
 * reading, peers that speak nonsense, recordings that start and stop, a ring that is full. Every ten seconds one line
 * of figures of the agent and the cloud process; each minute the memory behind a full collection; at the end the slopes.
 *   node bench/soak.ts [--minutes 60] [--visitors 4] [--streams 3] [--warm 5] [--record 60] [--workers 1]
 * With a worker, viewers of HTTP-FLV and WS-FLV are sent to from there, those of RTMP from the agent.
 * Exits 1 when memory, descriptors or threads did not stay flat (RELIABILITY.md E7).
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, Program } from '../test/support/program.ts'
import { Churn } from './support/churn.ts'
import { numbers, short } from './support/figures.ts'
import { type Collected, Inspected } from './support/inspected.ts'
import { figuresOf } from './support/server-process.ts'

const options = numbers({ minutes: 60, visitors: 4, streams: 3, warm: 5, record: 60, workers: 1 })
const everyMs = 10_000
const collectEvery = 6 // Lines.
/** More an hour is a leak; visitors come and go, so that descriptors and handles differ by ten from line to line. */
const limits = { rssMb: 1, heapMb: 1, threadsMb: 1, fds: 6, threads: 0.5, handles: 6 }

type Sample = { minutes: number; rssMb: number; fds: number; threads: number; cpuS: number }
type Point = { minutes: number } & Collected & Pick<Sample, 'fds' | 'threads'>

async function sample(pid: number, minutes: number): Promise<Sample> {
  const [{ rssMb, cpuS }, fds, tasks] = await Promise.all([
    figuresOf(pid),
    readdir(`/proc/${pid}/fd`),
    readdir(`/proc/${pid}/task`),
  ])
  return { minutes, rssMb, fds: fds.length, threads: tasks.length, cpuS }
}

/** Its children, as what their command lines say. */
async function childOf(pid: number, what: RegExp): Promise<number> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  for (const child of list.trim().split(' ')) {
    if (what.test(await readFile(`/proc/${child}/cmdline`, 'utf8'))) return Number(child)
  }
  throw new Error(`process ${pid} has no child ${what}`)
}

/** Per hour, by least squares. */
function slope(points: readonly Point[], of: keyof typeof limits): number {
  const mean = (pick: (point: Point) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x, y] = [mean(({ minutes }) => minutes / 60), mean((point) => point[of])]
  const spread = mean(({ minutes }) => (minutes / 60 - x) ** 2)
  return spread === 0 ? 0 : mean((point) => (point.minutes / 60 - x) * (point[of] - y)) / spread
}

const rtmpPort = await freePort()
await using program = await Program.start({
  config: `rtmp: { port: ${rtmpPort} }\nring: { quota: 300MB, segmentSeconds: 10 }\nlive: { workers: ${options.workers} }\n`,
  env: { NODE_OPTIONS: '--inspect-port=0' },
})
const agent = await childOf(program.pid, /agent\/main/)
const pids = { agent, cloud: await childOf(program.pid, /cloud\/local\/main/) }
const all = options.workers === 0 ? pids : { ...pids, worker: await childOf(agent, /viewer-worker/) }
const watched = Object.entries(all).map(([name, pid]) => ({ name, pid, points: [] as Point[] }))
const inspectors = new Map<string, Inspected>()
const attach = async (name: string, pid: number) =>
  inspectors.set(name, await Inspected.attach(pid, () => program.output))
for (const { name, pid } of watched) await attach(name, pid)
/** A worker that got no CPU for seconds is replaced by the agent: its memory begins anew. */
async function follow(one: (typeof watched)[number]): Promise<void> {
  if (one.name !== 'worker' || existsSync(`/proc/${one.pid}`)) return
  one.pid = await childOf(agent, /viewer-worker/)
  one.points = []
  await attach(one.name, one.pid)
  console.log('the agent has replaced its worker')
}
await using churn = new Churn({
  httpPort: program.port,
  rtmpPort,
  adminToken: await program.adminToken(),
  phonePath: async (stream) => `/android-cam?token=${await program.publisherToken(stream)}`,
})
const steady = await churn.steady(options.streams)
await sleep(2000)
churn.start(steady, options.visitors)

const startedMs = performance.now()
const minutesNow = () => (performance.now() - startedMs) / 60_000
let recordings = 0
for (let line = 1; line * everyMs <= options.minutes * 60_000; line += 1) {
  if (minutesNow() * 60 >= recordings * options.record) {
    recordings += 1
    await program.post('/agent/v1/recordings', { streams: [steady[0]], durationSeconds: 15 })
  }
  await sleep(Math.max(0, line * everyMs - (performance.now() - startedMs)))
  const words: string[] = []
  for (const one of watched) {
    await follow(one)
    const { name, pid, points } = one
    const { minutes, rssMb, fds, threads, cpuS } = await sample(pid, minutesNow())
    words.push(`${name} ${short(rssMb)} MB, ${fds} fds, ${threads} threads, ${short(cpuS)} s of CPU`)
    const collected = line % collectEvery === 0 ? await inspectors.get(name)?.collect() : undefined
    if (!collected) continue
    points.push({ minutes, fds, threads, ...collected })
    const { rssMb: left, heapMb, threadsMb } = collected
    words.push(
      `collected: ${short(left)} MB, heap ${short(heapMb)} MB, of its threads ${short(threadsMb)} MB`,
    )
  }
  console.log(`${short(minutesNow())} min: ${words.join(' · ')} · ${churn.present} visitors there`)
}
console.log(`came: ${JSON.stringify(churn.counts)}, ${recordings} recordings`)
const { live } = await program.json<{ live: unknown }>('/agent/v1/stats')
console.log(`live: ${JSON.stringify(live)}`)

let flat = true
for (const { name, points } of watched) {
  const warm = points.filter(({ minutes }) => minutes >= options.warm)
  const told = (Object.keys(limits) as (keyof typeof limits)[]).map((of) => {
    const perHour = slope(warm, of)
    if (perHour > limits[of]) flat = false
    return `${of} ${short(warm.at(0)?.[of] ?? 0)} → ${short(warm.at(-1)?.[of] ?? 0)}, ${short(perHour)} an hour`
  })
  console.log(`${name}, behind full collections: ${told.join('; ')}`)
}
for (const inspector of inspectors.values()) inspector[Symbol.dispose]()
process.exitCode = flat ? 0 : 1
