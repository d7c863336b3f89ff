import {
  phonePacketBurst,
  phonePacketsPerSecond,
  phoneStrikesPerSecond,
  phoneTextsPerSecond,
} from '../../shared/limits.ts'

/**
 * How much one connection may send (RELIABILITY.md C8). Bad packets are refused one by one and the session goes on;
 * a sender of nearly nothing else, or of more than any camera, is not a phone.
 */
export class PhoneGuard {
  #secondStartMs = 0
  #good = 0
  #bad = 0
  #texts = 0
  #tokens = phonePacketBurst
  #refilledMs: number | undefined

  /** False: there is no room for this packet. */
  packet(monotonicMs: number): boolean {
    const elapsed = monotonicMs - (this.#refilledMs ?? monotonicMs)
    this.#refilledMs = monotonicMs
    this.#tokens = Math.min(phonePacketBurst, this.#tokens + (elapsed * phonePacketsPerSecond) / 1000)
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  good(monotonicMs: number): void {
    this.#roll(monotonicMs)
    this.#good += 1
  }

  /** False: close the connection. */
  bad(monotonicMs: number): boolean {
    this.#roll(monotonicMs)
    this.#bad += 1
    return this.#bad <= phoneStrikesPerSecond || this.#bad <= this.#good
  }

  /** False: close the connection. */
  text(monotonicMs: number): boolean {
    this.#roll(monotonicMs)
    this.#texts += 1
    return this.#texts <= phoneTextsPerSecond
  }

  #roll(monotonicMs: number): void {
    if (monotonicMs - this.#secondStartMs < 1000) return
    this.#secondStartMs = monotonicMs
    this.#good = 0
    this.#bad = 0
    this.#texts = 0
  }
}
