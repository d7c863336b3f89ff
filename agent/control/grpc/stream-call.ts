import { Metadata, type ServerWritableStream } from '@grpc/grpc-js'
import { AppError } from '../../../shared/error.ts'
import { keyFrameWaitMs, viewerStallMs, viewerWriteBytesMax } from '../../../shared/limits.ts'
import type { AccessUnit, CodecConfig } from '../../../shared/media/access-unit.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import { http2StreamOf, resetCall } from './http2-stream.ts'
import type { OpenStreamRequest } from './messages.ts'
import { statusOf } from './status.ts'
import type { UnitEncoder } from './unit-encoder.ts'
import { UnitQueue } from './unit-queue.ts'

/** What a call needs of a stream of the hub. */
export type LiveStream = {
  readonly name: string
  viewers: number
  subscribe(listener: { unit(unit: AccessUnit): void; end(reason: string): void }): Disposable
}

/** Why an open stream ended; each is counted. */
export type StreamCallEnd =
  | 'ended'
  | 'cancelled'
  | 'stalled'
  | 'no-key-frame'
  | 'failed'
  | 'shutdown'
  | 'closed' // Somebody asked for it.

export type StreamCallOptions = {
  call: ServerWritableStream<OpenStreamRequest, never>
  stream: LiveStream
  track: 'video' | 'audio' | undefined
  encoder: UnitEncoder
  clock: Clock
  /** From the arrival of a unit until it is with the connection. */
  onHanded: (latencyMs: number) => void
  onBytes: (sizeBytes: number) => void
  onDropped: (units: number) => void
  onEnd: (reason: StreamCallEnd) => void
  /** Why its camera fails; undefined while it does not. */
  failure: () => AppError | undefined
  keyFrameWaitMs?: number
}

const failureLookMs = 100 // Somebody waits for the answer.

/** One client's way through a stream, from `OpenStream` until either side ends it. */
export class StreamCall {
  readonly #options: StreamCallOptions
  readonly #queue: UnitQueue
  readonly #over = new AbortController()
  readonly #configs = new Map<string, CodecConfig>()
  #subscription: Disposable | undefined
  #isPumping = false
  #hasBegun = false
  #inFlightBytes = 0
  /** When the client last took something, or was given something when it had taken all. */
  #progressMs = 0

  constructor(options: StreamCallOptions) {
    this.#options = options
    this.#queue = new UnitQueue(() => options.clock.monotonicMs())
  }

  start(): void {
    const { call, stream } = this.#options
    call.on('cancelled', () => this.#finish('cancelled'))
    stream.viewers += 1
    this.#over.signal.addEventListener('abort', () => {
      stream.viewers -= 1
    })
    if (call.cancelled) {
      this.#finish('cancelled')
      return
    }
    this.#subscription = stream.subscribe({
      unit: (unit) => this.#take(unit),
      end: (reason) => this.#end(reason),
    })
    this.#waitForKeyFrame().catch(() => undefined) // It ended before.
  }

  get queuedUnits(): number {
    return this.#queue.length
  }

  /** Somebody asked for it. */
  close(): void {
    this.#fail('closed', new AppError('Aborted', 'this session was closed', { zh: '会话已被关闭。' }))
  }

  /** The agent stops. */
  shutdown(): void {
    this.#fail(
      'shutdown',
      new AppError('Unavailable', 'the agent stops: try again', { zh: '服务正在停止。' }),
    )
  }

  #take(unit: AccessUnit): void {
    const { track, clock, onDropped } = this.#options
    if (this.#over.signal.aborted || (track !== undefined && unit.track !== track)) return
    const before = this.#queue.droppedUnits
    this.#queue.push(unit)
    if (this.#queue.droppedUnits > before) onDropped(this.#queue.droppedUnits - before)
    const isStalled = this.#inFlightBytes > 0 && clock.monotonicMs() - this.#progressMs > viewerStallMs
    if (isStalled) this.#stall()
    else this.#schedule()
  }

  // After the hub has handed the unit to everybody, before anything else is read.
  #schedule(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    queueMicrotask(() => {
      this.#isPumping = false
      this.#pump()
    })
  }

  #pump(): void {
    while (!this.#over.signal.aborted && this.#inFlightBytes < viewerWriteBytesMax) {
      const next = this.#queue.shift()
      if (!next) return
      const { unit, dropped } = next
      this.#write(this.#options.encoder.frame(unit, this.#newConfig(unit), dropped))
      this.#handed(unit)
    }
  }

  /**
   * To the HTTP/2 stream itself: grpc-js would copy each frame once more, and with fifty cameras it is the garbage of
   * that which the slowest one of a hundred pictures waits for.
   */
  #write(frame: Uint8Array): void {
    const { call, clock, onBytes } = this.#options
    const stream = http2StreamOf(call)
    if (!stream || stream.destroyed || stream.closed) return
    if (!stream.headersSent) call.sendMetadata(new Metadata())
    if (this.#inFlightBytes === 0) this.#progressMs = clock.monotonicMs()
    this.#inFlightBytes += frame.length
    onBytes(frame.length)
    stream.write(frame, () => {
      this.#inFlightBytes -= frame.length
      this.#progressMs = clock.monotonicMs()
      if (this.#queue.length > 0) this.#schedule()
    })
  }

  #newConfig({ track, config }: AccessUnit): CodecConfig | undefined {
    if (this.#configs.get(track) === config) return undefined
    this.#configs.set(track, config)
    return config
  }

  // The cached GOP, with which a client begins, says nothing about latency.
  #handed({ arrivalMs }: AccessUnit): void {
    if (this.#hasBegun) this.#options.onHanded(this.#options.clock.monotonicMs() - arrivalMs)
    this.#hasBegun ||= this.#queue.length === 0
  }

  async #waitForKeyFrame(): Promise<void> {
    const { clock, failure, keyFrameWaitMs: waitMs = keyFrameWaitMs } = this.#options
    const endMs = clock.monotonicMs() + waitMs
    while (this.#configs.size === 0) {
      await clock.sleep(Math.min(failureLookMs, waitMs), this.#over.signal)
      const error = this.#configs.size === 0 ? failure() : undefined
      if (error) return this.#fail('failed', error)
      if (this.#configs.size === 0 && clock.monotonicMs() >= endMs) return this.#noKeyFrame(waitMs)
    }
  }

  #noKeyFrame(waitMs: number): void {
    const { stream, track } = this.#options
    const [en, zhWhat] = track === 'audio' ? ['sound', '声音'] : ['key frame', '关键帧']
    const words = `stream ${stream.name} has given no ${en} for ${waitMs / 1000} s`
    const zh = `流 ${stream.name} 在 ${waitMs / 1000} 秒内没有${zhWhat}。`
    this.#fail('no-key-frame', new AppError('Unavailable', words, { zh }))
  }

  #stall(): void {
    resetCall(this.#options.call)
    this.#finish('stalled')
  }

  #end(reason: string): void {
    this.#pump() // What fits still goes out before the end.
    const metadata = new Metadata()
    metadata.set('edgereel-end', reason)
    if (this.#finish('ended')) this.#options.call.end(metadata)
  }

  #fail(reason: StreamCallEnd, error: AppError): void {
    if (this.#finish(reason)) this.#options.call.emit('error', statusOf(error))
  }

  /** False when it was over before. */
  #finish(reason: StreamCallEnd): boolean {
    if (this.#over.signal.aborted) return false
    this.#over.abort()
    this.#subscription?.[Symbol.dispose]()
    this.#queue.clear()
    this.#options.onEnd(reason)
    return true
  }
}
