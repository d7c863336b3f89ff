/**
 * What vehicles cost the agent, ring on, some of their channels watched by HTTP-FLV: CPU, memory per channel, and whether
 * anything is lost. The CPU of senders and viewers is not counted.
 *   node bench/vehicles.bench.ts [--vehicles 200] [--channels 2] [--watched 100] [--kilobits 500] [--fps 15] [--rounds 3] [--seconds 20] [--sound 0]
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../test/support/modules.ts'
import { freePort } from '../test/support/program.ts'
import { numbers, short, spread, table } from './support/figures.ts'
import { FlvViewer } from './support/flv-viewer.ts'
import { readMark, scaledClip } from './support/scaled-clip.ts'
import { ServerProcess } from './support/server-process.ts'
import { VehicleCrowd } from './support/vehicle-crowd.ts'

const options = numbers({
  ...{ vehicles: 200, channels: 2, watched: 100, kilobits: 500, fps: 15, rounds: 3, seconds: 20, sound: 0 },
})
const warmS = 20 // Until then code is still being compiled, and GOP caches fill.
const soundKilobits = 64
const takenName = 'edgereel_vehicle_packets_total'

const hasSound = options.sound > 0
const pictures = await scaledClip((options.kilobits - (hasSound ? soundKilobits : 0)) / 1000, options.fps)

type Sample = {
  vehicles: number
  watched: number
  cores: number
  cpuMsPerMb: number
  rssMb: number
  mbS: number
  lateMs: number
  missingPackets: number
  missingPictures: number
  gaps: number
  skips: number
}

async function startAgent(): Promise<{ server: ServerProcess; port: number }> {
  const port = await freePort()
  const file = join(await mkdtemp(join(tmpdir(), 'edgereel-bench-config-')), 'config.yaml')
  await writeFile(
    file,
    `ring: { quota: 20GB }\nrtmp: { port: null }\ngrpc: { port: null }\nvehicles: { live: { port: ${port} } }\n`,
  )
  const server = await ServerProcess.start(process.execPath, ({ directory, port: http }) => [
    join(repository, 'agent/main.ts'),
    ...['--data', directory, '--port', String(http), '--config', file],
  ])
  return { server, port }
}

/** The sum over its label sets, or undefined where it is not there. */
async function metrics(server: ServerProcess): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
  return (name) => {
    const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))]
    return lines.reduce((sum, [, value]) => sum + Number(value), 0)
  }
}

async function measure(vehicles: number, watched: number): Promise<Sample> {
  const { server, port } = await startAgent()
  await using _ = server
  const { channels, fps } = options
  await using crowd = await VehicleCrowd.start({ port, vehicles, channels, pictures, fps, hasSound })
  await sleep(3000) // All are known.
  const token = await server.adminToken()
  const viewers: FlvViewer[] = []
  let missingPictures = 0
  for (const stream of crowd.streams.slice(0, watched)) {
    let last: number | undefined
    const check = (tag: Uint8Array) => {
      const number = readMark(tag)
      if (number === undefined) return
      missingPictures += Math.max(0, number - (last ?? number - 1) - 1)
      last = number
    }
    viewers.push(await FlvViewer.open({ port: server.port, path: `/live/${stream}.flv`, token }, check))
  }
  await sleep(warmS * 1000)
  const [before, bytes, startedMs] = [await server.figures(), crowd.sentBytes, performance.now()]
  crowd.lateMs = 0
  await sleep(options.seconds * 1000)
  const [after, mb] = [await server.figures(), (crowd.sentBytes - bytes) / 1e6]
  const seconds = (performance.now() - startedMs) / 1000
  const lateMs = crowd.lateMs
  await crowd.stop()
  let read = await metrics(server)
  for (let tries = 0; tries < 60 && read(takenName) < crowd.sentPackets; tries += 1) {
    await sleep(500)
    read = await metrics(server)
  }
  for (const viewer of viewers) viewer[Symbol.dispose]()
  const cpuS = after.cpuS - before.cpuS
  return {
    ...{ vehicles, watched, lateMs },
    cores: cpuS / seconds,
    cpuMsPerMb: (cpuS * 1000) / mb,
    rssMb: after.rssMb,
    mbS: mb / seconds,
    missingPackets: crowd.sentPackets - read(takenName),
    missingPictures,
    gaps: read('edgereel_stream_gaps_total') + read('edgereel_vehicle_lost_packets_total'),
    skips: read('edgereel_viewer_skips_total'),
  }
}

const few = Math.max(1, Math.round(options.vehicles / 10))
const runs = [
  { vehicles: few, watched: 0 },
  { vehicles: options.vehicles, watched: 0 },
  { vehicles: options.vehicles, watched: options.watched },
]
const samples: Sample[] = []
for (let round = 0; round < options.rounds; round += 1) {
  for (const { vehicles, watched } of runs) {
    const sample = await measure(vehicles, watched)
    samples.push(sample)
    console.error(`round ${round + 1}: ${JSON.stringify(sample)}`)
  }
}

const of = (run: (typeof runs)[number]) =>
  samples.filter(({ vehicles, watched }) => vehicles === run.vehicles && watched === run.watched)
const perChannelMb = (run: (typeof runs)[number]) =>
  of(run).map(({ rssMb }, round) => {
    const least = of({ vehicles: few, watched: 0 })[round]?.rssMb ?? Number.NaN
    return (rssMb - least) / ((run.vehicles - few) * options.channels)
  })
console.log(
  `${options.rounds} rounds of ${options.seconds} s, ${options.channels} channels of ${options.kilobits} kb/s and ${options.fps} pictures a second each${hasSound ? ', with sound' : ''}; median (least–most)\n`,
)
console.log(
  table(
    [
      'vehicles',
      'channels',
      'watched',
      'MB/s',
      'CPU ms per MB',
      'of a core',
      'RSS MB',
      'MB per channel',
      'packets missing',
      'gaps',
      'pictures missing',
      'sender late ms',
    ],
    runs.map((run) => {
      const own = of(run)
      const total = (read: (sample: Sample) => number) =>
        String(own.reduce((all, sample) => all + read(sample), 0))
      return [
        String(run.vehicles),
        String(run.vehicles * options.channels),
        String(run.watched),
        spread(own.map(({ mbS }) => mbS)),
        spread(own.map(({ cpuMsPerMb }) => cpuMsPerMb)),
        `${spread(own.map(({ cores }) => cores * 100))} %`,
        spread(own.map(({ rssMb }) => rssMb)),
        run.vehicles === few ? '–' : spread(perChannelMb(run)),
        total(({ missingPackets }) => missingPackets),
        total(({ gaps }) => gaps),
        total(({ missingPictures, skips }) => missingPictures + skips),
        short(Math.max(...own.map(({ lateMs }) => lateMs))),
      ]
    }),
  ),
)
