/**
 * From a phone's picture to a gRPC client (grpc-js, one connection for all streams), beside HTTP-FLV in the same run;
 * and, by the agent's own histogram, from arrival until the picture is with the connection.
 *   node bench/grpc.bench.ts [--rounds 3] [--seconds 8] [--most 50]
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentStats } from '../shared/contract/agent-api.ts'
import { repository } from '../test/support/modules.ts'
import { freePort } from '../test/support/program.ts'
import { mean, numbers, quantile, rotated, short, spread, table } from './support/figures.ts'
import { GrpcRun, type ViewerKind } from './support/grpc-run.ts'
import { scaledClip } from './support/scaled-clip.ts'
import { ServerProcess } from './support/server-process.ts'

const options = numbers({ rounds: 3, seconds: 8, most: 50 })
const fps = 25
const warmS = 8
const megabits = 4
const pictures = await scaledClip(megabits, fps)
const kinds: ViewerKind[] = ['grpc', 'flv']
const figures = ['meanMs', 'p50Ms', 'p99Ms', 'insideP99Ms', 'cpuPercent', 'rssMb'] as const
type Sample = Record<(typeof figures)[number], number>

async function measure(viewer: ViewerKind, streams: number): Promise<Sample> {
  const grpcPort = await freePort()
  const config = join(await mkdtemp(join(tmpdir(), 'edgereel-bench-config-')), 'config.yaml')
  await writeFile(config, JSON.stringify({ grpc: { port: grpcPort }, rtmp: { port: null } }))
  const main = join(repository, 'agent/main.ts')
  await using server = await ServerProcess.start(process.execPath, ({ directory, port }) => [
    main,
    ...['--data', directory, '--port', String(port), '--config', config],
  ])
  await using run = await GrpcRun.start({ server, grpcPort, streams, viewer, pictures, fps })
  await sleep(warmS * 1000)
  run.take()
  const before = await server.figures()
  await sleep(options.seconds * 1000)
  const delaysMs = run.take()
  const after = await server.figures()
  const { live } = await server.api<AgentStats>('stats')
  return {
    meanMs: mean(delaysMs),
    p50Ms: quantile(delaysMs, 0.5),
    p99Ms: quantile(delaysMs, 0.99),
    insideP99Ms: live?.latencyMs.p99 ?? Number.NaN,
    cpuPercent: ((after.cpuS - before.cpuS) / options.seconds / streams) * 100,
    rssMb: after.rssMb,
  }
}

const samples = new Map<string, Sample[]>()
const counts = [1, 10, 50].filter((count) => count <= options.most)
for (let round = 0; round < options.rounds; round += 1) {
  for (const count of counts) {
    for (const kind of rotated(kinds, round)) {
      const sample = await measure(kind, count)
      const key = `${count} ${kind}`
      samples.set(key, [...(samples.get(key) ?? []), sample])
      console.error(key, figures.map((name) => `${name} ${short(sample[name])}`).join(', '))
    }
  }
}
const rows = counts.flatMap((count) =>
  kinds.map((kind) => {
    const own = samples.get(`${count} ${kind}`) ?? []
    return [String(count), kind, ...figures.map((name) => spread(own.map((sample) => sample[name])))]
  }),
)
const heads = ['mean ms', 'p50 ms', 'p99 ms', 'arrival → connection p99 ms', 'CPU % of a core a stream', 'MB']
console.log(
  `${options.rounds} rounds, ${megabits} Mb/s and ${fps} pictures a second; median of the rounds (least–most)\n`,
)
console.log(table(['streams', 'client', ...heads], rows))
