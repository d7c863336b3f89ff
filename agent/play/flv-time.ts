import { flvTimeMsMax } from '../../shared/limits.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'

/**
 * Timeline ms → FLV ms: 0 where the publisher began, and never backwards when the source's clock starts anew.
 * Inside an epoch the spacing is the source's, untouched.
 */
export class FlvTime {
  #baseMs: number | undefined
  readonly #startedAtMs: number | undefined
  #epoch = -1
  #lastMs = 0

  /** `startedAtMs`: timeline ms of the publisher's first unit; undefined while none came. */
  constructor(startedAtMs: number | undefined) {
    this.#startedAtMs = startedAtMs
  }

  /** FLV ms of a unit, in the order of the stream. Past `flvTimeMsMax` no player follows: begin anew. */
  next(unit: AccessUnit): number {
    const base = this.#base(unit)
    const time = Math.max(0, unit.dtsMs - base)
    this.#lastMs = Math.max(this.#lastMs, time)
    return time
  }

  #base(unit: AccessUnit): number {
    // A stream that has run for weeks begins at 0 again for those who come now.
    const started = this.#startedAtMs ?? unit.dtsMs
    this.#baseMs ??= unit.dtsMs - started < flvTimeMsMax / 2 ? started : unit.dtsMs
    if (unit.epoch !== this.#epoch && this.#epoch >= 0 && unit.dtsMs - this.#baseMs <= this.#lastMs) {
      this.#baseMs = unit.dtsMs - this.#lastMs - 1
    }
    this.#epoch = unit.epoch
    return this.#baseMs
  }
}
