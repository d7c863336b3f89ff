/**
 * From a phone's picture to a viewer: WebSocket in, HTTP-FLV out, ring on, one viewer for each phone, beside a relay
 * that does nothing else. With `stall`: the same before, while and after the disk does not answer for five seconds.
 *   node bench/live.bench.ts [--streams 50] [--rounds 3] [--seconds 8]
 *   node bench/live.bench.ts stall [--streams 20] [--rounds 3] [--stall 5]
 */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../test/support/modules.ts'
import { mean, numbers, quantile, rotated, short, spread, table } from './support/figures.ts'
import { LiveRun } from './support/live-run.ts'
import { scaledClip } from './support/scaled-clip.ts'
import { ServerProcess } from './support/server-process.ts'

const isStall = process.argv.includes('stall')
const options = numbers({ streams: isStall ? 20 : 50, rounds: 3, seconds: 8, stall: 5 })
const fps = 25
const warmS = 12
const pictures = await scaledClip(2, fps)

type Figures = { meanMs: number; p50Ms: number; p99Ms: number; maxMs: number; missing: number }

function figures({ delaysMs, missing }: { delaysMs: number[]; missing: number }): Figures {
  const at = (share: number) => quantile(delaysMs, share)
  return { meanMs: mean(delaysMs), p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), missing }
}

async function agentRun(server: ServerProcess, count: number): Promise<LiveRun> {
  const streams = []
  for (let i = 0; i < count; i += 1) {
    const phonePath = await server.phonePath(`phone-${i}`)
    streams.push({ phonePath, viewerPath: `/live/phone-${i}.flv` })
  }
  return await LiveRun.start({
    port: server.port,
    token: await server.adminToken(),
    streams,
    pictures,
    fps,
  })
}

async function relayRun(server: ServerProcess, count: number): Promise<LiveRun> {
  const streams = Array.from({ length: count }, (_, i) => ({
    phonePath: `/android-cam?stream=${i}`,
    viewerPath: `/?stream=${i}`,
  }))
  return await LiveRun.start({ port: server.port, token: '', streams, pictures, fps })
}

const relay = join(repository, 'bench/support/bare-relay.ts')
const targets = [
  {
    name: 'bare relay',
    start: () => ServerProcess.start(process.execPath, ({ port }) => [relay, String(port)]),
    run: relayRun,
  },
  { name: 'edgereel', start: () => ServerProcess.agent(), run: agentRun },
]

const samples = new Map<string, Figures[]>()
const add = (key: string, sample: Figures) => {
  samples.set(key, [...(samples.get(key) ?? []), sample])
  console.error(
    `${key}: mean ${short(sample.meanMs)}, p50 ${short(sample.p50Ms)}, p99 ${short(sample.p99Ms)}, max ${short(sample.maxMs)} ms, ${sample.missing} missing`,
  )
}
const row = (key: string, head: readonly string[]) => {
  const own = samples.get(key) ?? []
  const cell = (name: keyof Figures) => spread(own.map((sample) => sample[name]))
  return [...head, cell('meanMs'), cell('p50Ms'), cell('p99Ms'), cell('maxMs'), cell('missing')]
}
const heads = ['mean ms', 'p50 ms', 'p99 ms', 'longest ms', 'missing']

async function benchLive(): Promise<void> {
  const counts = [1, 10, options.streams].filter((count, i, all) => all.indexOf(count) === i)
  for (let round = 0; round < options.rounds; round += 1) {
    for (const count of counts) {
      for (const { name, start, run } of rotated(targets, round)) {
        await using server = await start()
        await using live = await run(server, count)
        await sleep(warmS * 1000)
        live.take()
        await sleep(options.seconds * 1000)
        add(`${count} × ${name}`, figures(live.take()))
      }
    }
  }
  const rows = counts.flatMap((count) =>
    targets.map(({ name }) => row(`${count} × ${name}`, [String(count), name])),
  )
  console.log(table(['streams', 'server', ...heads], rows))
}

async function benchStall(): Promise<void> {
  const phases = ['before', 'while it stands still', 'after']
  for (let round = 0; round < options.rounds; round += 1) {
    const stall = join(repository, `.stall-${process.pid}`)
    const imports = [join(repository, 'bench/support/stalling-disk.ts')]
    await using server = await ServerProcess.agent({ imports, env: { EDGEREEL_BENCH_STALL: stall } })
    await using live = await agentRun(server, options.streams)
    await sleep(warmS * 1000)
    for (const phase of phases) {
      live.take()
      if (phase === phases[1]) await writeFile(stall, '')
      await sleep(options.stall * 1000)
      const sample = figures(live.take())
      const queued = await queuedMb(server)
      await rm(stall, { force: true })
      add(phase, sample)
      console.error(`  ${short(queued)} MB wait for the disk`)
    }
  }
  console.log(
    table(
      ['disk', ...heads],
      phases.map((phase) => row(phase, [phase])),
    ),
  )
}

async function queuedMb(server: ServerProcess): Promise<number> {
  const stats = JSON.stringify(await server.api('stats'))
  return Number(/"queueBytes":(\d+)/.exec(stats)?.[1]) / 1e6
}

console.log(
  `${options.rounds} rounds, 2 Mb/s and ${fps} pictures a second each; median of the rounds (least–most)\n`,
)
await (isStall ? benchStall() : benchLive())
