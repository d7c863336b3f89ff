import { reorderDepthMax } from '../limits.ts'

export type DecodeTime = {
  dtsMs: number
  /** The PTS that was given, unless `clamped`. */
  ptsMs: number
  /** The stamps step back deeper than was known: this picture is shown as early as decoding allows. */
  clamped: boolean
}

const firstStepMs = 40 // Lead of each of the first pictures; leading pictures of an open GOP fit below it.

/**
 * DTS for sources that give only presentation times, in decode order. No delay: each is known at once.
 *
 * With depth N the DTS of picture i is the (i − N)-th smallest PTS of all so far; the first N stand
 * before the first PTS. So DTS never decreases and DTS ≤ PTS, also when the real depth is smaller than N. Where
 * it is larger, N grows, up to what codecs allow, and the pictures that it came too late for are clamped.
 *
 *   N = 2, decode order I P B B:  PTS 0 120 40 80   DTS −80 −40 0 40
 */
export class DecodeTimes {
  #depth: number
  #waiting: number[] = [] // PTS that are no DTS yet, ascending.
  #lastMs = Number.NEGATIVE_INFINITY
  #clampedCount = 0

  /** `depth`: `VideoConfig.reorderDepth`. */
  constructor(depth: number) {
    this.#depth = Math.min(depth, reorderDepthMax)
  }

  get depth(): number {
    return this.#depth
  }

  get clampedCount(): number {
    return this.#clampedCount
  }

  /** After a change of configuration; never shallower than what the stamps have shown. */
  deepen(depth: number): void {
    this.#depth = Math.min(Math.max(depth, this.#depth), reorderDepthMax)
  }

  /** At a new epoch: its PTS have nothing to do with those before. DTS still never step back. */
  restart(depth: number): void {
    this.#depth = Math.min(depth, reorderDepthMax)
    this.#waiting = []
  }

  next(ptsMs: number): DecodeTime {
    if (this.#waiting.length === 0) {
      for (let before = this.#depth; before > 0; before--) this.#waiting.push(ptsMs - before * firstStepMs)
    }
    if (ptsMs < this.#lastMs) return this.#clamp()
    this.#insert(ptsMs)
    let dtsMs = this.#lastMs
    while (this.#waiting.length > this.#depth) dtsMs = Math.max(dtsMs, this.#waiting.shift() ?? dtsMs)
    this.#lastMs = dtsMs
    return { dtsMs, ptsMs, clamped: false }
  }

  #insert(ptsMs: number): void {
    let at = this.#waiting.length
    while (at > 0 && (this.#waiting[at - 1] ?? 0) > ptsMs) at -= 1
    this.#waiting.splice(at, 0, ptsMs)
  }

  #clamp(): DecodeTime {
    this.#clampedCount += 1
    this.#depth = Math.min(this.#depth + 1, reorderDepthMax)
    return { dtsMs: this.#lastMs, ptsMs: this.#lastMs, clamped: true }
  }
}
