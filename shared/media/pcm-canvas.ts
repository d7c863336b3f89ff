/** Samples behind `fromMs`, end exclusive, in which there is sound. */
export type Sounding = { from: number; to: number }

/** What is to be written next: silence, then `samples` of the unit from its sample `skip` on. */
export type Placed = { silence: number; skip: number; samples: number }

const roundingMs = 1

/**
 * Puts decoded units, in their order, at their true times on one line of samples, which begins with the first of them.
 *
 * As all sound of ours (DESIGN.md, Time): a unit follows the one before sample by sample while its stamp is within one
 * unit of that; else it is placed at its stamp, with silence before it or, where it goes back, without what would lie
 * over the unit before. What lies outside of [fromMs, toMs) is left out.
 */
export class PcmCanvas {
  /** Ranges of sound, in order; those that touch are one. */
  readonly sounding: Sounding[] = []
  /** Where the line ends, in samples behind `fromMs`. */
  #length = 0
  readonly #fromMs: number
  readonly #end: number
  readonly #rate: number
  /** Where the sample after the last unit would lie; undefined before the first. */
  #next: number | undefined

  constructor(options: { fromMs: number; toMs?: number; rate: number }) {
    const { fromMs, toMs = Number.POSITIVE_INFINITY, rate } = options
    this.#fromMs = fromMs
    this.#rate = rate
    this.#end = Math.round(((toMs - fromMs) * rate) / 1000)
  }

  place(ptsMs: number, samples: number): Placed {
    const start = this.#startOf(ptsMs, samples)
    this.#next = start + samples
    const from = Math.max(start, this.#length)
    const to = Math.min(start + samples, this.#end)
    if (to <= from) return { silence: 0, skip: 0, samples: 0 }
    const last = this.sounding.at(-1)
    const silence = last ? from - this.#length : 0
    this.#length = to
    if (last && silence === 0) last.to = to
    else this.sounding.push({ from, to })
    return { silence, skip: from - start, samples: to - from }
  }

  #startOf(ptsMs: number, samples: number): number {
    const stamp = Math.round(((ptsMs - this.#fromMs) * this.#rate) / 1000)
    if (this.#next === undefined) return stamp
    const rounding = (roundingMs * this.#rate) / 1000
    const near = Math.abs(stamp - this.#next) < Math.max(samples - rounding, rounding)
    return near ? this.#next : stamp
  }
}
