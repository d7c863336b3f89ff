import { AppError } from '../../shared/error.ts'
import type { AccessUnit, SourceGap, VideoConfig } from '../../shared/media/access-unit.ts'
import { type ParsedPicture, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { DecodeTimes } from '../../shared/media/reorder.ts'
import { Timeline, type TimelineTime } from '../../shared/media/timeline.ts'
import type { PhonePacket } from '../protocol/phone.ts'
import type { Rotation } from '../protocol/phone-text.ts'
import { PhoneSequence, type SequenceStep } from './phone-sequence.ts'
import type { Moment, Pictures } from './phone-session.ts'

type Taken = { unit?: AccessUnit; gaps: SourceGap[]; refused?: string }

/**
 * Packets of one phone → access units: one packet with a picture is exactly one unit, or a counted refusal that
 * the next unit's gap tells of.
 *
 * Packets of parameter sets alone are no pictures: not numbered, and their time (often 0) is not used. Numbers
 * tell how many are missing; the timeline goes on over captures and connections, since the device's clock does.
 */
export class PhonePictures implements Pictures {
  /** Clockwise, as the phone says; in force from the next picture that begins a GOP. */
  rotation: Rotation = 0
  readonly #parser = new VideoUnitParser('h264')
  readonly #sequence = new PhoneSequence()
  readonly #timeline: Timeline
  readonly #decodeTimes = new DecodeTimes(0)
  #epoch = -1
  #lastPtsMs: number | undefined
  #last: PhonePacket | undefined
  #passedOver = 0
  #turned: { config: VideoConfig; by: Rotation; result: VideoConfig } | undefined
  #rotationInForce: Rotation = 0
  #missed = 0
  #interrupted = false

  constructor(now: Moment) {
    this.#timeline = new Timeline(now)
  }

  begin(): void {
    this.#sequence.reset()
    this.#missed = 0
    this.#interrupted = false
    this.#lastPtsMs = undefined
  }

  interrupt(): void {
    if (this.#lastPtsMs !== undefined) this.#interrupted = true
  }

  missed(): void {
    this.#missed += 1
  }

  take(packet: PhonePacket, at: Moment): Taken {
    let picture: ParsedPicture | undefined
    try {
      picture = this.#parser.parse(packet.payload)
    } catch (error) {
      this.#missed += 1
      const early = AppError.from(error).kind === 'FailedPrecondition'
      return { gaps: [], refused: early ? 'no-parameter-sets' : 'bad-picture' }
    }
    if (!picture) {
      this.#passOver(packet.sequence)
      return { gaps: [] }
    }
    if (this.#repeats(packet)) return { gaps: [], refused: 'duplicate' }
    const step = this.#sequence.next(packet.sequence)
    const time = this.#timeline.map({ deviceMs: packet.deviceMs, arrivalMs: at.monotonicMs })
    const unit = this.#unit(picture, time, at)
    const gaps = this.#gaps(step, time.ptsMs)
    this.#lastPtsMs = Math.max(this.#lastPtsMs ?? unit.ptsMs, unit.ptsMs)
    this.#last = packet
    return { unit, gaps }
  }

  /** The same number, time and bytes are the same picture again; otherwise the numbering is broken. */
  #repeats({ sequence, deviceMs, payload }: PhonePacket): boolean {
    const last = this.#last
    if (!last || last.sequence !== sequence || last.deviceMs !== deviceMs) return false
    return Buffer.compare(last.payload, payload) === 0
  }

  /** Some apps number their parameter sets, some do not: either way no picture is missing for it. */
  #passOver(sequence: number): void {
    const step = this.#sequence.peek(sequence)
    if (step.kind === 'next' || step.kind === 'wrap') this.#sequence.next(sequence)
    else if (step.kind === 'gap') this.#passedOver += 1
  }

  #unit(picture: ParsedPicture, time: TimelineTime, at: Moment): AccessUnit {
    const config = this.#configOf(picture)
    if (time.epochStarted) {
      this.#epoch += 1
      this.#decodeTimes.restart(config.reorderDepth)
    } else this.#decodeTimes.deepen(config.reorderDepth)
    const { dtsMs, ptsMs } = this.#decodeTimes.next(time.ptsMs)
    return {
      track: 'video',
      config,
      nalUnits: picture.nalUnits,
      sizeBytes: picture.sizeBytes,
      randomAccess: picture.randomAccess,
      idr: picture.idr,
      dtsMs,
      ptsMs,
      arrivalMs: at.monotonicMs,
      epoch: this.#epoch,
      timeSource: time.timeSource,
      ...(picture.damaged ? { damaged: true } : {}),
    }
  }

  /** A turn in mid-GOP waits for the next GOP: a new configuration cuts the recording. */
  #configOf(picture: ParsedPicture): VideoConfig {
    if (picture.randomAccess || this.#turned === undefined) this.#rotationInForce = this.rotation
    const { config } = picture
    if (this.#turned?.config !== config || this.#turned.by !== this.#rotationInForce) {
      const result = this.#rotationInForce === 0 ? config : { ...config, rotation: this.#rotationInForce }
      this.#turned = { config, by: this.#rotationInForce, result }
    }
    return this.#turned.result
  }

  #gaps(step: SequenceStep, toMs: number): SourceGap[] {
    const fromMs = Math.min(this.#lastPtsMs ?? toMs, toMs)
    const missing = step.kind === 'gap' ? Math.max(0, step.missing - this.#passedOver) : 0
    // A packet that was refused is also missing in the numbers: told once, with what is known of it.
    const bad = Math.min(this.#missed, missing)
    const gaps: SourceGap[] = []
    if (this.#interrupted) {
      gaps.push({ fromMs, toMs, cause: 'source-lost', ...(missing > 0 ? { units: missing } : {}) })
    } else {
      if (bad > 0) gaps.push({ fromMs, toMs, cause: 'bad-packet', units: bad })
      if (missing > bad) gaps.push({ fromMs, toMs, cause: 'sequence', units: missing - bad })
      if (this.#missed > 0 && numbersSayNothing(step)) {
        gaps.push({ fromMs, toMs, cause: 'bad-packet', units: this.#missed })
      }
    }
    this.#missed = 0
    this.#passedOver = 0
    this.#interrupted = false
    return gaps
  }
}

function numbersSayNothing({ kind }: SequenceStep): boolean {
  return kind === 'first' || kind === 'restart' || kind === 'duplicate'
}
