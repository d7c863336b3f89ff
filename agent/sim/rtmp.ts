import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { rtmpSetupMs } from '../../shared/limits.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { parseRtmpUrl } from '../protocol/rtmp/address.ts'
import { chunked } from '../protocol/rtmp/chunk-writer.ts'
import { type ClientEvent, ClientSession } from '../protocol/rtmp/client-session.ts'
import { loadRtmpFootage, type RtmpFootage } from './rtmp-footage.ts'

export type SimRtmpOptions = {
  /** `rtmp://host/app/name[?token=…]`. */
  url: string
  token?: string
  /** .flv, .mp4 or H.264; the built-in clip otherwise. */
  file?: string
  /** Pictures a second of a file that has no times. */
  fps?: number
  /** What its stamps count from; `boot`: an hour, so that nothing works only because they begin at 0. */
  clock?: 'boot' | 'epoch'
  /** As many times faster than time; the stamps keep the true spacing. */
  speed?: number
  /** Sends the file once, and ends. */
  once?: boolean
  /** For servers that insist on the handshake with digests. */
  digest?: boolean
  signal: AbortSignal
  log?: (message: string) => void
  time?: Clock
}

const bootedMs = 3_600_000 // The simulated encoder was switched on an hour ago.
const retryMs = 1000

/** An encoder that is not there. Resolves when aborted, or with `once` when the file was sent. */
export async function simRtmp(options: SimRtmpOptions): Promise<void> {
  const { signal, log = () => undefined, time = systemClock } = options
  const footage = await loadRtmpFootage(options.file, options.fps)
  if (footage.complaint !== undefined) log(footage.complaint)
  const zeroMs = options.clock === 'epoch' ? time.nowMs() : bootedMs
  const startedMs = time.monotonicMs()
  while (!signal.aborted) {
    try {
      await using encoder = await Encoder.connect(options, log)
      await encoder.film(footage, { zeroMs, startedMs }, time)
      return
    } catch (cause) {
      if (signal.aborted) return
      log(`connection lost, trying again: ${AppError.from(cause).message}`)
    }
    await time.sleep(retryMs, signal).catch(() => undefined)
  }
}

type Zero = { zeroMs: number; startedMs: number }

/** One connection. */
class Encoder implements AsyncDisposable {
  readonly #options: SimRtmpOptions
  readonly #socket: Socket
  readonly #session: ClientSession
  readonly #ready = Promise.withResolvers<void>()
  readonly #failed = new AbortController()

  private constructor(options: SimRtmpOptions, socket: Socket, session: ClientSession) {
    this.#options = options
    this.#socket = socket
    this.#session = session
    this.#ready.promise.catch(() => undefined)
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      for (const event of session.push(bytes)) this.#handle(event)
    })
    socket.on('error', (error) => this.#fail(new AppError('Unavailable', error.message)))
    socket.on('close', () => this.#fail(new AppError('Unavailable', 'the server closed the connection')))
    socket.on('connect', () => socket.write(session.begin()))
  }

  static async connect(options: SimRtmpOptions, log: (message: string) => void): Promise<Encoder> {
    const url = parseRtmpUrl(withToken(options))
    const session = new ClientSession({ url, mode: 'publish', digest: options.digest ?? false })
    const encoder = new Encoder(options, connect(url.port, url.host), session)
    const timer = setTimeout(() => encoder.#fail(new AppError('DeadlineExceeded', 'no answer')), rtmpSetupMs)
    const onAbort = () => encoder.#fail(new AppError('Cancelled', 'stopped'))
    options.signal.addEventListener('abort', onAbort)
    encoder.#socket.once('close', () => options.signal.removeEventListener('abort', onAbort))
    if (options.signal.aborted) onAbort()
    await encoder.#ready.promise.finally(() => clearTimeout(timer))
    log('publishing')
    return encoder
  }

  /** Each tag at its time, round after round. */
  async film({ tags, durationMs }: RtmpFootage, { zeroMs, startedMs }: Zero, time: Clock): Promise<void> {
    const { speed = 1, once: single } = this.#options
    const { signal } = this.#failed
    const begunMs = time.monotonicMs()
    for (let roundMs = 0; !signal.aborted; roundMs += durationMs) {
      for (const { kind, timestampMs, body } of tags) {
        const waitMs = begunMs + (roundMs + timestampMs) / speed - time.monotonicMs()
        if (waitMs > 0) await time.sleep(waitMs, signal)
        const stampMs = Math.round(zeroMs + (begunMs - startedMs) * speed) + roundMs + timestampMs
        await this.#write(chunked(this.#session.message(kind, stampMs, body)))
      }
      if (single) return
    }
    signal.throwIfAborted()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) {
      const closed = once(this.#socket, 'close')
      this.#socket.end(this.#session.end())
      const timer = setTimeout(() => this.#socket.destroy(), retryMs)
      await closed.finally(() => clearTimeout(timer))
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { signal } = this.#failed
    signal.throwIfAborted()
    if (!this.#socket.write(bytes)) await once(this.#socket, 'drain', { signal })
  }

  #handle(event: ClientEvent): void {
    if (event.kind === 'send') this.#socket.write(event.bytes)
    else if (event.kind === 'ready') this.#ready.resolve()
    else if (event.kind === 'failed') this.#fail(event.error)
  }

  #fail(error: AppError): void {
    this.#ready.reject(error)
    this.#failed.abort(error)
    this.#socket.destroy()
  }
}

function withToken({ url, token }: SimRtmpOptions): string {
  if (token === undefined) return url
  return `${url}${url.includes('?') ? '&' : '?'}token=${token}`
}
