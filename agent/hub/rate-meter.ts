const windowSeconds = 4 // Steady within a second or two, and quick enough to see a camera stall.

/** Units and bits per second over the last whole seconds. */
export class RateMeter {
  #second = -1
  #startedSecond = -1
  readonly #units = new Float64Array(windowSeconds + 1)
  readonly #bytes = new Float64Array(windowSeconds + 1)

  add(monotonicMs: number, sizeBytes: number): void {
    const slot = this.#advance(monotonicMs)
    this.#units[slot] = (this.#units[slot] ?? 0) + 1
    this.#bytes[slot] = (this.#bytes[slot] ?? 0) + sizeBytes
  }

  read(monotonicMs: number): { unitsPerSecond: number; bitsPerSecond: number } {
    const current = this.#advance(monotonicMs)
    const seconds = Math.min(windowSeconds, this.#second - this.#startedSecond)
    if (seconds < 1) return { unitsPerSecond: 0, bitsPerSecond: 0 }
    let units = 0
    let bytes = 0
    for (let slot = 0; slot <= windowSeconds; slot += 1) {
      if (slot === current) continue // This second is not over.
      units += this.#units[slot] ?? 0
      bytes += this.#bytes[slot] ?? 0
    }
    return { unitsPerSecond: units / seconds, bitsPerSecond: (bytes * 8) / seconds }
  }

  #advance(monotonicMs: number): number {
    const second = Math.max(this.#second, Math.floor(monotonicMs / 1000))
    if (this.#startedSecond < 0) this.#startedSecond = second
    for (let s = Math.max(this.#second + 1, second - windowSeconds); s <= second; s += 1) {
      this.#units[s % (windowSeconds + 1)] = 0
      this.#bytes[s % (windowSeconds + 1)] = 0
    }
    this.#second = second
    return second % (windowSeconds + 1)
  }
}
