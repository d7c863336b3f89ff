import { AppError } from '../../shared/error.ts'
import { flvTrackSkewMs, reorderMs } from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import {
  type ParsedPicture,
  splitAccessUnits,
  VideoUnitParser,
} from '../../shared/media/access-unit-parser.ts'
import { type AdtsFrame, AdtsStream } from '../../shared/media/adts-stream.ts'
import { AudioClock } from '../../shared/media/audio-clock.ts'
import { MpegTsParser, type TsPayload } from '../../shared/media/mpegts.ts'
import type { NalCodec } from '../../shared/media/nal.ts'
import { Timeline, type TimelineTime } from '../../shared/media/timeline.ts'
import type { FlvOutput } from './flv.ts'
import { counter, type Moment } from './flv-units.ts'

const ticksPerMs = 90
const usualSpacing = 3600 // 25 pictures a second, until two stamps say more.

/** The bytes of one MPEG transport stream → units on one timeline for sound and pictures. */
export class MpegTsSource {
  readonly #parser = new MpegTsParser()
  readonly #output: FlvOutput
  readonly #timeline: Timeline
  readonly #sound = new AdtsStream()
  #pictures: { codec: NalCodec; parser: VideoUnitParser } | undefined
  #audioClock: { config: AdtsFrame['config']; clock: AudioClock } | undefined
  #nextSoundTicks: number | undefined
  #soundLost = false
  #lastSoundMs: number | undefined
  readonly #nextEpoch: () => number
  #epoch = 0
  #spacing = usualSpacing
  #lastTicks: number | undefined
  #lastDtsMs: number | undefined
  #lastPtsMs: number | undefined
  #missed = 0
  /** Timeline ms of the newest stamp in this epoch, by track and of all. */
  readonly #newest = new Map<AccessUnit['track'], number>()
  #newestMs = 0

  /** `nextEpoch`: numbers that are this source's alone, over its connections. */
  constructor(now: Moment, output: FlvOutput, nextEpoch = counter()) {
    this.#timeline = new Timeline(now)
    this.#nextEpoch = nextEpoch
    this.#output = output
  }

  /** InvalidArgument when the bytes are no MPEG-TS, FailedPrecondition when it holds nothing that can be carried. */
  push(bytes: Uint8Array, at: Moment): void {
    for (const payload of this.#parser.push(bytes)) this.#take(payload, at)
  }

  /** Nothing more comes: the last picture ends only here. */
  end(at: Moment): void {
    for (const payload of this.#parser.end()) this.#take(payload, at)
  }

  #take(payload: TsPayload, at: Moment): void {
    if (payload.kind === 'aac') this.#takeSound(payload, at)
    else this.#takePictures(payload.kind, payload, at)
  }

  #takePictures(codec: NalCodec, payload: TsPayload, at: Moment): void {
    if (this.#pictures?.codec !== codec) this.#pictures = { codec, parser: new VideoUnitParser(codec) }
    const { parser } = this.#pictures
    const pieces = this.#split(codec, payload.payload)
    const dts = payload.dts ?? (this.#lastTicks ?? 0) + this.#spacing
    if (payload.dts !== undefined && this.#lastTicks !== undefined && dts > this.#lastTicks) {
      this.#spacing = dts - this.#lastTicks
    }
    for (const [n, piece] of pieces.entries()) {
      const ticks = dts + Math.round((n * this.#spacing) / pieces.length) // Stamps are the first one's.
      const pts = n === 0 ? (payload.pts ?? ticks) : ticks
      const picture = this.#read(parser, piece)
      if (picture) this.#picture(picture, { dts: ticks, pts }, payload, at)
    }
    this.#lastTicks = dts
  }

  /** A packet holds one picture, as a rule; or only parameter sets. */
  #split(codec: NalCodec, annexB: Uint8Array): Uint8Array[] {
    try {
      const pieces = splitAccessUnits(annexB, codec)
      return pieces.length === 0 ? [annexB] : pieces
    } catch {
      return [annexB]
    }
  }

  #read(parser: VideoUnitParser, piece: Uint8Array): ParsedPicture | undefined {
    try {
      return parser.parse(piece)
    } catch (cause) {
      const isEarly = AppError.from(cause).kind === 'FailedPrecondition'
      this.#output.refused(isEarly ? 'no-configuration' : 'bad-picture')
      if (this.#lastPtsMs !== undefined) this.#missed += 1
      return undefined
    }
  }

  #picture(
    { damaged, ...picture }: ParsedPicture,
    ticks: { dts: number; pts: number },
    harm: Pick<TsPayload, 'damaged' | 'lossBefore'>,
    at: Moment,
  ): void {
    const time = this.#time('video', ticks.dts, at)
    const shownAfter = Math.round(ticks.pts / ticksPerMs) - Math.round(ticks.dts / ticksPerMs)
    const dtsMs = Math.max(time.ptsMs, this.#lastDtsMs ?? time.ptsMs)
    const ptsMs = time.ptsMs + shownAfter
    const hurt = damaged || harm.damaged ? { damaged: true } : {}
    const gap = this.#gapBefore(ptsMs, harm)
    if (gap) this.#output.gap(gap)
    this.#lastDtsMs = dtsMs
    this.#seen(ptsMs)
    const { timeSource } = time
    const times = { dtsMs, ptsMs, arrivalMs: at.monotonicMs, epoch: this.#epoch, timeSource }
    this.#output.unit({ track: 'video', ...picture, ...times, ...hurt })
  }

  #takeSound({ payload, pts, damaged, lossBefore }: TsPayload, at: Moment): void {
    if (damaged || lossBefore) {
      this.#sound.clear()
      this.#soundLost = true
    }
    let isAnchored = false
    for (const frame of this.#sound.push(payload)) {
      if (!frame.carried && !isAnchored) {
        this.#nextSoundTicks = pts ?? this.#nextSoundTicks
        isAnchored = true
      }
      if (this.#nextSoundTicks === undefined) continue
      this.#frame(frame, this.#nextSoundTicks, at)
      const { frameSamples, sampleRate } = frame.config
      this.#nextSoundTicks += (frameSamples * 90_000) / sampleRate
    }
  }

  #frame({ config, payload }: AdtsFrame, ticks: number, at: Moment): void {
    if (this.#audioClock?.config !== config) this.#audioClock = { config, clock: new AudioClock(config) }
    const time = this.#time('audio', ticks, at)
    const { ptsMs } = this.#audioClock.clock.next(time.ptsMs)
    this.#soundGapBefore(ptsMs)
    this.#lastSoundMs = ptsMs
    this.#seen(ptsMs)
    const { timeSource } = time
    this.#output.unit({
      ...{
        track: 'audio',
        config,
        nalUnits: [payload],
        sizeBytes: payload.length,
        randomAccess: true,
        idr: false,
      },
      ...{ dtsMs: ptsMs, ptsMs, arrivalMs: at.monotonicMs, epoch: this.#epoch, timeSource },
    })
  }

  #time(track: AccessUnit['track'], ticks: number, { monotonicMs: arrivalMs }: Moment): TimelineTime {
    const own = this.#newest.get(track)
    const behind = own === undefined ? flvTrackSkewMs : this.#newestMs - own + reorderMs
    const time = this.#timeline.map({ deviceMs: ticks / ticksPerMs, arrivalMs, reorderMs: behind })
    if (time.epochStarted) {
      this.#epoch = this.#nextEpoch()
      this.#newest.clear()
      this.#newestMs = time.ptsMs
      this.#lastDtsMs = undefined
      this.#audioClock?.clock.restart()
    }
    this.#newest.set(track, Math.max(this.#newest.get(track) ?? time.ptsMs, time.ptsMs))
    this.#newestMs = Math.max(this.#newestMs, time.ptsMs)
    return time
  }

  #seen(ptsMs: number): void {
    this.#lastPtsMs = Math.max(this.#lastPtsMs ?? ptsMs, ptsMs)
  }

  #soundGapBefore(toMs: number): void {
    const fromMs = this.#lastSoundMs
    if (this.#soundLost && fromMs !== undefined)
      this.#output.gap({ fromMs: Math.min(fromMs, toMs), toMs, cause: 'sequence' })
    this.#soundLost = false
  }

  #gapBefore(ptsMs: number, harm: Pick<TsPayload, 'damaged' | 'lossBefore'>): SourceGap | undefined {
    const units = this.#missed
    this.#missed = 0
    const fromMs = this.#lastPtsMs
    if (fromMs === undefined) return undefined
    const range = { fromMs: Math.min(fromMs, ptsMs), toMs: ptsMs }
    if (units > 0) return { ...range, cause: 'bad-packet', units }
    return harm.damaged || harm.lossBefore ? { ...range, cause: 'sequence' } : undefined
  }
}
