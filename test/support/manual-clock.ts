import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../shared/node/clock.ts'

type Sleeper = { untilMs: number; wake: () => void }

/**
 * A clock that moves when a test says so, from sleeper to sleeper, letting follow what follows from each
 * (`fake-clock` jumps at once). Wall and monotonic time begin apart, as on a real machine.
 */
export class ManualClock implements Clock {
  #elapsedMs = 0
  #wallMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(wallMs = Date.UTC(2026, 10, 20, 5, 30)) {
    this.#wallMs = wallMs
  }

  nowMs(): number {
    return Math.round(this.#wallMs + this.#elapsedMs)
  }

  monotonicMs(): number {
    return 5000 + this.#elapsedMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (signal?.aborted) {
      reject(signal.reason)
      return promise
    }
    const sleeper = { untilMs: this.#elapsedMs + ms, wake: resolve }
    this.#sleepers.add(sleeper)
    signal?.addEventListener('abort', () => {
      this.#sleepers.delete(sleeper)
      reject(signal.reason)
    })
    return promise
  }

  /** A step of the wall clock alone, as NTP or a person makes it. */
  stepWall(ms: number): void {
    this.#wallMs += ms
  }

  /** Time passes; who sleeps wakes in order, and what follows has happened when this resolves. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms
    await settle()
    for (;;) {
      const due = [...this.#sleepers].filter(({ untilMs }) => untilMs <= endMs)
      const next = due.sort((a, b) => a.untilMs - b.untilMs)[0]
      if (!next) break
      this.#elapsedMs = Math.max(this.#elapsedMs, next.untilMs)
      this.#sleepers.delete(next)
      next.wake()
      await settle()
    }
    this.#elapsedMs = endMs
    await settle()
  }
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await turn()
}
