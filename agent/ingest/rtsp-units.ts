import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { Timeline } from '../../shared/media/timeline.ts'
import { audioDepacketizer } from '../protocol/rtsp/audio-depacketizer.ts'
import type { Depacketizer, RtpUnit } from '../protocol/rtsp/depacketizer.ts'
import { parseRtcp, type Reception, type SenderReport } from '../protocol/rtsp/rtcp.ts'
import { parseRtp, type Received, RtpSequencer } from '../protocol/rtsp/rtp.ts'
import type { AudioFormat, VideoFormat } from '../protocol/rtsp/sdp.ts'
import type { Track } from '../protocol/rtsp/tracks.ts'
import { VideoDepacketizer } from '../protocol/rtsp/video-depacketizer.ts'
import type { Moment } from './flv-units.ts'
import { RtpClock, SoundJoin } from './rtsp-clock.ts'
import { aloneOn, type Heard, RtspSound } from './rtsp-sound.ts'
import { RtspVideo } from './rtsp-video.ts'

type Output = { unit(unit: AccessUnit): void; gap(gap: SourceGap): void }

export type RtspFigures = {
  packets: number
  /** Packets that did not come, came too late, or could not be read. */
  lost: number
  late: number
  refused: number
}

export type RtspUnitsOptions = {
  tracks: readonly Track[]
  /** Packets may overtake each other: over UDP. */
  reorders: boolean
  now: Moment
  /** Numbers that are this source's alone, over its connections. */
  nextEpoch: () => number
  output: Output
}

type Lane = {
  readonly format: VideoFormat | AudioFormat
  readonly sequencer: RtpSequencer
  readonly depacketizer: Depacketizer
  report: { report: SenderReport; atMs: number } | undefined
}

/**
 * RTP and RTCP packets of one connection → access units on one timeline, which the pictures' clock makes; sound is
 * joined to it; what comes before the first picture waits for it.
 */
export class RtspUnits {
  readonly #lanes: readonly Lane[]
  readonly #output: Output
  readonly #video: RtspVideo | undefined
  readonly #sound: RtspSound | undefined
  readonly #join: SoundJoin | undefined
  #unreadable = 0

  constructor({ tracks, reorders, now, nextEpoch, output }: RtspUnitsOptions) {
    this.#output = output
    this.#lanes = tracks.map(({ format }) => ({
      format,
      sequencer: new RtpSequencer({ reorders }),
      depacketizer:
        format.track === 'video' ? new VideoDepacketizer(format.codec) : audioDepacketizer(format),
      report: undefined,
    }))
    const formats = tracks.map(({ format }) => format)
    const video = formats.find((format) => format.track === 'video')
    const audio = formats.find((format) => format.track === 'audio')
    const [videoClock, audioClock] = [
      new RtpClock(video?.clockRate ?? 1),
      new RtpClock(audio?.clockRate ?? 1),
    ]
    if (video) this.#video = new RtspVideo(video, videoClock, now, nextEpoch)
    if (video && audio) this.#join = new SoundJoin(videoClock, audioClock)
    if (audio)
      this.#sound = new RtspSound(audio, audioClock, this.#join ?? aloneOn(new Timeline(now), nextEpoch))
  }

  get figures(): RtspFigures {
    const figures = { packets: 0, lost: 0, late: 0, refused: this.#unreadable + (this.#video?.refused ?? 0) }
    for (const { sequencer, depacketizer } of this.#lanes) {
      figures.packets += sequencer.figures.received
      figures.lost += sequencer.figures.lost
      figures.late += sequencer.figures.late
      figures.refused += depacketizer.refused
    }
    return figures
  }

  /** Never throws. `arrivalMs`: monotonic. */
  rtp(track: number, bytes: Uint8Array, arrivalMs: number): void {
    const lane = this.#lanes[track]
    const packet = parseRtp(bytes)
    if (!lane || !packet) this.#unreadable += 1
    else for (const received of lane.sequencer.push(packet, arrivalMs)) this.#received(lane, received)
  }

  rtcp(track: number, bytes: Uint8Array, arrivalMs: number): { bye: boolean } {
    const lane = this.#lanes[track]
    const { reports, bye } = parseRtcp(bytes)
    for (const report of lane ? reports : []) {
      if (!lane) continue
      lane.report = { report, atMs: arrivalMs }
      // 0: the camera has no clock (RFC 3550, section 6.4.1): of two such reports nothing belongs together.
      if (report.ntpMs > 0) this.#join?.report(lane.format.track, report)
    }
    return { bye }
  }

  /** The framing was lost and found again: a packet beside that may hold what is not its own, and looks whole. */
  resynced(): void {
    this.#video?.doubt()
  }

  /** Time goes by: packets that waited long enough for another. */
  tick(nowMs: number): void {
    for (const lane of this.#lanes) {
      for (const received of lane.sequencer.release(nowMs)) this.#received(lane, received)
    }
  }

  /** What a receiver report says of a track; undefined before its first packet. */
  reception(track: number, nowMs: number): Reception | undefined {
    const lane = this.#lanes[track]
    const ssrc = lane?.sequencer.ssrc
    if (!lane || ssrc === undefined) return undefined
    const { sequencer, report } = lane
    const since = {
      ntpMiddle: report?.report.ntpMiddle ?? 0,
      sinceReportMs: report ? nowMs - report.atMs : 0,
    }
    return { ssrc, highest: sequencer.highest, lost: sequencer.figures.lost, ...since }
  }

  /** Nothing more comes: the picture that was under way. */
  end(): void {
    for (const lane of this.#lanes) for (const unit of lane.depacketizer.end()) this.#unit(lane, unit)
    const gap = this.#video?.end()
    if (gap) this.#output.gap(gap)
  }

  #received(lane: Lane, received: Received): void {
    for (const unit of lane.depacketizer.push(received)) this.#unit(lane, unit)
  }

  #unit({ format }: Lane, from: RtpUnit): void {
    if (format.track === 'video') this.#picture(from)
    else this.#heard(this.#sound?.take(from, this.#video?.epoch))
  }

  #heard(heard: readonly Heard[] = []): void {
    for (const { unit, gap } of heard) {
      if (gap) this.#output.gap(gap)
      this.#output.unit(unit)
    }
  }

  #picture(from: RtpUnit): void {
    const taken = this.#video?.take(from)
    if (!taken) return
    const { unit, gap, epochStarted, clockMs, stampMs } = taken
    if (epochStarted) {
      this.#join?.restart()
      this.#sound?.restart()
    }
    const { arrivalMs, timeSource } = unit
    this.#join?.picture({ clockMs, ptsMs: stampMs, arrivalMs, timeSource })
    this.#heard(this.#sound?.waited(unit.epoch))
    if (gap) this.#output.gap(gap)
    this.#output.unit(unit)
  }
}
