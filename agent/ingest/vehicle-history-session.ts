import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { WallOffset } from '../../shared/media/clock-offset.ts'
import {
  historyBoundMs,
  historyComeMs,
  historyIdleMs,
  historyLostMs,
  historyRetriesMax,
  historySlackMs,
  historySteadyMs,
  historyStepMs,
  vehicleRepeatMs,
  vehicleSilenceMs,
} from '../../shared/vehicle-limits.ts'
import type { TimeRange } from './vehicle-history-lists.ts'
import { HistoryPlace, placeAfterLeap, stepOf } from './vehicle-history-place.ts'

/** `waiting`: the vehicle has not come, or not come back; `over`: it is not played any more. */
export type HistoryState = 'waiting' | 'playing' | 'paused' | 'over'

/** Why it is over. */
export type HistoryEnd =
  | 'complete'
  | 'stopped'
  | 'unwatched'
  | 'vehicle-away'
  | 'vehicle-lost'
  | 'replaced'
  | 'shutdown'

export type HistoryPublisher = {
  push(unit: AccessUnit): void
  gap(gap: SourceGap): void
  end(reason: string): void
}

export type SessionNeeds = {
  /** What the vehicle says that it holds, by its beginnings; nothing when it was not asked. */
  held: () => readonly TimeRange[]
  /** Tells the vehicle to play from there. */
  ask: (from: number) => void
  /** What the vehicle still sends is not taken any more. */
  hangUp: () => void
  setWallOffset: (offset: WallOffset) => void
  onOver: (reason: HistoryEnd) => void
}

type Options = SessionNeeds & { range: TimeRange; isRecorded: boolean; nowMs: number }

/**
 * One range of a vehicle's history, as it is played. What the vehicle sends bears no wall time: the range that was
 * asked for begins with the first unit, and from there the vehicle's own stamps count.
 *
 * Sans I/O: driven by units, by `tick` and by what the vehicle and people do. Times of `tick` are monotonic ms.
 */
export class HistorySession {
  readonly range: TimeRange
  readonly isRecorded: boolean
  watchers = 0
  #state: HistoryState = 'waiting'
  #end: HistoryEnd | undefined
  /** Wall ms of the vehicle: the newest picture. */
  #position: number
  #reached = false
  #hasPictures = false
  /** Of the epoch that plays. */
  #anchor: { epoch: number; offsetMs: number } | undefined
  /** Of the newest picture. */
  #sourceMs: number | undefined
  #publisher: HistoryPublisher | undefined
  readonly #needs: SessionNeeds
  /** Of what people control; a recording is played from its beginning to its end. */
  readonly #controlled: HistoryPlace | undefined
  #askedMs: number
  #sinceMs: number
  #heardMs: number
  #watchedMs: number
  #retries = 0
  #asks = 1

  constructor({ range, isRecorded, nowMs, ...needs }: Options) {
    this.range = range
    this.isRecorded = isRecorded
    this.#needs = needs
    this.#position = range.from
    this.#controlled = isRecorded ? undefined : new HistoryPlace(range.from, needs.held)
    this.#askedMs = nowMs
    this.#sinceMs = nowMs
    this.#heardMs = nowMs
    this.#watchedMs = nowMs
  }

  get state(): HistoryState {
    return this.#state
  }

  get end(): HistoryEnd | undefined {
    return this.#end
  }

  get position(): number {
    return Math.max(this.range.from, this.#controlled?.position ?? this.#position)
  }

  /** Whether a picture came. */
  get reached(): boolean {
    return this.#reached
  }

  get isConnected(): boolean {
    return this.#publisher !== undefined
  }

  /** The vehicle has come. What is answered is what its connection writes to. */
  attach(publisher: HistoryPublisher, nowMs: () => number): HistoryPublisher {
    this.#publisher = publisher
    this.#anchor = this.#sourceMs = undefined // Another connection, another clock.
    this.#controlled?.restart(this.position)
    this.#heardMs = nowMs()
    if (this.#state === 'waiting') this.#state = 'playing'
    return {
      push: (unit) => this.#push(publisher, unit, nowMs()),
      gap: (gap) => {
        if (this.#publisher === publisher && this.#reached) publisher.gap(gap)
      },
      end: (reason) => {
        publisher.end(reason)
        if (this.#publisher === publisher) this.#lost(nowMs())
      },
    }
  }

  tick(nowMs: number): void {
    if (this.#state === 'over') return
    if (this.watchers > 0 || this.isRecorded) this.#watchedMs = nowMs
    if (nowMs - this.#watchedMs > historyIdleMs) this.finish('unwatched')
    else if (this.#state === 'waiting') this.#tickWaiting(nowMs)
    else if (this.#state === 'playing') this.#tickPlaying(nowMs)
  }

  pause(): void {
    if (this.#state === 'playing') this.#state = 'paused'
  }

  /** False: the vehicle is gone, and was asked to begin again from where it was. */
  resume(nowMs: number): boolean {
    if (this.#state !== 'paused') return true
    this.#heardMs = nowMs
    if (this.#publisher) {
      this.#state = 'playing'
      return true
    }
    this.#askAgain(nowMs)
    return false
  }

  /** The vehicle was told to play on like this. */
  turn(direction: 'forward' | 'back'): void {
    this.#controlled?.play(direction)
  }

  /** The vehicle was told to go there. */
  seek(to: number, nowMs: number): void {
    this.#controlled?.seek(to, nowMs)
  }

  finish(reason: HistoryEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#end = reason
    this.#publisher?.end(reason)
    this.#publisher = undefined
    this.#needs.onOver(reason)
  }

  get #isThrough(): boolean {
    return this.#reached && this.position >= this.range.to - historySlackMs
  }

  #push(publisher: HistoryPublisher, unit: AccessUnit, nowMs: number): void {
    if (this.#publisher !== publisher) return
    this.#heardMs = nowMs
    if (nowMs - this.#askedMs > historySteadyMs) this.#retries = 0
    if (this.#controlled) this.#step(this.#controlled, unit, nowMs)
    else this.#follow(unit)
    this.#reached = true
    publisher.push(unit)
  }

  #step(place: HistoryPlace, { track, sourceMs, ptsMs }: AccessUnit, nowMs: number): void {
    this.#hasPictures ||= track === 'video'
    if (track === 'audio' && this.#hasPictures) return
    if (sourceMs === undefined) place.came(ptsMs, 'timeline', nowMs)
    else place.came(sourceMs, 'vehicle', nowMs)
  }

  #follow(unit: AccessUnit): void {
    if (this.#anchor?.epoch !== unit.epoch) this.#place(unit)
    this.#position = Math.max(this.#position, unit.ptsMs + (this.#anchor?.offsetMs ?? 0))
    this.#sourceMs = unit.sourceMs ?? this.#sourceMs
  }

  /** A new run of the vehicle's clock begins where it was told to play, or as far on as its stamps say, or in its next file. */
  #place({ epoch, ptsMs, sourceMs }: AccessUnit): void {
    const before = this.#sourceMs
    const stepMs = before === undefined || sourceMs === undefined ? Number.NaN : stepOf(before, sourceMs)
    const isStep = stepMs >= 0 && stepMs <= historyStepMs
    const after = isStep ? this.#position + stepMs : placeAfterLeap(this.#position, this.#needs.held())
    const offsetMs = (this.#anchor ? after : this.#position) - ptsMs
    this.#anchor = { epoch, offsetMs }
    this.#needs.setWallOffset({ wallOffsetMs: offsetMs, wallBoundMs: historyBoundMs })
  }

  #lost(nowMs: number): void {
    this.#publisher = undefined
    if (this.#state === 'paused' || this.#state === 'over') return // It is asked again when somebody goes on.
    if (this.#isThrough) {
      this.finish('complete')
      return
    }
    this.#state = 'waiting'
    this.#sinceMs = nowMs
    this.#askedMs = Number.NEGATIVE_INFINITY
  }

  #tickWaiting(nowMs: number): void {
    const isLost = this.#askedMs === Number.NEGATIVE_INFINITY
    if (isLost) {
      if (nowMs - this.#sinceMs < historyLostMs) return
      if (this.#retries >= historyRetriesMax) this.finish('vehicle-lost')
      else this.#askAgain(nowMs)
      return
    }
    if (nowMs - this.#sinceMs >= historyComeMs) this.finish(this.#reached ? 'vehicle-lost' : 'vehicle-away')
    else if (nowMs - this.#askedMs >= vehicleRepeatMs && this.#asks < 2) {
      this.#asks += 1
      this.#askedMs = nowMs
      this.#needs.ask(this.position)
    }
  }

  #tickPlaying(nowMs: number): void {
    // Some vehicles go on past the end, some say nothing any more and keep the connection.
    if (this.position >= this.range.to + historySlackMs) this.finish('complete')
    else if (nowMs - this.#heardMs < vehicleSilenceMs) return
    else if (this.#isThrough) this.finish('complete')
    else this.#giveUp(nowMs)
  }

  #giveUp(nowMs: number): void {
    this.#publisher?.end('silent')
    this.#publisher = undefined
    this.#needs.hangUp()
    this.#lost(nowMs)
  }

  #askAgain(nowMs: number): void {
    this.#retries += 1
    this.#asks = 1
    this.#state = 'waiting'
    this.#sinceMs = nowMs
    this.#askedMs = nowMs
    this.#position = Math.floor(this.position / 1000) * 1000 // Commands know seconds.
    this.#controlled?.restart(this.#position)
    this.#needs.ask(this.#position)
  }
}
