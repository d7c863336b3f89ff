import { AppError } from '../../shared/error.ts'
import { flvTrackSkewMs, reorderMs } from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { ParsedPicture } from '../../shared/media/access-unit-parser.ts'
import { AudioClock } from '../../shared/media/audio-clock.ts'
import type { FlvTag } from '../../shared/media/flv.ts'
import { type FlvAudio, parseFlvAudio } from '../../shared/media/flv-audio.ts'
import { parseFlvMetadata } from '../../shared/media/flv-metadata.ts'
import { type FlvVideo, parseFlvVideo } from '../../shared/media/flv-video.ts'
import { Timeline, type TimelineTime } from '../../shared/media/timeline.ts'
import { FlvSound } from './flv-audio.ts'
import { FlvPictures } from './flv-video.ts'

/** An instant on both clocks. */
export type Moment = { monotonicMs: number; wallMs: number }

export type FlvRefusal = 'bad-picture' | 'bad-sound' | 'no-configuration' | 'bad-metadata'

export type FlvTaken = { unit?: AccessUnit; gap?: SourceGap; refused?: FlvRefusal }

/**
 * FLV tags of one source, from a file or an RTMP publisher → access units on one timeline for sound and pictures.
 *
 * Stamps wrap at 2³² and are the decoding times; a picture is shown by its (signed) composition time later. A picture
 * that cannot be read is a counted refusal, and a gap before the next picture.
 */
export class FlvUnits {
  readonly #timeline: Timeline
  readonly #pictures = new FlvPictures()
  readonly #sound = new FlvSound()
  #audioClock: AudioClock | undefined
  #audioConfig: AccessUnit['config'] | undefined
  /** Timeline ms of the newest stamp in this epoch, by track and of all. */
  readonly #newest = new Map<FlvTag['kind'], number>()
  #newestMs = 0
  readonly #nextEpoch: () => number
  #epoch = 0
  #lastDtsMs: number | undefined
  #lastPtsMs: number | undefined
  #missed = 0
  /** What the sender says of its stream; nothing here is believed for times or sizes. */
  metadata: ReturnType<typeof parseFlvMetadata>

  /** `nextEpoch`: numbers that are this source's alone, where several share a stream one after the other. */
  constructor(now: Moment, nextEpoch = counter()) {
    this.#timeline = new Timeline(now)
    this.#nextEpoch = nextEpoch
  }

  /** Timeline ms of the newest unit. */
  get lastPtsMs(): number | undefined {
    return this.#lastPtsMs
  }

  /** Nothing more comes: pictures that were refused last. */
  end(): SourceGap | undefined {
    return this.#lastPtsMs === undefined ? undefined : this.#gapBefore(this.#lastPtsMs)
  }

  /** Never throws. */
  take(tag: FlvTag, at: Moment): FlvTaken {
    try {
      if (tag.kind === 'video') return this.#video(parseFlvVideo(tag.body), tag, at)
      if (tag.kind === 'audio') return this.#audio(parseFlvAudio(tag.body), tag, at)
      this.metadata = parseFlvMetadata(tag.body) ?? this.metadata
      return {}
    } catch (cause) {
      if (tag.kind === 'video') this.#missed += 1
      return { refused: refusalOf(tag, AppError.from(cause)) }
    }
  }

  #video(video: FlvVideo, tag: FlvTag, at: Moment): FlvTaken {
    if (video.kind === 'config') this.#pictures.config(video)
    if (video.kind !== 'picture') return {}
    const picture = this.#pictures.picture(video)
    if (!picture) return {}
    const time = this.#time(tag, at)
    const stampMs = time.ptsMs
    // Two pictures of one stamp, or one that steps back by less than an epoch needs: decoding goes on.
    const dtsMs = Math.max(stampMs, this.#lastDtsMs ?? stampMs)
    const unit = this.#unit(picture, { dtsMs, ptsMs: stampMs + video.compositionMs }, time, at)
    const gap = this.#gapBefore(unit.ptsMs)
    this.#lastDtsMs = dtsMs
    this.#seen(unit.ptsMs)
    return gap ? { unit, gap } : { unit }
  }

  #unit(
    { damaged, ...picture }: ParsedPicture,
    times: Pick<AccessUnit, 'dtsMs' | 'ptsMs'>,
    { timeSource }: TimelineTime,
    { monotonicMs: arrivalMs }: Moment,
  ): AccessUnit {
    const hurt = damaged ? { damaged: true } : {}
    return { track: 'video', ...picture, ...times, arrivalMs, epoch: this.#epoch, timeSource, ...hurt }
  }

  #audio(audio: FlvAudio, tag: FlvTag, at: Moment): FlvTaken {
    if (audio.kind === 'config') this.#sound.config(audio)
    if (audio.kind !== 'frame' || audio.payload.length === 0) return {}
    const config = this.#sound.frame(audio)
    if (config !== this.#audioConfig) {
      this.#audioConfig = config
      this.#audioClock = new AudioClock(config)
    }
    const time = this.#time(tag, at)
    const ptsMs = this.#audioClock?.next(time.ptsMs).ptsMs ?? time.ptsMs
    this.#seen(ptsMs)
    const sizes = { nalUnits: [audio.payload], sizeBytes: audio.payload.length }
    const always = { track: 'audio', randomAccess: true, idr: false } as const
    const { timeSource } = time
    const times = { dtsMs: ptsMs, ptsMs, arrivalMs: at.monotonicMs, epoch: this.#epoch, timeSource }
    return { unit: { ...always, config, ...sizes, ...times } }
  }

  #time({ kind, timestampMs }: FlvTag, { monotonicMs: arrivalMs }: Moment): TimelineTime {
    const tolerance = this.#behindMs(kind)
    const time = this.#timeline.map({ deviceMs: timestampMs, arrivalMs, wrapBits: 32, reorderMs: tolerance })
    if (time.epochStarted) {
      this.#epoch = this.#nextEpoch()
      this.#newest.clear()
      this.#newestMs = time.ptsMs
      this.#lastDtsMs = undefined
      this.#audioClock?.restart()
    }
    this.#newest.set(kind, Math.max(this.#newest.get(kind) ?? time.ptsMs, time.ptsMs))
    this.#newestMs = Math.max(this.#newestMs, time.ptsMs)
    return time
  }

  /** How far a track may be behind the newest stamp of all: as far as it is, and a step back that is no new clock. */
  #behindMs(kind: FlvTag['kind']): number {
    const own = this.#newest.get(kind)
    return own === undefined ? flvTrackSkewMs : this.#newestMs - own + reorderMs
  }

  #seen(ptsMs: number): void {
    this.#lastPtsMs = Math.max(this.#lastPtsMs ?? ptsMs, ptsMs)
  }

  #gapBefore(ptsMs: number): SourceGap | undefined {
    const units = this.#missed
    this.#missed = 0
    if (units === 0) return undefined
    return { fromMs: Math.min(this.#lastPtsMs ?? ptsMs, ptsMs), toMs: ptsMs, cause: 'bad-packet', units }
  }
}

/** 0, 1, 2 … */
export function counter(): () => number {
  let last = -1
  return () => {
    last += 1
    return last
  }
}

function refusalOf({ kind }: FlvTag, error: AppError): FlvRefusal {
  if (kind === 'script') return 'bad-metadata'
  if (error.kind === 'FailedPrecondition') return 'no-configuration'
  return kind === 'video' ? 'bad-picture' : 'bad-sound'
}
