import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '../shared/error.ts'
import { systemClock } from '../shared/node/clock.ts'
import { tuneHeap } from '../shared/node/heap.ts'
import { createLog } from '../shared/node/log.ts'
import { stopSignal } from '../shared/node/stop-signal.ts'
import { type Config, dataDirectory, readConfig } from './config.ts'
import { withDemoCamera } from './demo-camera.ts'
import { doorInfo } from './door-info.ts'
import { readEnrolment } from './enrolment.ts'
import { startAgent } from './start.ts'

tuneHeap({ growPercent: 60, isPrompt: true }) // Viewers wait for it, and memory goes with the streams.

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    config: { type: 'string' },
    port: { type: 'string' },
    lan: { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
    'demo-camera': { type: 'string' }, // Address of the one that `up --demo` simulates on this machine.
  },
})

const exit = { done: 0, failed: 1, wrongUse: 2, alreadyRunning: 3 }
const log = createLog('agent')

/** Until a signal; then all is sealed. Resolves with the exit code. */
async function run(): Promise<number> {
  const signal = stopSignal()
  const fatal = Promise.withResolvers<number>()
  const data = dataDirectory(values.data)
  const config = withOptions(await readConfig(values.config, await readEnrolment(data)))
  await using agent = await startAgent({
    data,
    config,
    clock: systemClock,
    log,
    onFatal: (error) => {
      log.fatal({ err: error }, 'the agent cannot go on')
      fatal.resolve(exit.failed)
    },
  })
  await writeFile(join(data, 'port'), `${agent.port}\n`)
  const scheme = config.http.tls === false ? 'http' : 'https'
  const page = `${scheme}://${doorInfo(config).addresses[0]}${agent.loginPath()}`
  if (process.send) process.send({ ready: true, page, port: agent.port })
  else process.stdout.write(`ready ${page}\n`)
  const stopped = new Promise<number>((resolve) => signal.addEventListener('abort', () => resolve(exit.done)))
  return await Promise.race([stopped, fatal.promise])
}

function withOptions(config: Config): Config {
  const port = values.port === undefined ? config.http.port : Number(values.port)
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new AppError('InvalidArgument', `--port ${values.port} is no port: give a number from 1 to 65535`)
  }
  const tls = config.http.tls || values.tls
  const http = { ...config.http, port, lan: config.http.lan || values.lan, tls }
  const address = values['demo-camera']
  return address === undefined ? { ...config, http } : withDemoCamera({ ...config, http }, address)
}

process.exitCode = await run().catch((cause: unknown) => {
  const error = AppError.from(cause)
  process.stderr.write(`edgereel: ${error.message}\n`)
  if (error.kind === 'AlreadyExists') return exit.alreadyRunning
  return error.kind === 'InvalidArgument' || error.kind === 'FailedPrecondition' ? exit.wrongUse : exit.failed
})
process.exit()
