import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'
import {
  commandBackoffBaseMs,
  commandBackoffMaxMs,
  commandCloseMs,
  commandExpiryMs,
  commandQueueMax,
  commandTimeoutMs,
} from '../../shared/vehicle-limits.ts'
import type { VehicleCommand } from './vehicle-command-words.ts'

/** The way to the platform: Redis, a hook or SQS. */
export type CommandSink = AsyncDisposable & {
  /** Where to, without secrets. */
  readonly display: string
  /** Hands one over. Rejects with `Unavailable` when it may be tried again, with a terminal error when it must not. */
  send(command: VehicleCommand, signal: AbortSignal): Promise<void>
}

export type CommandFigures = {
  queued: number
  sent: number
  /** Refused for good by whoever is told. */
  failed: number
  expired: number
  /** The oldest, when there were too many. */
  dropped: number
  /** Wall ms since when nothing gets through. */
  awaySince?: number
  error?: string
}

export type CommandEvent =
  | { type: 'sent' | 'expired' | 'dropped'; command: VehicleCommand }
  | { type: 'failed'; command: VehicleCommand; error: AppError }
  | { type: 'away'; error: AppError }
  | { type: 'back' }

/** `waiting`: not handed over yet. */
export type PushedCommand = { readonly waiting: boolean }

export type CommandQueueOptions = {
  sink: CommandSink
  clock: Clock
  random?: () => number
  onEvent: (event: CommandEvent) => void
}

type Waiting = { command: VehicleCommand; untilMs: number; waiting: boolean }

/**
 * Commands on their way to the platform, in their order. While it is away they wait, bounded in number and age; nobody
 * who gives one waits for it. Each is handed over at least once: when an answer is lost it is said twice.
 */
export class CommandQueue implements AsyncDisposable {
  readonly #options: Required<CommandQueueOptions>
  readonly #stop = new AbortController()
  #figures: CommandFigures = { queued: 0, sent: 0, failed: 0, expired: 0, dropped: 0 }
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined

  constructor(options: CommandQueueOptions) {
    this.#options = { random: Math.random, ...options }
  }

  get figures(): Readonly<CommandFigures> {
    return { ...this.#figures, queued: this.#waiting.length }
  }

  get display(): string {
    return this.#options.sink.display
  }

  push(command: VehicleCommand): PushedCommand {
    const { clock, onEvent } = this.#options
    if (command.lasting) this.#forgetSame(command)
    if (this.#waiting.length >= commandQueueMax) {
      const oldest = this.#take()
      this.#figures.dropped += 1
      if (oldest) onEvent({ type: 'dropped', command: oldest.command })
    }
    const untilMs = command.lasting ? Number.POSITIVE_INFINITY : clock.monotonicMs() + commandExpiryMs
    const entry = { command, untilMs, waiting: true }
    this.#waiting.push(entry)
    this.#running ??= this.#run()
    return entry
  }

  /** Said once at the end is enough; the first one may be on its way. */
  #forgetSame({ channel, json }: VehicleCommand): void {
    const isSame = ({ command }: Waiting) => command.channel === channel && command.json === json
    this.#waiting = this.#waiting.filter((entry, at) => at === 0 || !isSame(entry))
  }

  /** What waits is tried a little longer; the rest is not said. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = new AbortController()
    const deadline = this.#options.clock.sleep(commandCloseMs, late.signal).catch(() => undefined)
    await Promise.race([this.#running, deadline])
    late.abort()
    this.#stop.abort()
    await this.#running
    await this.#options.sink[Symbol.asyncDispose]()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (let attempt = 1; ; ) {
      const [entry] = this.#waiting
      if (!entry || signal.aborted) break
      if (this.#isOver(entry)) continue
      const error = await this.#send(entry.command)
      if (signal.aborted && error) break
      attempt = error && !error.terminal ? attempt + 1 : 1
      this.#settle(entry, error)
      if (attempt > 1) await this.#pause(attempt - 1)
    }
    this.#running = undefined
  }

  #isOver(entry: Waiting): boolean {
    const { clock, onEvent } = this.#options
    if (clock.monotonicMs() < entry.untilMs) return false
    this.#take()
    this.#figures.expired += 1
    onEvent({ type: 'expired', command: entry.command })
    return true
  }

  async #send(command: VehicleCommand): Promise<AppError | undefined> {
    const { sink } = this.#options
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(commandTimeoutMs)])
    try {
      await sink.send(command, signal)
      return undefined
    } catch (cause) {
      return AppError.from(cause)
    }
  }

  #settle(entry: Waiting, error: AppError | undefined): void {
    const { onEvent } = this.#options
    if (error && !error.terminal) {
      this.#away(error)
      return
    }
    this.#back()
    if (this.#waiting[0] === entry) this.#take()
    entry.waiting = false
    this.#figures[error ? 'failed' : 'sent'] += 1
    onEvent(
      error ? { type: 'failed', command: entry.command, error } : { type: 'sent', command: entry.command },
    )
  }

  #away(error: AppError): void {
    const isNew = this.#figures.awaySince === undefined
    this.#figures.awaySince ??= this.#options.clock.nowMs()
    this.#figures.error = error.message
    if (isNew) this.#options.onEvent({ type: 'away', error })
  }

  #back(): void {
    if (this.#figures.awaySince === undefined) return
    const { awaySince: _, error: __, ...figures } = this.#figures
    this.#figures = figures
    this.#options.onEvent({ type: 'back' })
  }

  async #pause(attempt: number): Promise<void> {
    const backoff = { baseMs: commandBackoffBaseMs, maxMs: commandBackoffMaxMs }
    const ms = backoffMs(attempt, backoff, this.#options.random)
    await this.#options.clock.sleep(ms, this.#stop.signal).catch(() => undefined)
  }

  #take(): Waiting | undefined {
    const entry = this.#waiting.shift()
    if (entry) entry.waiting = false
    return entry
  }
}
