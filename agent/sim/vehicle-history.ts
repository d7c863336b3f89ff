import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { VehicleFootage, VehicleFrame } from './vehicle-footage.ts'
import type { VehicleLine } from './vehicle-line.ts'

/** What is played: the film of a vehicle that has run, round after round, for as long as anybody asks. */
export type HistoryRange = { fromMs: number; toMs: number }

export type HistoryControl =
  | { kind: 'pause' | 'resume' | 'end' | 'keyFrames' }
  | { kind: 'fast' | 'back'; speed: number }
  | { kind: 'seek'; toMs: number }

type Line = Pick<VehicleLine, 'send' | 'closed'>
type Mode = { speed: number; keysOnly: boolean; step: 1 | -1; isPaused: boolean }

/**
 * A vehicle that plays what it has recorded, as fast as it is told to. Times are the vehicle's own, as milliseconds since
 * the epoch as if its clock were UTC; stamps keep the spacing of the recording, whatever the speed.
 */
export class SimHistory {
  readonly #footage: VehicleFootage
  readonly #range: HistoryRange
  readonly #time: Clock
  readonly #stampMs: number
  #mode: Mode = { speed: 1, keysOnly: false, step: 1, isPaused: false }
  #placeMs: number
  #isOver = false
  #changed = new AbortController()

  /** `stampMs`: what its clock says at the beginning of the range. */
  constructor(
    footage: VehicleFootage,
    range: HistoryRange,
    options: { time: Clock; stampMs: number; speed?: number },
  ) {
    this.#footage = footage
    this.#range = range
    this.#time = options.time
    this.#stampMs = options.stampMs
    this.#placeMs = range.fromMs
    this.#mode.speed = options.speed ?? 1
  }

  get isOver(): boolean {
    return this.#isOver
  }

  control(control: HistoryControl): void {
    const usual: Mode = { speed: 1, keysOnly: false, step: 1, isPaused: false }
    if (control.kind === 'pause') this.#mode = { ...this.#mode, isPaused: true }
    else if (control.kind === 'resume') this.#mode = usual
    else if (control.kind === 'end') this.#isOver = true
    else if (control.kind === 'fast') this.#mode = { ...usual, speed: control.speed }
    else if (control.kind === 'keyFrames') this.#mode = { ...usual, keysOnly: true }
    else if (control.kind === 'back')
      this.#mode = { ...usual, speed: control.speed, keysOnly: true, step: -1 }
    else if (control.kind === 'seek')
      this.#placeMs = Math.min(Math.max(control.toMs, this.#range.fromMs), this.#range.toMs)
    this.#changed.abort()
    this.#changed = new AbortController()
  }

  /** Resolves at the end of the range, or when told to end; rejects when the connection is gone. */
  async play(line: Line, signal: AbortSignal): Promise<void> {
    let needsKey = true
    while (!this.#isOver) {
      const changed = this.#changed.signal
      const either = AbortSignal.any([signal, line.closed, changed])
      try {
        needsKey = await this.#run(line, either, needsKey)
      } catch (cause) {
        signal.throwIfAborted()
        line.closed.throwIfAborted()
        if (!changed.aborted) throw AppError.from(cause)
        needsKey = true // It plays on from elsewhere, or otherwise.
      }
    }
  }

  /** In one mode, until it is changed. */
  async #run(line: Line, signal: AbortSignal, needsKey: boolean): Promise<boolean> {
    const { speed, keysOnly, step, isPaused } = this.#mode
    if (isPaused) await this.#time.sleep(2 ** 31 - 1, signal)
    const begunMs = this.#time.monotonicMs()
    const fromMs = this.#placeMs
    let needs = needsKey
    for (const { frame, placeMs } of this.#frames(fromMs, step)) {
      const isKey = frame.dataType === 0
      if (keysOnly && !isKey) continue
      const waitMs = begunMs + Math.abs(placeMs - fromMs) / speed - this.#time.monotonicMs()
      if (waitMs > 0) await this.#time.sleep(waitMs, signal)
      signal.throwIfAborted()
      this.#placeMs = placeMs
      needs &&= !isKey
      if (!needs)
        await line.send(frame, this.#stampMs + placeMs - this.#range.fromMs + frame.stampMs - frame.atMs)
    }
    this.#isOver = true
    return needs
  }

  /** From a place on, or back from it: the film fills all time since the epoch. */
  *#frames(fromMs: number, step: 1 | -1): Generator<{ frame: VehicleFrame; placeMs: number }> {
    const { frames, durationMs } = this.#footage
    const ordered = step === 1 ? frames : frames.toReversed()
    for (let round = Math.floor(fromMs / durationMs); ; round += step) {
      for (const frame of ordered) {
        const placeMs = round * durationMs + frame.atMs
        if ((placeMs - fromMs) * step < 0) continue
        if (placeMs < this.#range.fromMs || placeMs >= this.#range.toMs) return
        yield { frame, placeMs }
      }
    }
  }
}
