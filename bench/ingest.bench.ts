/**
 * What a phone's stream costs the agent, ring on, beside a bare `ws` server that only appends to files and beside an
 * asyncio `websockets` recorder in Python (where it can be found). One run, rounds interleaved; the CPU of the
 * sender is not counted.
 *   node bench/ingest.bench.ts [--least 1] [--phones 50] [--rounds 3] [--seconds 8] [--megabits 2] [--fps 25]
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../test/support/modules.ts'
import { sharedPath } from '../test/support/shared-data.ts'
import { mean, median, numbers, rotated, short, spread, table } from './support/figures.ts'
import { PhoneCrowd } from './support/phone-crowd.ts'
import { scaledClip } from './support/scaled-clip.ts'
import { ServerProcess } from './support/server-process.ts'

const options = numbers({ least: 1, phones: 50, rounds: 3, seconds: 8, megabits: 2, fps: 25 })
const warmS = 20 // Until then code is still being compiled, and what the GOP caches hold has been replaced many times.

type Target = { name: string; start: () => Promise<ServerProcess>; agent?: boolean }

const bare = join(repository, 'bench/support/bare-sink.ts')
const targets: Target[] = [
  {
    name: 'bare ws',
    start: () =>
      ServerProcess.start(process.execPath, ({ directory, port }) => [bare, String(port), directory]),
  },
  { name: 'edgereel', start: () => ServerProcess.agent(), agent: true },
]
const python = '/usr/bin/python3'
const script = sharedPath('bench/sinks/ws_sink.py')
if (script && spawnSync(python, ['-c', 'import websockets']).status === 0) {
  targets.push({
    name: 'Python',
    start: () =>
      ServerProcess.start(python, ({ directory, port }) => [
        script,
        ...['--port', String(port)],
        ...['--dir', directory],
      ]),
  })
} else console.log('the Python recorder (or its library websockets) is not here: skipped')

type Sample = { cpuMsPerMb: number; cores: number; rssMb: number; mbS: number; lateMs: number }

const pictures = await scaledClip(options.megabits, options.fps)

async function measure(target: Target, count: number): Promise<Sample> {
  await using server = await target.start()
  const paths: string[] = []
  for (let i = 0; i < count; i += 1)
    paths.push(target.agent ? await server.phonePath(`phone-${i}`) : '/android-cam')
  await using phones = await PhoneCrowd.start({ port: server.port, paths, pictures, fps: options.fps })
  await sleep(warmS * 1000)
  const [before, bytes, startedMs] = [await server.figures(), phones.sentBytes, performance.now()]
  await sleep(options.seconds * 1000)
  const [after, mb] = [await server.figures(), (phones.sentBytes - bytes) / 1e6]
  const seconds = (performance.now() - startedMs) / 1000
  const cpuS = after.cpuS - before.cpuS
  return {
    cpuMsPerMb: (cpuS * 1000) / mb,
    cores: cpuS / seconds,
    rssMb: after.rssMb,
    mbS: mb / seconds,
    lateMs: phones.lateMs,
  }
}

const counts = [...new Set([1, 10, options.phones])].filter((count) => count >= options.least)
const samples = new Map<string, Sample[]>()
const samplesOf = (name: string, count: number) => samples.get(`${name} ${count}`) ?? []
for (let round = 0; round < options.rounds; round += 1) {
  for (const count of counts) {
    for (const target of rotated(targets, round)) {
      const sample = await measure(target, count)
      samples.set(`${target.name} ${count}`, [...samplesOf(target.name, count), sample])
      console.error(
        `round ${round + 1}, ${count} × ${target.name}: ${short(sample.cpuMsPerMb)} ms of CPU per MB, ${short(sample.mbS)} MB/s, RSS ${short(sample.rssMb)} MB, sender late ${short(sample.lateMs)} ms`,
      )
    }
  }
}

/** In each round the one divided by the other: what shares the machine falls on both. */
const ratios = (name: string, base: string, count: number) =>
  samplesOf(name, count).map(({ cpuMsPerMb }, round) => {
    return cpuMsPerMb / (samplesOf(base, count)[round]?.cpuMsPerMb ?? Number.NaN)
  })
const perStream = (name: string, count: number) =>
  samplesOf(name, count).map(({ rssMb }, round) => {
    return (rssMb - (samplesOf(name, 1)[round]?.rssMb ?? Number.NaN)) / (count - 1)
  })

const rows = counts.flatMap((count) =>
  targets.map(({ name }) => {
    const own = samplesOf(name, count)
    return [
      String(count),
      name,
      spread(own.map(({ cpuMsPerMb }) => cpuMsPerMb)),
      `${short(median(own.map(({ cores }) => cores * 100)))} %`,
      spread(ratios(name, 'bare ws', count)),
      targets.length > 2 ? spread(ratios(name, 'Python', count)) : '–',
      short(mean(own.map(({ rssMb }) => rssMb))),
      count > 1 ? spread(perStream(name, count)) : '–',
    ]
  }),
)
console.log(
  `${options.rounds} rounds of ${options.seconds} s, ${options.megabits} Mb/s and ${options.fps} pictures a second each; median (least–most)\n`,
)
console.log(
  table(
    ['phones', 'server', 'CPU ms per MB', 'of a core', '× bare ws', '× Python', 'RSS MB', 'MB per stream'],
    rows,
  ),
)
