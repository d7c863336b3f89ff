const roundingMs = 1

/**
 * Times of audio frames (DESIGN.md, Time): anchor + n · frame samples / rate while the source's stamp is
 * within one frame of it. Taken as they are, millisecond stamps would make frames of 1008 and 1056 samples. A whole
 * frame away, less what rounding to milliseconds makes, a frame is missing.
 */
export class AudioClock {
  readonly #frameMs: number
  #anchorMs: number | undefined
  #frames = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #reanchoredCount = 0

  /** `frameSamples` 0: frames vary, and every stamp is taken as it is. */
  constructor(config: { sampleRate: number; frameSamples: number }) {
    this.#frameMs = (config.frameSamples * 1000) / config.sampleRate
  }

  /** How often the source's stamps went away from the count of samples. */
  get reanchoredCount(): number {
    return this.#reanchoredCount
  }

  /** `stampMs` on the timeline. The times that come out are integers and never step back. */
  next(stampMs: number): { ptsMs: number; reanchored: boolean } {
    const expected = this.#anchorMs === undefined ? undefined : this.#anchorMs + this.#frames * this.#frameMs
    const near =
      expected !== undefined &&
      Math.abs(expected - stampMs) < Math.max(this.#frameMs - roundingMs, roundingMs)
    if (expected === undefined || !near) {
      this.#anchorMs = Math.max(stampMs, this.#lastMs)
      this.#frames = 0
    }
    const ptsMs = Math.round((this.#anchorMs ?? stampMs) + this.#frames * this.#frameMs)
    this.#frames += 1
    this.#lastMs = ptsMs
    const reanchored = expected !== undefined && !near && this.#frameMs > 0
    if (reanchored) this.#reanchoredCount += 1
    return { ptsMs, reanchored }
  }

  /** The next stamp is the anchor: at a new epoch. */
  restart(): void {
    this.#anchorMs = undefined
  }
}
