import { phoneSameClockMs } from '../../shared/limits.ts'

const anotherClockMs = 60_000 // The stamps were set: what was known of them is of no use.

/**
 * What tells one phone from another of its model: how far its stamps are ahead of our clock, which goes on over
 * connections and captures. The least delayed picture counts.
 */
export class PhoneClock {
  #aheadMs: number | undefined

  came(deviceMs: number, arrivalMs: number): void {
    const aheadMs = deviceMs - arrivalMs
    const isOther = this.#aheadMs === undefined || Math.abs(aheadMs - this.#aheadMs) > anotherClockMs
    this.#aheadMs = isOther ? aheadMs : Math.max(this.#aheadMs ?? aheadMs, aheadMs)
  }

  get isKnown(): boolean {
    return this.#aheadMs !== undefined
  }

  /** Whether a picture with this stamp can be of this phone. */
  fits(deviceMs: number, arrivalMs: number): boolean {
    return this.#aheadMs !== undefined && Math.abs(deviceMs - arrivalMs - this.#aheadMs) <= phoneSameClockMs
  }
}
