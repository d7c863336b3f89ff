import type { AccessUnit } from '../../shared/media/access-unit.ts'

/** Of the unit from which a frame was made. */
export type SoundTime = Pick<AccessUnit, 'ptsMs' | 'arrivalMs' | 'epoch' | 'timeSource'>

type Anchor = SoundTime & { from: number }

/**
 * When the frames of an encoder are to be heard: sound goes in unit by unit, comes out in frames of another length, and
 * neither bears a time; but both are counted. Sample n of what comes out is sample n of what went in, which has the
 * time of its unit. So a gap or a jitter of the source's stamps is one of the frames, too.
 */
export class SoundTimes {
  readonly #rate: number
  #anchors: Anchor[] = []
  #taken = 0
  #lastPtsMs = Number.NEGATIVE_INFINITY

  /** Samples a second of what goes in. */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** `samples` of a unit went in. */
  took({ ptsMs, arrivalMs, epoch, timeSource }: SoundTime, samples: number): void {
    this.#anchors.push({ ptsMs, arrivalMs, epoch, timeSource, from: this.#taken })
    this.#taken += samples
  }

  /**
   * The time of a frame that begins `seconds` behind the first sample and lasts until `endSeconds`; undefined for one
   * that is all before it. Frames are asked for in their order, and their times do not step back.
   */
  timeOf(seconds: number, endSeconds: number): SoundTime | undefined {
    const at = seconds * this.#rate
    while ((this.#anchors[1]?.from ?? Number.POSITIVE_INFINITY) <= at) this.#anchors.shift()
    const [anchor] = this.#anchors
    if (!anchor || endSeconds <= 0) return undefined
    const { from, ...time } = anchor
    const ptsMs = Math.max(this.#lastPtsMs, Math.round(time.ptsMs + ((at - from) * 1000) / this.#rate))
    this.#lastPtsMs = ptsMs
    return { ...time, ptsMs }
  }
}
