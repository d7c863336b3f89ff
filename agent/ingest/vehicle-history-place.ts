import {
  historyBoundMs,
  historyObeyMs,
  historyReorderMs,
  historySlackMs,
  historyStepMs,
} from '../../shared/vehicle-limits.ts'
import type { TimeRange } from './vehicle-history-lists.ts'

type Sought = {
  to: number
  /** Monotonic ms of the command. */
  sinceMs: number
  /** What has been played since. */
  playedMs: number
}

/**
 * Where a range is that people control: forward, back, faster, from elsewhere. Wall ms of the vehicle.
 *
 * Only the vehicle's own stamps tell it, for the timeline goes on whatever is played. Their steps are followed, both
 * ways; a leap is where the vehicle was told to go, or, if it was told nothing, the next thing that it holds.
 */
export class HistoryPlace {
  #position: number
  #last: { stampMs: number; clock: string } | undefined
  #isBack = false
  #sought: Sought | undefined
  readonly #held: () => readonly TimeRange[]

  /** `held`: as `placeAfterLeap`. */
  constructor(from: number, held: () => readonly TimeRange[]) {
    this.#position = from
    this.#held = held
  }

  get position(): number {
    return this.#sought ? shown(this.#sought) : this.#position
  }

  /** The vehicle begins here, by another clock. */
  restart(position: number): void {
    this.#position = position
    this.#last = undefined
    this.#isBack = false
    this.#sought = undefined
  }

  /** What it is told to do from now on. */
  play(direction: 'forward' | 'back'): void {
    this.#isBack = direction === 'back'
  }

  seek(to: number, nowMs: number): void {
    this.#sought = { to, sinceMs: nowMs, playedMs: 0 }
  }

  /** Something with this stamp of that clock has come. */
  came(stampMs: number, clock: string, nowMs: number): void {
    const stepMs = this.#last?.clock === clock ? stepOf(this.#last.stampMs, stampMs) : 0
    this.#last = { stampMs, clock }
    const isLeap = Math.abs(stepMs) > historyStepMs
    const sought = this.#sought
    if (sought) this.#goTo(sought, stepMs, nowMs)
    else if (!isLeap) this.#position += stepMs
    else if (!this.#isBack) this.#position = placeAfterLeap(this.#position, this.#held())
  }

  /** What is on its way comes first. Then most go on with the stamps of the recording, some with others. */
  #goTo(sought: Sought, stepMs: number, nowMs: number): void {
    const { to } = sought
    const isLeap = Math.abs(stepMs) > historyStepMs
    const isPlay = this.#isBack ? stepMs <= historyReorderMs : stepMs >= -historyReorderMs
    const wasThere = isNear(this.#position, to, to)
    this.#position += stepMs
    if (!isLeap && isPlay) sought.playedMs += stepMs
    const isThere = isNear(this.#position, to, to)
    const isLate = nowMs - sought.sinceMs >= historyObeyMs
    if (!isLeap && !isLate && (wasThere || !isThere)) return
    this.#sought = undefined
    if (isLeap && !isThere) this.#position = to
    else if (isLate && !isNear(this.#position, to, shown(sought))) this.#position = shown(sought)
  }
}

/**
 * Where a vehicle goes on whose stamps leap: in the first of its files that it has not played to its end. `held`: its
 * files, by their beginnings, as far as they are known. Within a file a leap is a mistake of its clock.
 */
export function placeAfterLeap(position: number, held: readonly TimeRange[]): number {
  const file = held.find(({ to }) => to - historySlackMs > position)
  return Math.max(position, file?.from ?? position)
}

/** Between the two, give or take what a command to go there may be off. */
function isNear(position: number, a: number, b: number): boolean {
  return position >= Math.min(a, b) - historyBoundMs && position <= Math.max(a, b) + historyBoundMs
}

function shown({ to, playedMs }: Sought): number {
  return to + playedMs
}

const wrapSpan = 2 ** 32 // As VehicleClock: some count in 32 bits.

/** Of stamps, also over the end of 32 bits. */
export function stepOf(fromMs: number, toMs: number): number {
  const step = toMs - fromMs
  if (fromMs >= wrapSpan || toMs >= wrapSpan) return step
  return step - Math.round(step / wrapSpan) * wrapSpan
}
