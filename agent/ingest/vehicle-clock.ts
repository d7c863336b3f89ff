import { clockJumpMs } from '../../shared/limits.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { Timeline, type TimelineTime } from '../../shared/media/timeline.ts'
import { historyReorderMs } from '../../shared/vehicle-limits.ts'
import type { Jt1078Packet } from '../protocol/jt1078.ts'
import type { Moment } from './flv-units.ts'

type Stamp = Jt1078Packet['timestampMs']

export type VehicleTime = Pick<AccessUnit, 'ptsMs' | 'epoch' | 'timeSource'> & { epochStarted: boolean }

type Anchor = { deviceMs: number; ptsMs: number; arrivalMs: number }

const wrapSpan = 2 ** 32 // Some devices count milliseconds in 32 bits, though the field has 64.
const noClock = Number.NaN // What no clock can have meant: the timeline then goes by arrival.

/**
 * Stamps of one channel → one timeline. The pictures' stamps make it; sound is put on it by the same constant, or, if
 * its clock turns out to be another one, by when it arrived. Sound without pictures makes the timeline itself.
 */
export class VehicleClock {
  readonly #timeline: Timeline
  readonly #nextEpoch: () => number
  #epoch = 0
  #anchor: Anchor | undefined
  #timeSource: AccessUnit['timeSource'] = 'device'
  /** Added to stamps of sound; chosen once in an epoch, as long as it holds. */
  #soundConstant: number | undefined

  readonly #stepBack: { reorderMs?: number }

  /**
   * `nextEpoch`: numbers that are this stream's alone, over its connections. `plays`: what was recorded, perhaps
   * backwards, a key frame at a time: stamps that step back by more than pictures are reordered mean that.
   */
  constructor(now: Moment, nextEpoch: () => number, { plays = false }: { plays?: boolean } = {}) {
    this.#timeline = new Timeline(now)
    this.#nextEpoch = nextEpoch
    this.#stepBack = plays ? { reorderMs: historyReorderMs } : {}
  }

  picture(stamp: Stamp, arrivalMs: number): VehicleTime {
    const deviceMs = numberOf(stamp)
    const time = this.#map(deviceMs, arrivalMs)
    if (time.epochStarted) this.#soundConstant = undefined
    this.#anchor = { deviceMs, ptsMs: time.ptsMs, arrivalMs }
    this.#timeSource = time.timeSource
    return time
  }

  sound(stamp: Stamp, arrivalMs: number): VehicleTime {
    const deviceMs = numberOf(stamp)
    const anchor = this.#anchor
    if (!anchor) return this.#map(deviceMs, arrivalMs)
    const always = { epoch: this.#epoch, timeSource: this.#timeSource, epochStarted: false }
    const arrivedMs = Math.round(anchor.ptsMs + arrivalMs - anchor.arrivalMs)
    if (this.#timeSource === 'arrival' || Number.isNaN(deviceMs)) return { ...always, ptsMs: arrivedMs }
    const near = (constant: number) => Math.abs(deviceMs + constant - arrivedMs) <= clockJumpMs
    const own = this.#soundConstant
    this.#soundConstant =
      own !== undefined && near(own) ? own : (sharedConstant(anchor, deviceMs, near) ?? arrivedMs - deviceMs)
    return { ...always, ptsMs: deviceMs + this.#soundConstant }
  }

  #map(deviceMs: number, arrivalMs: number): VehicleTime {
    const wraps = deviceMs < wrapSpan ? ({ wrapBits: 32 } as const) : {}
    const time: TimelineTime = this.#timeline.map({ deviceMs, arrivalMs, ...wraps, ...this.#stepBack })
    if (time.epochStarted) this.#epoch = this.#nextEpoch()
    const { ptsMs, timeSource, epochStarted } = time
    return { ptsMs, timeSource, epochStarted, epoch: this.#epoch }
  }
}

/** The pictures' constant, also where only one of the two clocks has wrapped yet; undefined when it cannot be sound's. */
function sharedConstant(
  { deviceMs: pictureMs, ptsMs }: Anchor,
  soundMs: number,
  near: (constant: number) => boolean,
): number | undefined {
  const wraps = pictureMs < wrapSpan && soundMs < wrapSpan ? [0, wrapSpan, -wrapSpan] : [0]
  return wraps.map((wrap) => ptsMs - pictureMs + wrap).find(near)
}

function numberOf(stamp: Stamp): number {
  return typeof stamp === 'number' ? stamp : noClock
}
