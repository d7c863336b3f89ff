import { claimEndMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'

type Flush = { wallMs: number; askedMs: number; cut: PromiseWithResolvers<void> }

/** Those who wait for the segment that covers a time to end: the ends of claims. */
export class Flushes {
  readonly #clock: Clock
  #waiting: Flush[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when a cut at or behind `wallMs` was made. `force` is called when no unit came to cut before. */
  async wait(wallMs: number, force: () => void): Promise<void> {
    const flush = { wallMs, askedMs: this.#clock.monotonicMs(), cut: Promise.withResolvers<void>() }
    this.#waiting.push(flush)
    const timer = new AbortController()
    this.#clock.sleep(claimEndMs, timer.signal).then(force, () => undefined)
    await flush.cut.promise
    timer.abort()
  }

  /** What a unit at `wallMs` means: a cut before it, if it can be decoded on its own or has been awaited too long. */
  wants(wallMs: number): 'nothing' | 'boundary' | 'now' {
    const nowMs = this.#clock.monotonicMs()
    let wanted: 'nothing' | 'boundary' | 'now' = 'nothing'
    for (const flush of this.#waiting) {
      if (nowMs - flush.askedMs >= claimEndMs) return 'now'
      if (wallMs >= flush.wallMs) wanted = 'boundary'
    }
    return wanted
  }

  /** A segment ended at `wallMs`; `final`: nothing of before can follow. */
  cutAt(wallMs: number, final: boolean): void {
    const met = this.#waiting.filter((flush) => final || flush.wallMs <= wallMs)
    this.#waiting = this.#waiting.filter((flush) => !met.includes(flush))
    for (const flush of met) flush.cut.resolve()
  }
}
