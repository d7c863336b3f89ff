import { clockBoundUnknownMs } from '../limits.ts'

export type WallOffset = {
  /** Wall time = timeline + this; integer. */
  wallOffsetMs: number
  /** The offset is right within this; the encoder's own delay comes on top and is not known. */
  wallBoundMs: number
}

/**
 * The wall time of a timeline (DESIGN.md, Time), per segment: the smallest (arrival − timeline) seen is the
 * one with the least delay, and half the smallest round trip of it was spent on the wire.
 */
export class ClockOffset {
  #delayMin = Number.POSITIVE_INFINITY
  #rttMin = Number.POSITIVE_INFINITY

  /** `arrivalWallMs`: `Clock.nowMs()` at arrival; `timelineMs`: the unit's PTS. */
  observe(unit: { arrivalWallMs: number; timelineMs: number }): void {
    this.#delayMin = Math.min(this.#delayMin, unit.arrivalWallMs - unit.timelineMs)
  }

  /** A round trip to the device that was just measured. */
  observeRtt(rttMs: number): void {
    if (rttMs >= 0) this.#rttMin = Math.min(this.#rttMin, rttMs)
  }

  /** For the next segment or epoch; the round trip belongs to the connection and stays. */
  reset(): void {
    this.#delayMin = Number.POSITIVE_INFINITY
  }

  /** Before the first unit the offset is 0: the timeline is made to begin near wall time. */
  result(): WallOffset {
    const known = Number.isFinite(this.#rttMin)
    const half = known ? this.#rttMin / 2 : 0
    const delay = Number.isFinite(this.#delayMin) ? this.#delayMin : 0
    return {
      wallOffsetMs: Math.round(delay - half),
      wallBoundMs: known ? Math.ceil(half) : clockBoundUnknownMs,
    }
  }
}
