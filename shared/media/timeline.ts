import {
  clockJumpMs,
  clockSaneAfterMs,
  clockStepsMax,
  clockStepsWindowMs,
  frozenAfterMs,
  reorderMs,
} from '../limits.ts'

/** Why an epoch began. `unstable`: so many epochs in a short time that the clock is not worth following. */
export type EpochReason = 'start' | 'jump' | 'backward' | 'frozen' | 'absurd' | 'unstable' | 'recovered'

export type TimelineStamp = {
  /** The device's stamp, milliseconds of any origin; fractions are rounded once. */
  deviceMs: number
  /** `Clock.monotonicMs()` when the last byte was read. */
  arrivalMs: number
  /** The stamp is the low 32 bits of a counter that wraps. */
  wrapBits?: 32
  /** How far stamps may step back because of reordering and jitter. */
  reorderMs?: number
}

export type TimelineTime = {
  /** Integer milliseconds on the stream's timeline. */
  ptsMs: number
  epochStarted: boolean
  reason?: EpochReason
  timeSource: 'device' | 'arrival'
}

const wrapSpan = 2 ** 32
const repeatsMin = 3 // One stamp twice with a stall between is a duplicate, not a frozen clock.
const stuckUnitsMin = 32 // More than any reordering holds back: the clock moves, but not forward.

/**
 * Device stamps → timeline (DESIGN.md, Time): unwrapped stamp + one integer constant per epoch, so that the
 * spacing is exactly the device's. A stamp is never read as a date.
 *
 * A new epoch begins when the clock jumps ahead of anything that delay could explain, steps back, stands
 * still or is absurd; its constant comes from arrival, so that the timeline goes on and never overlaps. In the
 * last two cases its times are those of arrival, until the device's clock has been sane for a while.
 */
export class Timeline {
  readonly #arrivalToWallMs: number
  readonly #health = new ClockHealth()
  #epoch: Epoch | undefined
  #unwrapped: number | undefined
  #latestMs = Number.NEGATIVE_INFINITY
  #latestArrivalMs = 0

  /** One reading of both clocks: new epochs are anchored to the wall time that belongs to their arrival. */
  constructor(now: { wallMs: number; monotonicMs: number }) {
    this.#arrivalToWallMs = now.wallMs - now.monotonicMs
  }

  map(stamp: TimelineStamp): TimelineTime {
    const deviceMs = this.#stampOf(stamp)
    const reason = this.#judge(deviceMs, stamp)
    if (reason !== undefined) return this.#startEpoch(deviceMs, stamp.arrivalMs, reason)
    const epoch = this.#epoch as Epoch // There is one: without it `#judge` says 'start'.
    // By arrival always later than all before: pictures that come in one burst stay apart.
    const ptsMs =
      epoch.timeSource === 'device' && deviceMs !== undefined
        ? epoch.next(deviceMs, stamp.arrivalMs)
        : Math.max(epoch.arrived(stamp.arrivalMs), Math.floor(this.#latestMs) + 1)
    this.#came(ptsMs, stamp.arrivalMs)
    return { ptsMs, epochStarted: false, timeSource: epoch.timeSource }
  }

  /** Integer, unwrapped; undefined when no clock can have meant it. */
  #stampOf({ deviceMs, wrapBits }: TimelineStamp): number | undefined {
    if (!(deviceMs >= 0 && deviceMs <= Number.MAX_SAFE_INTEGER)) return undefined
    if (wrapBits === undefined) return Math.round(deviceMs)
    const last = this.#unwrapped ?? deviceMs
    this.#unwrapped = deviceMs + Math.round((last - deviceMs) / wrapSpan) * wrapSpan
    return Math.round(this.#unwrapped)
  }

  #judge(deviceMs: number | undefined, stamp: TimelineStamp): EpochReason | undefined {
    const epoch = this.#epoch
    this.#health.observe(deviceMs, stamp.arrivalMs)
    if (!epoch) return deviceMs === undefined ? 'absurd' : 'start'
    if (epoch.timeSource === 'arrival') return this.#health.sane ? 'recovered' : undefined
    if (deviceMs === undefined) return 'absurd'
    const step = epoch.judge(deviceMs, stamp.arrivalMs, stamp.reorderMs ?? reorderMs)
    return step && step !== 'frozen' && this.#health.unstable ? 'unstable' : step
  }

  #startEpoch(deviceMs: number | undefined, arrivalMs: number, reason: EpochReason): TimelineTime {
    const ptsMs = this.#startTime(arrivalMs)
    const usable = reason === 'start' || reason === 'jump' || reason === 'backward' || reason === 'recovered'
    const timeSource = usable && deviceMs !== undefined ? 'device' : 'arrival'
    this.#epoch = new Epoch(timeSource, deviceMs ?? 0, arrivalMs, ptsMs)
    this.#health.epochStarted(arrivalMs)
    this.#came(ptsMs, arrivalMs)
    return { ptsMs, epochStarted: true, reason, timeSource }
  }

  #came(ptsMs: number, arrivalMs: number): void {
    if (ptsMs < this.#latestMs) return
    this.#latestMs = ptsMs
    this.#latestArrivalMs = arrivalMs
  }

  /**
   * Where an epoch begins: wall time of arrival, or, where stamps ran ahead of it (a recording that was played fast), as
   * long behind the latest as it arrived behind it.
   */
  #startTime(arrivalMs: number): number {
    const elapsedMs = Math.max(1, Math.round(arrivalMs - this.#latestArrivalMs))
    return Math.max(Math.round(this.#arrivalToWallMs + arrivalMs), Math.floor(this.#latestMs) + elapsedMs)
  }
}

/** One run of a source clock. */
class Epoch {
  readonly timeSource: 'device' | 'arrival'
  readonly #constant: number
  readonly #arrivalConstant: number
  #highest: number
  #highestArrivalMs: number
  #unitsSinceHighest = 0
  #last: number
  #lastSinceMs: number
  #repeats = 0
  #leadMax: number

  constructor(timeSource: 'device' | 'arrival', deviceMs: number, arrivalMs: number, ptsMs: number) {
    this.timeSource = timeSource
    this.#constant = ptsMs - deviceMs
    this.#arrivalConstant = ptsMs - arrivalMs
    this.#highest = deviceMs
    this.#highestArrivalMs = arrivalMs
    this.#last = deviceMs
    this.#lastSinceMs = arrivalMs
    this.#leadMax = deviceMs - arrivalMs
  }

  /**
   * A stamp can run behind its arrival by any delay, but ahead of the smallest delay seen only by drift: so a
   * stalled network that then delivers everything at once is not taken for a jump.
   */
  judge(deviceMs: number, arrivalMs: number, tolerance: number): 'jump' | 'backward' | 'frozen' | undefined {
    if (deviceMs - arrivalMs > this.#leadMax + clockJumpMs) return 'jump'
    if (deviceMs < this.#highest - tolerance) return 'backward'
    const still = deviceMs === this.#last && this.#repeats + 1 >= repeatsMin
    if (still && arrivalMs - this.#lastSinceMs > frozenAfterMs) return 'frozen'
    const stuck = deviceMs <= this.#highest && this.#unitsSinceHighest + 1 >= stuckUnitsMin
    return stuck && arrivalMs - this.#highestArrivalMs > frozenAfterMs ? 'frozen' : undefined
  }

  /** As long behind its first unit as it arrived behind it. */
  arrived(arrivalMs: number): number {
    return Math.round(arrivalMs + this.#arrivalConstant)
  }

  next(deviceMs: number, arrivalMs: number): number {
    if (deviceMs === this.#last) this.#repeats += 1
    else {
      this.#repeats = 0
      this.#last = deviceMs
      this.#lastSinceMs = arrivalMs
    }
    if (deviceMs > this.#highest) {
      this.#highest = deviceMs
      this.#highestArrivalMs = arrivalMs
      this.#unitsSinceHighest = 0
    } else this.#unitsSinceHighest += 1
    this.#leadMax = Math.max(this.#leadMax, deviceMs - arrivalMs)
    return deviceMs + this.#constant
  }
}

/** Whether the device's clock deserves to be followed: judged over time, also while it is not followed. */
class ClockHealth {
  #saneSince: { deviceMs: number; arrivalMs: number } | undefined
  #last: { deviceMs: number; arrivalMs: number } | undefined
  #starts: number[] = []
  #arrivalMs = 0

  observe(deviceMs: number | undefined, arrivalMs: number): void {
    const last = this.#last
    this.#arrivalMs = arrivalMs
    this.#last = deviceMs === undefined ? undefined : { deviceMs, arrivalMs }
    const step = deviceMs === undefined || !last ? Number.NaN : deviceMs - last.deviceMs
    const steady = step >= -reorderMs && step - (arrivalMs - (last?.arrivalMs ?? 0)) <= clockJumpMs
    if (!steady) this.#saneSince = undefined
    this.#saneSince ??= this.#last
  }

  epochStarted(arrivalMs: number): void {
    this.#starts.push(arrivalMs)
    if (this.#starts.length > clockStepsMax) this.#starts.shift()
    this.#saneSince = undefined
  }

  /** The stamps went on for a while, about as fast as time. */
  get sane(): boolean {
    if (!this.#saneSince || !this.#last) return false
    const arrival = this.#last.arrivalMs - this.#saneSince.arrivalMs
    const device = this.#last.deviceMs - this.#saneSince.deviceMs
    return arrival >= clockSaneAfterMs && device >= arrival / 2 && device <= arrival * 2
  }

  get unstable(): boolean {
    const oldest = this.#starts[0]
    return (
      oldest !== undefined &&
      this.#starts.length === clockStepsMax &&
      this.#arrivalMs - oldest < clockStepsWindowMs
    )
  }
}
