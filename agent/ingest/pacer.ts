import type { AccessUnit } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'

/**
 * A source that could be read faster than it plays is read as fast as it plays: its times would run away from the
 * clock, and its pictures through the GOP cache. What a live server sends at once, its last GOP, is within the lead.
 */
export class Pacer {
  readonly #clock: Clock
  readonly #leadMs: number
  #start: { dtsMs: number; monotonicMs: number; epoch: number } | undefined
  #aheadMs = 0

  constructor(clock: Clock, leadMs: number) {
    this.#clock = clock
    this.#leadMs = leadMs
  }

  seen({ dtsMs, epoch }: AccessUnit): void {
    const monotonicMs = this.#clock.monotonicMs()
    if (this.#start?.epoch !== epoch) this.#start = { dtsMs, monotonicMs, epoch }
    this.#aheadMs = dtsMs - this.#start.dtsMs - (monotonicMs - this.#start.monotonicMs)
  }

  /** Until more may be read. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#aheadMs - this.#leadMs
    this.#aheadMs = 0
    if (ms > 0) await this.#clock.sleep(ms, signal)
  }
}
