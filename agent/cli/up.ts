import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createLog } from '../../shared/node/log.ts'
import { stopSignal } from '../../shared/node/stop-signal.ts'
import { type Config, dataDirectory, readConfig } from '../config.ts'
import { readEnrolment } from '../enrolment.ts'
import { Child, type Ready } from './child.ts'
import { runDemo } from './demo.ts'
import { demoCamera } from './demo-camera.ts'
import { openKeyboard } from './keyboard.ts'
import { inLanguage } from './words.ts'

export type UpOptions = {
  data?: string
  config?: string
  port?: string
  lan?: boolean
  tls?: boolean
  demo?: boolean
}

// Jobs stream: with a small young generation their memory stays lower (an 8 h export: 187 to 212 MB).
// The agent: what is young there is mostly kept by a GOP cache (100 streams: 414 to 326 MB, docs/performance.md).
const nodeArgs = { agent: ['--max-semi-space-size=4'], cloud: ['--max-semi-space-size=4'] }
// glibc gives each of a dozen threads a heap of its own, and each keeps the most that it ever held.
const heaps = { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '2' }

/**
 * The supervisor of an agent and its local cloud. Either may die and is started again without the other's loss.
 * Prints `ready <address>` once both listen. Resolves with the exit code.
 */
export async function up(options: UpOptions): Promise<number> {
  const log = createLog('up')
  // Whoever reads the output may go (`up | head`): recording goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const data = resolve(dataDirectory(options.data))
  const config = await readConfig(options.config, await readEnrolment(data))
  await prepare(data)

  const signal = stopSignal()
  const fatal = Promise.withResolvers<number>()
  const agentReady = Promise.withResolvers<Ready>()
  const cloudReady = Promise.withResolvers<Ready>()
  await using children = new AsyncDisposableStack()

  const camera = options.demo ? children.use(await demoCamera()) : undefined
  const childOf = (name: 'agent' | 'cloud', module: string, ready: PromiseWithResolvers<Ready>) =>
    new Child({
      name,
      module,
      args: name === 'cloud' ? cloudArguments(data, config) : agentArguments(data, options, camera?.address),
      nodeArgs: nodeArgs[name],
      // Types are stripped and code is compiled once: half of a start, and 25 MB of each process.
      env: { NODE_COMPILE_CACHE: join(data, 'compile-cache'), ...heaps },
      log,
      onReady: ready.resolve,
      onFatal: fatal.resolve,
    })

  // The agent first: it takes the lock of the data directory. Closed last in, first out: the cloud outlives
  // the agent, so that what the agent seals while it stops can still be told to it.
  const agent = childOf('agent', 'agent/main.ts', agentReady)
  const stopped = once(signal, 'abort').then(() => 0)
  const started = await Promise.race([agentReady.promise, fatal.promise, stopped])
  if (config.cloud.api === 'local' && typeof started !== 'number') {
    children.use(childOf('cloud', 'cloud/local/main.ts', cloudReady))
  } else cloudReady.resolve({ ready: true })
  children.use(agent)
  if (typeof started === 'number') return started

  const both = await Promise.race([cloudReady.promise, fatal.promise, stopped])
  if (typeof both === 'number') return both
  process.stdout.write(`ready ${started.page}\n`)
  const port = started.port ?? config.http.port
  if (process.stdin.isTTY) children.use(await openKeyboard({ data, port: String(port) }))
  if (options.demo) {
    const demo = runDemo({
      data,
      port,
      lan: options.lan ?? config.http.lan,
      signal,
    })
    demo.catch((error: unknown) => log.error({ err: error }, 'the demonstration ended'))
  }
  const code = await Promise.race([fatal.promise, stopped])
  log.info(inLanguage({ en: 'stopping: sealing what is open', zh: '正在停止：封存未完成的片段' }))
  return code
}

function agentArguments(data: string, { config, port, lan, tls }: UpOptions, camera?: string): string[] {
  return [
    ...['--data', data],
    ...(config ? ['--config', resolve(config)] : []),
    ...(port ? ['--port', port] : []),
    ...(lan ? ['--lan'] : []),
    ...(tls ? ['--tls'] : []),
    ...(camera === undefined ? [] : ['--demo-camera', camera]),
  ]
}

/** The cloud does not read the agent's file: it is told what of it is its own. */
export function cloudArguments(data: string, { cloud: { keepDays } }: Config): string[] {
  return ['--data', data, ...(keepDays === null ? [] : ['--keep-days', String(keepDays)])]
}

/** The directory and the secret by which agent and cloud on one PC know each other. */
async function prepare(data: string): Promise<void> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const path = join(data, 'internal.token')
  const known = await readFile(path, 'utf8').catch(() => '')
  if (known.trim().length >= 32) return
  await writeFile(path, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  await chmod(path, 0o600)
}
