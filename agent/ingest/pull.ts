import { AppError } from '../../shared/error.ts'
import {
  sourceAuthRetryMs,
  sourceBackoffBaseMs,
  sourceBackoffMaxMs,
  sourceKeyFrameMs,
  sourceSilenceMs,
  sourceStableMs,
} from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'
import { MediaWatch } from './pull-watch.ts'
import type { PulledSource, SourceState, SourceStatus } from './source.ts'

/** The writing end of a stream: the hub's. */
export type PullPublisher = {
  push(unit: AccessUnit): void
  gap(gap: SourceGap): void
  end(reason: string): void
}

export type PullOptions = {
  source: PulledSource
  /** Throws when another publishes under this name. */
  publish: (source: PulledSource) => PullPublisher
  clock: Clock
  random?: () => number
  /** The state changed. */
  onStatus?: (status: SourceStatus) => void
  silenceMs?: number
  keyFrameMs?: number
}

/**
 * One source, while it is wanted: connects, and connects again after a jittered pause, until it is stopped. The
 * stream is published from the first unit of a connection to its end; the pause between is a gap.
 */
export class Pull {
  /** Settles when it was stopped and the connection is closed; never rejects. */
  readonly done: Promise<void>
  readonly #options: Required<Omit<PullOptions, 'onStatus'>> & Pick<PullOptions, 'onStatus'>
  readonly #stop = new AbortController()
  #pause = new AbortController()
  #status: SourceStatus
  /** Timeline ms of the last unit of the last connection. */
  #lastPtsMs: number | undefined

  constructor(options: PullOptions) {
    this.#options = {
      random: Math.random,
      silenceMs: sourceSilenceMs,
      keyFrameMs: sourceKeyFrameMs,
      ...options,
    }
    this.#status = { state: 'connecting', since: options.clock.nowMs(), failures: 0 }
    this.done = this.#run()
  }

  get status(): SourceStatus {
    return this.#status
  }

  /** Somebody new wants it: no reason to wait any longer, unless a wrong password would be tried once more. */
  wake(): void {
    if (this.#status.error?.kind !== 'Unauthenticated') this.#pause.abort()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.done
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    for (let inARow = 0; !signal.aborted; ) {
      const beganMs = clock.monotonicMs()
      const error = await this.#connect()
      if (signal.aborted) break
      inARow = clock.monotonicMs() - beganMs > sourceStableMs ? 1 : inARow + 1
      this.#set('offline', { error, failures: this.#status.failures + 1 })
      await this.#wait(this.#pauseMs(error, inARow))
    }
  }

  #pauseMs({ kind }: AppError, inARow: number): number {
    const backoff = { baseMs: sourceBackoffBaseMs, maxMs: sourceBackoffMaxMs }
    const ms = backoffMs(inARow, backoff, this.#options.random)
    return kind === 'Unauthenticated' ? sourceAuthRetryMs + ms : ms
  }

  async #wait(ms: number): Promise<void> {
    this.#pause = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, this.#pause.signal])
    await this.#options.clock.sleep(ms, signal).catch(() => undefined)
  }

  /** One connection: what ended it. */
  async #connect(): Promise<AppError> {
    const { source, clock, silenceMs, keyFrameMs } = this.#options
    this.#set('connecting')
    const watch = new MediaWatch({ clock, silenceMs, keyFrameMs, onLive: () => this.#live() })
    const signal = AbortSignal.any([this.#stop.signal, watch.signal])
    const feed = new Feed(this.#options, this.#lastPtsMs, (error) => watch.fail(error))
    const output = {
      connected: () => watch.connected(),
      gap: (gap: SourceGap) => feed.gap(gap),
      unit: (unit: AccessUnit) => {
        watch.unit(unit)
        feed.unit(unit)
      },
    }
    let error = new AppError('Unavailable', 'the source came to its end', { zh: '来源已结束。' })
    try {
      await source.connectOnce({ signal, output })
    } catch (cause) {
      error = AppError.from(watch.signal.aborted ? watch.signal.reason : cause)
    }
    watch[Symbol.dispose]()
    feed.end(this.#stop.signal.aborted ? 'not wanted' : error.message)
    this.#lastPtsMs = feed.lastPtsMs
    return error
  }

  #live(): void {
    const { since: _, error: __, ...status } = this.#status
    this.#status = status as SourceStatus
    this.#set('live')
  }

  #set(state: SourceState, more: Partial<SourceStatus> = {}): void {
    this.#status = { ...this.#status, ...more, state, since: this.#options.clock.nowMs() }
    this.#options.onStatus?.(this.#status)
  }
}

/** What one connection gives → the hub, from its first unit on. */
class Feed {
  readonly #options: Pick<PullOptions, 'source' | 'publish'>
  readonly #onRefused: (error: AppError) => void
  #publisher: PullPublisher | undefined
  #refused = false
  #lastPtsMs: number | undefined

  /** `onRefused`: another publishes under this name. */
  constructor(
    options: Pick<PullOptions, 'source' | 'publish'>,
    lastPtsMs: number | undefined,
    onRefused: (error: AppError) => void,
  ) {
    this.#options = options
    this.#onRefused = onRefused
    this.#lastPtsMs = lastPtsMs
  }

  get lastPtsMs(): number | undefined {
    return this.#lastPtsMs
  }

  unit(unit: AccessUnit): void {
    this.#publisher ??= this.#begin(unit.ptsMs)
    if (!this.#publisher) return
    this.#publisher.push(unit)
    this.#lastPtsMs = Math.max(this.#lastPtsMs ?? unit.ptsMs, unit.ptsMs)
  }

  gap(gap: SourceGap): void {
    this.#publisher?.gap(gap)
  }

  end(reason: string): void {
    this.#publisher?.end(reason)
  }

  #begin(toMs: number): PullPublisher | undefined {
    const { source, publish } = this.#options
    if (this.#refused) return undefined
    try {
      const publisher = publish(source)
      const fromMs = this.#lastPtsMs
      if (fromMs !== undefined) publisher.gap({ fromMs: Math.min(fromMs, toMs), toMs, cause: 'source-lost' })
      return publisher
    } catch (cause) {
      this.#refused = true
      this.#onRefused(AppError.from(cause))
      return undefined
    }
  }
}
