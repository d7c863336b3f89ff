/**
 * Live viewers, beside Node-Media-Server and a C server that does nothing else: writes the targets for the harness of
 * ../shared/bench and runs it. HARNESS is a copy of it in which `make`, `sh make-media.sh` and
 * `npm i --prefix peers node-media-server@4.4.3` have been run.
 *   node bench/fanout.bench.ts HARNESS fanout --n 500 --base nms [--proto http|ws|rtmp] [--rounds 3 --dur 6 --warm 3]
 *   node bench/fanout.bench.ts HARNESS streams --streams 100 | join --n 60 | slow --n 40
 * As `up` starts it: with its options of Node, its cache of compiled code filled.
 * Targets: edgereel (as installed: it records), `live` (records nothing), `merge100` and `merge350`,
 * `workers1` and `workers2` (as `live`), nms, C-av.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { repository } from '../test/support/modules.ts'
import { freePort } from '../test/support/program.ts'

const [harness, ...scenario] = process.argv.slice(2)
if (!harness || scenario.length === 0) throw new Error('usage: node bench/fanout.bench.ts HARNESS SCENARIO …')

const program = join(repository, 'agent/main.ts')
const directory = await mkdtemp(join(tmpdir(), 'edgereel-fanout-'))
const data = join(directory, 'data')
await mkdir(data)

const noRing = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`s${i}`, { ring: 'off' }]))
const configs = {
  edgereel: {},
  live: { streams: noRing },
  merge100: { streams: noRing, live: { mergeMs: 100 } },
  merge350: { streams: noRing, live: { mergeMs: 350 } },
  workers1: { streams: noRing, live: { workers: 1 } },
  workers2: { streams: noRing, live: { workers: 2 } },
}

/** JSON is YAML. */
async function writeConfig(name: string, config: object, ports: { http: number; rtmp: number }) {
  const path = join(directory, `${name}.yaml`)
  const doors = { http: { port: ports.http }, rtmp: { port: ports.rtmp }, grpc: { port: null } }
  await writeFile(path, JSON.stringify({ ...doors, ...config }))
  return path
}

/** The first start makes the admin's token, which opens every stream from this machine. */
async function adminToken(config: string): Promise<string> {
  const child = spawn(process.execPath, [program, '--data', data, '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(data, 'compile-cache') },
  })
  await once(child.stdout, 'data')
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
  return (await readFile(join(data, 'admin.token'), 'utf8')).trim()
}

const urls = (http: number, rtmp: number, query: string) => ({
  publish: `rtmp://127.0.0.1:${rtmp}/live/s%d${query}`,
  play: {
    http: `http://127.0.0.1:${http}/live/s%d.flv${query}`,
    ws: `ws://127.0.0.1:${http}/live/s%d.flv${query}`,
    rtmp: `rtmp://127.0.0.1:${rtmp}/live/s%d${query}`,
  },
})

async function ours() {
  const ports = { http: await freePort(), rtmp: await freePort() }
  const entries = Object.entries(configs)
  const paths = await Promise.all(entries.map(([name, config]) => writeConfig(name, config, ports)))
  const token = await adminToken(paths[0] ?? '')
  return entries.map(([name], i) => ({
    name,
    start: ['node', '--max-semi-space-size=4', program, '--data', data, '--config', paths[i]],
    env: { NODE_COMPILE_CACHE: join(data, 'compile-cache'), MALLOC_ARENA_MAX: '2' }, // As `up` starts it.
    port: ports.http,
    ...urls(ports.http, ports.rtmp, `?token=${token}`),
  }))
}

async function nodeMediaServer() {
  const [http, rtmp] = [await freePort(), await freePort()]
  const config = join(directory, 'nms.json')
  const jwt = { secret: directory, expiresIn: '1h', refreshExpiresIn: '1h', algorithm: 'HS256', users: [] }
  await writeFile(
    config,
    JSON.stringify({
      bind: '127.0.0.1',
      notify: { url: '' },
      store: { path: join(directory, 'nms'), maxHistory: 100 },
      auth: { play: false, publish: false, secret: '', jwt },
      record: { auto: false, path: join(directory, 'nms-record') },
      ...{ rtmp: { port: rtmp }, http: { port: http } },
    }),
  )
  const start = ['node', '{here}/peers/node_modules/node-media-server/bin/app.js', '-c', config]
  return { name: 'nms', start, cwd: directory, port: rtmp, ...urls(http, rtmp, '') }
}

async function cLimit() {
  const port = await freePort()
  const start = ['{here}/bin/cfanout', '--file', '{media}', '--port', String(port), '--av']
  return { name: 'C-av', start, port, play: { http: `http://127.0.0.1:${port}/s%d.flv` } }
}

const targets = join(directory, 'targets.json')
await writeFile(targets, JSON.stringify([...(await ours()), await nodeMediaServer(), await cLimit()]))
const bench = spawn(
  process.execPath,
  [join(resolve(harness), 'bench.mjs'), ...scenario, '--targets', targets],
  {
    stdio: 'inherit',
  },
)
const [code] = await once(bench, 'exit')
await rm(directory, { recursive: true, force: true })
process.exitCode = code ?? 1
