import { clockJumpMs, rtpSyncStepMs } from '../../shared/limits.ts'
import type { SenderReport } from '../protocol/rtsp/rtcp.ts'

const wrapSpan = 2 ** 32

/** The clock of one track: 32 bits of ticks (13 h at 90 kHz), of any origin → milliseconds that go on over wraps. */
export class RtpClock {
  readonly #rate: number
  // One span ahead, so that a stamp that steps back behind the first is no negative time.
  #last: number | undefined

  constructor(rate: number) {
    this.#rate = rate
  }

  /** With a fraction: rounded once, on the timeline. `offset`: ticks behind the stamp. */
  ms(timestamp: number, offset = 0): number {
    this.#last = this.#unwrapped(timestamp)
    return ((this.#last + offset) * 1000) / this.#rate
  }

  /** Of a stamp that is not a unit's. */
  msNear(timestamp: number): number {
    return (this.#unwrapped(timestamp) * 1000) / this.#rate
  }

  #unwrapped(timestamp: number): number {
    const last = this.#last ?? timestamp + wrapSpan
    return timestamp + Math.round((last - timestamp) / wrapSpan) * wrapSpan
  }
}

type Anchor = {
  /** Of a picture: on its own clock, on the timeline, and when it came. */
  clockMs: number
  ptsMs: number
  arrivalMs: number
  timeSource: 'device' | 'arrival'
}

/**
 * Puts sound on the timeline of the pictures. Each track counts from an origin of its own: sender reports say which
 * stamps belong together; until both tracks have sent one, what arrives together does.
 */
export class SoundJoin {
  readonly #video: RtpClock
  readonly #audio: RtpClock
  #anchor: Anchor | undefined
  #reports: { video?: SenderReport; audio?: SenderReport } = {}
  /** Clock of the pictures − clock of the sound, ms. */
  #offsetMs: number | undefined

  constructor(video: RtpClock, audio: RtpClock) {
    this.#video = video
    this.#audio = audio
  }

  report(track: 'video' | 'audio', report: SenderReport): void {
    this.#reports[track] = report
    const offsetMs = this.#reported()
    const moves = offsetMs !== undefined && Math.abs(offsetMs - (this.#offsetMs ?? offsetMs)) > rtpSyncStepMs
    if (moves) this.#offsetMs = offsetMs
  }

  picture(anchor: Anchor): void {
    this.#anchor = anchor
  }

  /** Stamps before have nothing to do with those to come. */
  restart(): void {
    this.#reports = {}
    this.#offsetMs = undefined
  }

  /** Timeline ms of a frame; undefined before the first picture. */
  ptsMs(clockMs: number, arrivalMs: number): number | undefined {
    const anchor = this.#anchor
    if (!anchor) return undefined
    const arrivedMs = anchor.ptsMs + arrivalMs - anchor.arrivalMs
    if (anchor.timeSource === 'arrival') return Math.round(arrivedMs)
    const constant = anchor.ptsMs - Math.round(anchor.clockMs)
    this.#offsetMs ??= this.#reported() ?? arrivedMs - constant - clockMs
    const ptsMs = clockMs + this.#offsetMs + constant
    if (Math.abs(ptsMs - arrivedMs) <= clockJumpMs) return Math.round(ptsMs)
    this.restart()
    this.#offsetMs = arrivedMs - constant - clockMs
    return Math.round(arrivedMs)
  }

  #reported(): number | undefined {
    const { video, audio } = this.#reports
    if (!video || !audio) return undefined
    const [videoMs, audioMs] = [
      this.#video.msNear(video.rtpTimestamp),
      this.#audio.msNear(audio.rtpTimestamp),
    ]
    return videoMs - video.ntpMs - (audioMs - audio.ntpMs)
  }
}
