import { connect, type Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { forwardEndMs, rtmpSetupMs, soundAheadMs } from '../../shared/limits.ts'
import { encodeAmf0 } from '../../shared/media/amf0.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { RtmpUrl } from '../protocol/rtmp/address.ts'
import { type ClientEvent, ClientSession } from '../protocol/rtmp/client-session.ts'
import { schedule } from './flush-timer.ts'
import type { PlayStream } from './flv.ts'
import { FlvFeed } from './flv-feed.ts'
import { packingOf } from './rtmp.ts'
import type { ViewerEnd } from './viewer.ts'
import { writeAll } from './write-all.ts'

export type PushStream = Pick<PlayStream, 'startedAtMs' | 'subscribe'>
export type PushFigures = { bytes: number; skips: number; skippedBytes: number }

export type PushOptions = {
  stream: PushStream
  url: RtmpUrl
  clock: Clock
  figures: PushFigures
  /** The server takes it. */
  onLive: () => void
  signal: AbortSignal
}

const setDataFrame = encodeAmf0('@setDataFrame') // What a publisher says before its metadata.

/**
 * Publishes a stream to another server until the stream is over or the signal says stop; any other end rejects.
 * The server is a viewer like others: from a key frame on, bounded, whole GOPs are lost when it does not keep up.
 */
export async function pushOnce(options: PushOptions): Promise<void> {
  const { url, clock, signal } = options
  signal.throwIfAborted()
  const socket = connect({ host: url.host, port: url.port, noDelay: true })
  const push = new Push(socket, options)
  const setup = new AbortController()
  clock.sleep(rtmpSetupMs, setup.signal).then(
    () => push.late(),
    () => undefined, // It is over.
  )
  const stop = () => push.stop()
  signal.addEventListener('abort', stop)
  try {
    await push.ended
  } finally {
    setup.abort()
    signal.removeEventListener('abort', stop)
    socket.destroy()
  }
}

/** One connection. It throws nothing: whatever happens settles `ended`. */
class Push {
  readonly ended: Promise<void>
  readonly #settle: PromiseWithResolvers<void>
  readonly #socket: Socket
  readonly #options: PushOptions
  readonly #session: ClientSession
  #feed: FlvFeed | undefined
  #subscription: Disposable | undefined
  #saidGoodbye = false

  constructor(socket: Socket, options: PushOptions) {
    this.#socket = socket
    this.#options = options
    this.#session = new ClientSession({ url: options.url, mode: 'publish' })
    this.#settle = Promise.withResolvers()
    this.ended = this.#settle.promise.finally(() => this.#subscription?.[Symbol.dispose]())
    socket.on('connect', () => socket.write(this.#session.begin()))
    socket.on('data', (bytes: Buffer) => {
      for (const event of this.#session.push(bytes)) this.#handle(event)
    })
    socket.on('error', (cause) => this.#fail('the server cannot be reached', cause))
    socket.on('close', () => {
      if (this.#saidGoodbye) this.#settle.resolve()
      else this.#fail('the server closed the connection')
    })
  }

  late(): void {
    if (!this.#feed) this.#fail('the server did not answer in time')
  }

  stop(): void {
    if (this.#feed) this.#feed.end('shutdown')
    else this.#settle.resolve()
  }

  #handle(event: ClientEvent): void {
    if (event.kind === 'send') this.#socket.write(event.bytes)
    else if (event.kind === 'ready') this.#begin()
    else if (event.kind === 'ended') this.#fail('the server ended the stream')
    else if (event.kind === 'failed') this.#settle.reject(event.error)
  }

  #begin(): void {
    if (this.#feed) return
    const { stream, clock, figures, onLive } = this.#options
    const feed: FlvFeed = new FlvFeed({
      packing: packingOf(({ kind, timestampMs, parts }) =>
        this.#session.message(kind, timestampMs, ...(kind === 'script' ? [setDataFrame, ...parts] : parts)),
      ),
      startedAtMs: stream.startedAtMs,
      now: () => clock.monotonicMs(),
      schedule,
      mergeMs: 0,
      soundAheadMs,
      figures,
      onViewerEnd: () => undefined,
    })
    this.#feed = feed
    feed.join({
      write: (chunks, done) => writeAll(this.#socket, chunks, done),
      end: (reason) => this.#viewerEnded(reason),
    })
    this.#subscription = stream.subscribe({
      unit: (unit) => {
        if (!feed.write(unit)) feed.end('time-limit')
      },
      end: () => feed.end('ended'),
    })
    onLive()
  }

  #viewerEnded(reason: ViewerEnd): void {
    if (reason === 'ended' || reason === 'shutdown') this.#goodbye()
    else this.#fail(reason === 'stalled' ? 'the server reads nothing any more' : 'the connection is gone')
  }

  /** Says so, behind what is still on its way. */
  #goodbye(): void {
    this.#saidGoodbye = true
    this.#socket.end(this.#session.end())
    const timer = setTimeout(() => this.#socket.destroy(), forwardEndMs)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #fail(message: string, cause?: unknown): void {
    this.#settle.reject(new AppError('Unavailable', message, { cause }))
  }
}
