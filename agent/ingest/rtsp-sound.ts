import { audioWaitUnitsMax } from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { AudioClock } from '../../shared/media/audio-clock.ts'
import type { Timeline } from '../../shared/media/timeline.ts'
import type { RtpUnit } from '../protocol/rtsp/depacketizer.ts'
import type { AudioFormat } from '../protocol/rtsp/sdp.ts'
import type { RtpClock } from './rtsp-clock.ts'

type OnTimeline = { ptsMs(clockMs: number, arrivalMs: number): number | undefined; readonly epoch?: number }

/** Sound without pictures makes its own timeline. */
export function aloneOn(timeline: Timeline, nextEpoch: () => number): OnTimeline {
  let epoch = 0
  return {
    get epoch() {
      return epoch
    },
    ptsMs: (deviceMs, arrivalMs) => {
      const time = timeline.map({ deviceMs, arrivalMs })
      if (time.epochStarted) epoch = nextEpoch()
      return time.ptsMs
    },
  }
}

/** A frame of sound, and what is missing before it. */
export type Heard = { unit: AccessUnit; gap?: SourceGap }

/** Frames of sound of one RTSP connection → access units on the timeline of its pictures. */
export class RtspSound {
  readonly #format: AudioFormat
  readonly #clock: RtpClock
  readonly #timeline: OnTimeline
  readonly #frames: AudioClock
  /** Frames that came before the first picture: they have no time before it has one. */
  #waiting: RtpUnit[] = []
  #lastPtsMs: number | undefined
  #lost = false

  constructor(format: AudioFormat, clock: RtpClock, timeline: OnTimeline) {
    this.#format = format
    this.#clock = clock
    this.#timeline = timeline
    this.#frames = new AudioClock(format.config)
  }

  restart(): void {
    this.#frames.restart()
    this.#lastPtsMs = undefined
  }

  take(from: RtpUnit, videoEpoch: number | undefined): Heard[] {
    const heard = this.#place(from, videoEpoch)
    if (heard !== 'early') return heard
    this.#waiting.push(from)
    if (this.#waiting.length > audioWaitUnitsMax) this.#waiting.shift()
    return []
  }

  /** There is a picture: what waited for it. */
  waited(videoEpoch: number): Heard[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting.flatMap((from) => this.take(from, videoEpoch))
  }

  #place(
    { timestamp, offset, parts, lost, arrivalMs }: RtpUnit,
    videoEpoch: number | undefined,
  ): Heard[] | 'early' {
    const [payload] = parts
    const stampMs = this.#timeline.ptsMs(this.#clock.ms(timestamp, offset), arrivalMs)
    if (stampMs === undefined) return 'early'
    if (lost > 0) this.#lost = true
    if (!payload || payload.length === 0) return []
    const { ptsMs } = this.#frames.next(stampMs)
    const epoch = videoEpoch ?? this.#timeline.epoch ?? 0
    const times = { dtsMs: ptsMs, ptsMs, arrivalMs, epoch, timeSource: 'device' } as const
    const always = { track: 'audio', randomAccess: true, idr: false, config: this.#format.config } as const
    const gap = this.#gapBefore(ptsMs)
    this.#lastPtsMs = ptsMs
    return [
      { unit: { ...always, nalUnits: [payload], sizeBytes: payload.length, ...times }, ...(gap && { gap }) },
    ]
  }

  #gapBefore(toMs: number): SourceGap | undefined {
    const isLost = this.#lost
    this.#lost = false
    if (!isLost || this.#lastPtsMs === undefined) return undefined
    return { fromMs: Math.min(this.#lastPtsMs, toMs), toMs, cause: 'sequence' }
  }
}
