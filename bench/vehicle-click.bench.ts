/**
 * From a click to the first picture of a vehicle that nobody watched: the request, the command in a real Redis, a platform
 * with its vehicle that answers after 50 ms, its connection, its first key frame, the first FLV video tag at the viewer.
 * The simulated vehicle begins with a key frame, so that none is waited for.
 *   node bench/vehicle-click.bench.ts [--clicks 30] [--answer 50]
 */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { simPlatform } from '../agent/sim/vehicle-platform.ts'
import { repository } from '../test/support/modules.ts'
import { freePort } from '../test/support/program.ts'
import { RedisServer } from '../test/support/redis-server.ts'
import { numbers, quantile, short, spread, table } from './support/figures.ts'
import { FlvViewer } from './support/flv-viewer.ts'
import { ServerProcess } from './support/server-process.ts'

const options = numbers({ ...{ clicks: 30, answer: 50 } })
const avcPicture = 1 // Of an FLV video tag: not a configuration.

await using redis = await RedisServer.start()
const port = await freePort()
const file = join(await mkdtemp(join(tmpdir(), 'edgereel-bench-config-')), 'config.yaml')
await writeFile(
  file,
  `rtmp: { port: null }\ngrpc: { port: null }\nvehicles: { live: { port: ${port} }, publicHost: 127.0.0.1, commands: { redis: "${redis.url}" } }\n`,
)
await using server = await ServerProcess.start(process.execPath, ({ directory, port: http }) => [
  join(repository, 'agent/main.ts'),
  ...['--data', directory, '--port', String(http), '--config', file],
])
const stop = new AbortController()
const told: number[] = []
const platform = simPlatform({
  ...{ redis: redis.url, version: 2016, sound: 'g711a', clock: 'boot', delayMs: options.answer },
  signal: stop.signal,
  onCommand: ({ commandId }) => {
    if (commandId === '9101') told.push(performance.now())
  },
})

type Click = { toCommandMs: number; toPictureMs: number }

const token = (await readFile(join(server.directory, 'admin.token'), 'utf8')).trim()

async function click(sim: number): Promise<Click> {
  const path = `/live/${String(sim).padStart(12, '0')}01.flv`
  const count = told.length
  const begun = performance.now()
  const shown = Promise.withResolvers<number>()
  using _ = await FlvViewer.open({ port: server.port, path, token }, (body) => {
    if (body[1] === avcPicture) shown.resolve(performance.now() - begun)
  })
  const toPictureMs = await shown.promise
  return { toCommandMs: (told[count] ?? Number.NaN) - begun, toPictureMs }
}

for (let i = 1; i <= 5; i += 1) await click(900_000 + i) // Until then code is being compiled.
const clicks: Click[] = []
for (let i = 1; i <= options.clicks; i += 1) clicks.push(await click(i))
const row = (name: string, values: number[]) => [name, spread(values), short(quantile(values, 0.95))]
console.log(
  table(
    ['', 'median (least–most), ms', '95th percentile, ms'],
    [
      row(
        'click → command at the platform',
        clicks.map(({ toCommandMs }) => toCommandMs),
      ),
      row(
        `click → first picture; the vehicle answers after ${options.answer} ms`,
        clicks.map(({ toPictureMs }) => toPictureMs),
      ),
    ],
  ),
)
stop.abort()
await platform
