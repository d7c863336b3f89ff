import { AppError } from '../../shared/error.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { type ParsedPicture, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { DecodeTimes } from '../../shared/media/reorder.ts'
import { Timeline, type TimelineTime } from '../../shared/media/timeline.ts'
import type { RtpUnit } from '../protocol/rtsp/depacketizer.ts'
import type { VideoFormat } from '../protocol/rtsp/sdp.ts'
import type { Moment } from './flv-units.ts'
import type { RtpClock } from './rtsp-clock.ts'

export type PictureTaken = {
  unit: AccessUnit
  gap?: SourceGap
  epochStarted: boolean
  /** On the track's own clock, and on the timeline. */
  clockMs: number
  stampMs: number
}

/**
 * Pictures of one RTSP connection → access units. RTP stamps say when a picture is shown; when it is decoded follows
 * from their order. What is missing, or cannot be read, is the gap before the next picture.
 */
export class RtspVideo {
  /** Pictures that were refused. */
  refused = 0
  readonly #parser: VideoUnitParser
  readonly #clock: RtpClock
  readonly #timeline: Timeline
  readonly #nextEpoch: () => number
  readonly #decodeTimes = new DecodeTimes(0)
  #epoch = 0
  #lastPtsMs: number | undefined
  #lost = false
  #missed = 0

  constructor(format: VideoFormat, clock: RtpClock, now: Moment, nextEpoch: () => number) {
    this.#parser = new VideoUnitParser(format.codec)
    this.#clock = clock
    this.#timeline = new Timeline(now)
    this.#nextEpoch = nextEpoch
    try {
      this.#parser.parseNalUnits(format.parameterSets)
    } catch {
      // An SDP that lies about them: they come in band, or no picture can be read, which is said then.
    }
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Undefined when there is no picture in it. */
  take(from: RtpUnit): PictureTaken | undefined {
    if (from.lost > 0) this.#lost = true
    const picture = this.#parse(from)
    if (!picture) return undefined
    const clockMs = this.#clock.ms(from.timestamp)
    const time = this.#timeline.map({ deviceMs: clockMs, arrivalMs: from.arrivalMs })
    if (time.epochStarted) this.#epoch = this.#nextEpoch()
    const unit = this.#unit(picture, time, from)
    const gap = this.#gapBefore(unit.ptsMs)
    this.#lastPtsMs = Math.max(this.#lastPtsMs ?? unit.ptsMs, unit.ptsMs)
    return { unit, ...(gap && { gap }), epochStarted: time.epochStarted, clockMs, stampMs: time.ptsMs }
  }

  /** Something around the last picture may be hurt: there is a gap before the next. */
  doubt(): void {
    this.#lost = true
  }

  /** Nothing more comes: what was lost or refused last. */
  end(): SourceGap | undefined {
    return this.#lastPtsMs === undefined ? undefined : this.#gapBefore(this.#lastPtsMs)
  }

  #parse({ parts, damaged }: RtpUnit): ParsedPicture | undefined {
    if (damaged) this.#lost = true
    try {
      return this.#parser.parseNalUnits(parts, damaged)
    } catch (cause) {
      // Before its parameter sets a picture is not lost: it can begin nothing.
      if (AppError.from(cause).kind !== 'FailedPrecondition') this.#missed += 1
      this.refused += 1
      return undefined
    }
  }

  #unit({ damaged, ...picture }: ParsedPicture, time: TimelineTime, { arrivalMs }: RtpUnit): AccessUnit {
    const depth = picture.config.reorderDepth
    if (time.epochStarted) this.#decodeTimes.restart(depth)
    else this.#decodeTimes.deepen(depth)
    const { dtsMs, ptsMs } = this.#decodeTimes.next(time.ptsMs)
    const { timeSource } = time
    const about = { arrivalMs, epoch: this.#epoch, timeSource, ...(damaged ? { damaged: true } : {}) }
    return { track: 'video', ...picture, dtsMs, ptsMs, ...about }
  }

  #gapBefore(toMs: number): SourceGap | undefined {
    const [lost, units] = [this.#lost, this.#missed]
    this.#lost = false
    this.#missed = 0
    if (this.#lastPtsMs === undefined || (!lost && units === 0)) return undefined
    const fromMs = Math.min(this.#lastPtsMs, toMs)
    return lost ? { fromMs, toMs, cause: 'sequence' } : { fromMs, toMs, cause: 'bad-packet', units }
  }
}
