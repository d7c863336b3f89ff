import { createHmac, randomUUID } from 'node:crypto'
import { AppError } from '../../shared/error.ts'
import {
  hookAttemptsMax,
  hookBackoffBaseMs,
  hookBackoffMaxMs,
  hookQueueMax,
  hookTimeoutMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'

export type HookFigures = { queued: number; delivered: number; failed: number; dropped: number }

/** Sends one request and answers its HTTP status; rejects when there was no answer. */
export type HookPost = (
  url: string,
  request: { headers: Record<string, string>; body: string; signal: AbortSignal },
) => Promise<number>

export type HookQueueOptions = {
  url: string
  secret: string
  clock: Clock
  random: () => number
  post: HookPost
  /** A message that was given up. */
  onFailed: (action: string, error: AppError) => void
}

type Message = { id: string; action: string; body: string }

/**
 * The messages to one address: in their order, each until it is taken or given up. It never holds up who tells:
 * when the address does not keep up, the oldest are dropped, and counted.
 */
export class HookQueue {
  readonly figures: HookFigures = { queued: 0, delivered: 0, failed: 0, dropped: 0 }
  readonly #options: HookQueueOptions
  readonly #stop = new AbortController()
  #waiting: Message[] = []
  #running: Promise<void> | undefined

  constructor(options: HookQueueOptions) {
    this.#options = options
  }

  push(action: string, body: string): void {
    if (this.#waiting.length === hookQueueMax) {
      this.#waiting.shift()
      this.figures.dropped += 1
    }
    this.#waiting.push({ id: randomUUID(), action, body })
    this.figures.queued = this.#waiting.length
    this.#running ??= this.#run()
  }

  /** What waits is tried until the deadline; the rest is dropped. */
  async close(deadlineMs: number): Promise<void> {
    const done = new AbortController()
    const late = this.#options.clock.sleep(deadlineMs, done.signal).catch(() => undefined)
    await Promise.race([this.#running, late])
    done.abort()
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let message = this.#waiting.shift(); message; message = this.#waiting.shift()) {
      this.figures.queued = this.#waiting.length
      if (this.#stop.signal.aborted) this.figures.dropped += 1
      else await this.#deliver(message)
    }
    this.#running = undefined
  }

  async #deliver(message: Message): Promise<void> {
    const { random, onFailed } = this.#options
    const backoff = { baseMs: hookBackoffBaseMs, maxMs: hookBackoffMaxMs }
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#attempt(message)
      if (!error) {
        this.figures.delivered += 1
        return
      }
      const isLast = error.terminal || attempt === hookAttemptsMax
      if (isLast || !(await this.#pause(backoffMs(attempt, backoff, random)))) {
        this.figures.failed += 1
        return onFailed(message.action, error)
      }
    }
  }

  /** False when there is no time left. */
  async #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stop
    await this.#options.clock.sleep(ms, signal).catch(() => undefined)
    return !signal.aborted
  }

  async #attempt({ id, action, body }: Message): Promise<AppError | undefined> {
    const { url, secret, clock, post } = this.#options
    const headers = {
      'content-type': 'application/json',
      'x-edgereel-event': action,
      'x-edgereel-delivery': id,
      'x-edgereel-signature': signature(secret, Math.floor(clock.nowMs() / 1000), body),
    }
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(hookTimeoutMs)])
    try {
      const status = await post(url, { headers, body, signal })
      if (status >= 200 && status < 300) return undefined
      const again = status >= 500 || status === 408 || status === 429
      return new AppError(again ? 'Unavailable' : 'FailedPrecondition', `it answered ${status}`)
    } catch (cause) {
      return new AppError('Unavailable', 'it does not answer', { cause })
    }
  }
}

/** `t=<s since 1970>,v1=<hex of HMAC-SHA-256(secret, t "." body)>`: with the time, an old message is known for one. */
export function signature(secret: string, timeS: number, body: string): string {
  return `t=${timeS},v1=${createHmac('sha256', secret).update(`${timeS}.${body}`).digest('hex')}`
}

/** Only the configured address: a redirection is an answer like any other that is not 2xx. */
export const postByFetch: HookPost = async (url, { headers, body, signal }) => {
  const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
  await response.body?.cancel() // What it says is not asked for.
  return response.status
}
