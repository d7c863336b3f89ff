import type { Clock } from '../../shared/node/clock.ts'

/** A clock that stands still until it is told to advance; sleepers wake in the order of their times. */
export class FakeClock implements Clock {
  #now = Date.UTC(2026, 2, 1, 12)
  #monotonic = 0
  #sleepers: { dueMs: number; wake: () => void }[] = []

  nowMs(): number {
    return this.#now
  }

  monotonicMs(): number {
    return this.#monotonic
  }

  /** How many are asleep. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (signal?.aborted) reject(signal.reason)
    const sleeper = { dueMs: this.#monotonic + ms, wake: resolve }
    this.#sleepers.push(sleeper)
    signal?.addEventListener('abort', () => {
      this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
      reject(signal.reason)
    })
    return promise
  }

  /** Both clocks. */
  advance(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
    const due = this.#sleepers.filter((sleeper) => sleeper.dueMs <= this.#monotonic)
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.dueMs > this.#monotonic)
    for (const sleeper of due.sort((a, b) => a.dueMs - b.dueMs)) sleeper.wake()
  }

  /** Sets the wall clock, as a user or NTP does. */
  setWall(nowMs: number): void {
    this.#now = nowMs
  }
}
