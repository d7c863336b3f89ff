import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { AppError } from '../../shared/error.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { tuneHeap } from '../../shared/node/heap.ts'
import { createLog } from '../../shared/node/log.ts'
import { socketPath } from '../../shared/node/socket-path.ts'
import { stopSignal } from '../../shared/node/stop-signal.ts'
import { createApi } from '../api/app.ts'
import { handlers } from '../jobs/handlers.ts'
import { dayMs } from '../rows/keys.ts'
import { openLocalCloud } from './local-cloud.ts'
import { lookAtMachine } from './machine.ts'
import { startWorkers } from './worker.ts'

tuneHeap({ growPercent: 30, isPrompt: false }) // Jobs stream: nothing here is in a hurry, and an export of eight hours is to stay below 200 MB.

const { values } = parseArgs({ options: { data: { type: 'string' }, 'keep-days': { type: 'string' } } })

const exit = { done: 0, failed: 1, wrongUse: 2, alreadyRunning: 3 }
const politeness = 10 // Live and recording come first on this machine.
const log = createLog('cloud')
const clock = systemClock

process.exitCode = await run().catch((cause: unknown) => {
  const error = AppError.from(cause)
  process.stderr.write(`edgereel: ${error.message}\n`)
  return error.kind === 'AlreadyExists' ? exit.alreadyRunning : exit.failed
})
process.exit()

/** Until a signal. The job at work is given back to its queue and done again at the next start. */
async function run(): Promise<number> {
  if (values.data === undefined) throw new AppError('InvalidArgument', 'the cloud needs --data DIR')
  const { data } = values
  const signal = stopSignal()
  setPriority(politeness)
  const path = socketPath(data, 'cloud')
  await takeSocket(path)
  const internalToken = (await readFile(join(data, 'internal.token'), 'utf8').catch(() => '')).trim()

  await using stack = new AsyncDisposableStack()
  const cloud = stack.use(await openLocalCloud({ dir: data, clock }))
  const { store, catalogue, queue } = cloud
  const ports = { store, catalogue, queue, clock }
  const keep = keepMs(values['keep-days'])
  stack.use(startWorkers({ ports, handlers, clock, keepMs: keep, onError: tellJob }))
  const api = createApi({
    ...ports,
    ...(internalToken ? { internalToken } : {}),
    machine: () => lookAtMachine(data),
    onError: (error, requestId) => log.error({ err: error, requestId }, 'a request failed'),
  })
  const answer = (request: Request) =>
    new URL(request.url).pathname.startsWith('/store/') ? cloud.storeRoute(request) : api.fetch(request)
  const server = createServer(getRequestListener(answer, { overrideGlobalObjects: false }))
  server.requestTimeout = 0 // A large download to a slow reader takes long.
  server.listen(path)
  await once(server, 'listening')
  stack.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  if (process.send) process.send({ ready: true })
  log.info('ready')
  if (!signal.aborted) await once(signal, 'abort')
  return exit.done
}

/** Whole days; undefined: what is archived stays until someone deletes it. */
function keepMs(days: string | undefined): number | undefined {
  if (days === undefined) return undefined
  if (/^[1-9]\d{0,4}$/.test(days)) return Number(days) * dayMs
  throw new AppError('InvalidArgument', '--keep-days is a number of whole days, 1 or more')
}

/** A socket file outlives a killed process: it is only in use when somebody answers. */
async function takeSocket(path: string): Promise<void> {
  const probe = connect(path)
  const answered = await Promise.race([
    once(probe, 'connect').then(() => true),
    once(probe, 'error').then(() => false),
  ]).catch(() => false)
  probe.destroy()
  if (answered) throw new AppError('AlreadyExists', `a cloud already runs on ${values.data}: stop it first`)
  if (process.platform !== 'win32') await rm(path, { force: true })
}

type JobFailure = Parameters<Parameters<typeof startWorkers>[0]['onError']>[0]

function tellJob({ queue, error, final }: JobFailure): void {
  if (final) log.error({ queue, err: error }, 'a job failed for ever; its message is a dead letter')
  else log.warn({ queue, err: error }, 'a job failed and is tried again')
}
