import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { ClockOffset, type WallOffset } from '../../shared/media/clock-offset.ts'
import type { Clock } from '../../shared/node/clock.ts'

/**
 * Timeline → wall, per segment: the smallest delay seen in it and in the one before (a short one has seen few), so
 * that the estimate is steady and still follows a device whose clock drifts.
 */
export class WallEstimate {
  readonly #clock: Clock
  readonly #now = new ClockOffset()
  #before: WallOffset | undefined
  #observed = false
  #given: WallOffset | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The source knows when its pictures were taken, and it was not now: what it plays was recorded before. */
  give(offset: WallOffset | undefined): void {
    this.#given = offset
  }

  observe(unit: AccessUnit): void {
    const arrivalWallMs = unit.arrivalMs - this.#clock.monotonicMs() + this.#clock.nowMs()
    this.#now.observe({ arrivalWallMs, timelineMs: unit.ptsMs })
    this.#observed = true
  }

  observeRtt(rttMs: number): void {
    this.#now.observeRtt(rttMs)
  }

  nextSegment(): void {
    this.#before = this.#observed ? this.#now.result() : this.#before
    this.#now.reset()
    this.#observed = false
  }

  /** Another constant between device and timeline: what was learnt says nothing any more. */
  nextEpoch(): void {
    this.#now.reset()
    this.#observed = false
    this.#before = undefined
  }

  result(): WallOffset {
    if (this.#given) return this.#given
    const now = this.#now.result()
    const before = this.#before
    if (!before) return now
    if (!this.#observed) return before
    return { ...now, wallOffsetMs: Math.min(now.wallOffsetMs, before.wallOffsetMs) }
  }

  wallMs(timelineMs: number): number {
    return Math.round(timelineMs + this.result().wallOffsetMs)
  }
}
