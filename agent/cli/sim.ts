import { once } from 'node:events'
import { createLog } from '../../shared/node/log.ts'
import { stopSignal } from '../../shared/node/stop-signal.ts'
import { simPhone } from '../sim/phone.ts'
import { simRtmp } from '../sim/rtmp.ts'
import { simRtsp } from '../sim/rtsp.ts'
import { wholeOption } from './option.ts'
import { failure } from './words.ts'

export type SimOptions = {
  url: string
  token?: string
  file?: string
  clock: string
  fps?: string
  model?: string
  count: string
  once?: boolean
}

export type SimRtspOptions = {
  port: string
  stillsPort?: string
  host: string
  user?: string
  password?: string
  auth: string
  file?: string
  clock: string
  fps?: string
}

const phonesMax = 200 // One PC's worth: a load test, not an attack.

/** `edgereel sim phone`: one or many phones, until Ctrl-C or, with `--once`, until each has played its file. */
export async function simulatePhone(options: SimOptions): Promise<void> {
  const count = wholeOption('--count', options.count, 1, phonesMax)
  const fps = options.fps === undefined ? {} : { fps: wholeOption('--fps', options.fps, 1, 240) }
  const clock = clockOf(options.clock)
  const log = createLog('sim')
  const signal = stopSignal()
  const phones = Array.from({ length: count }, (_, n) =>
    simPhone({
      url: options.url,
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.file === undefined ? {} : { file: options.file }),
      ...fps,
      clock,
      model: `${options.model ?? 'sim-phone'}${count > 1 ? `-${n + 1}` : ''}`,
      once: options.once ?? false,
      signal,
      log: (message) => log.info(message),
    }),
  )
  await Promise.all(phones)
}

/** `edgereel sim rtmp`: an encoder that pushes a file or the built-in clip. */
export async function simulateRtmp(options: SimOptions): Promise<void> {
  const { url, token, file } = options
  const fps = options.fps === undefined ? {} : { fps: wholeOption('--fps', options.fps, 1, 240) }
  const log = createLog('sim')
  await simRtmp({
    url,
    ...(token === undefined ? {} : { token }),
    ...(file === undefined ? {} : { file }),
    ...fps,
    clock: clockOf(options.clock),
    once: options.once ?? false,
    signal: stopSignal(),
    log: (message) => log.info(message),
  })
}

/** `edgereel sim rtsp`: an IP camera, until Ctrl-C. Its addresses are the lines on stdout: RTSP, then with its stills. */
export async function simulateRtsp(options: SimRtspOptions): Promise<void> {
  const { host, file, user, password = '' } = options
  const fps = options.fps === undefined ? {} : { fps: wholeOption('--fps', options.fps, 1, 240) }
  const login = user === undefined ? {} : { login: { user, password, algorithm: algorithmOf(options.auth) } }
  const port = wholeOption('--port', options.port, 0, 65_535)
  const stillsPort = wholeOption('--stills-port', options.stillsPort ?? String(port && port + 1), 0, 65_535)
  const signal = stopSignal()
  await using camera = await simRtsp({
    ...{ host, port, stillsPort, clock: clockOf(options.clock) },
    ...(file === undefined ? {} : { file }),
    ...fps,
    ...login,
  })
  process.stdout.write(`${[camera.url, camera.vendorUrl('hik'), camera.vendorUrl('dahua')].join('\n')}\n`)
  if (!signal.aborted) await once(signal, 'abort')
}

function algorithmOf(text: string): 'MD5' | 'SHA-256' | 'Basic' {
  if (text === 'MD5' || text === 'SHA-256' || text === 'Basic') return text
  throw failure('InvalidArgument', {
    en: '--auth is MD5, SHA-256 or Basic',
    zh: '--auth 只能是 MD5、SHA-256 或 Basic',
  })
}

function clockOf(clock: string): 'boot' | 'epoch' {
  if (clock === 'boot' || clock === 'epoch') return clock
  throw failure('InvalidArgument', { en: '--clock is boot or epoch', zh: '--clock 只能是 boot 或 epoch' })
}
