import { AppError } from '../../shared/error.ts'
import {
  phoneDrainMs,
  phoneDrainMsMax,
  phoneEarlyBytesMax,
  phoneEarlyMs,
  phoneEarlyPicturesMax,
  phoneLossMs,
} from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { estimateFps, type FpsEstimate } from '../../shared/media/fps.ts'
import { type PhonePacket, parsePhonePacket } from '../protocol/phone.ts'
import { captureOptions } from '../protocol/phone-start.ts'
import {
  type CaptureOptions,
  type PhoneMessage,
  type Rotation,
  startCapture,
  stopCapture,
} from '../protocol/phone-text.ts'

import { PhoneClock } from './phone-clock.ts'

/** An instant on both clocks, read once per message. */
export type Moment = { monotonicMs: number; wallMs: number }

/** What a session wants done, in this order. `begin` comes before the first unit of a capture, `end` after its last. */
export type PhoneEffect =
  | { kind: 'send'; text: string }
  | { kind: 'begin'; wallMs: number }
  | { kind: 'gap'; gap: SourceGap }
  | { kind: 'unit'; unit: AccessUnit }
  /** The connection is gone; the capture may go on within 30 s. */
  | { kind: 'lost' }
  | { kind: 'end'; wallMs: number; fps: FpsEstimate | undefined }
  /** Answers of the phone to `start` and `stop`. */
  | { kind: 'started' | 'stopped' }
  | { kind: 'failed'; message: string }

/** Pictures out of packets (`phone-pictures.ts`). */
export type Pictures = {
  rotation: Rotation
  take(packet: PhonePacket, at: Moment): { unit?: AccessUnit; gaps: SourceGap[]; refused?: string }
  /** A packet that could not be read: its picture is missing. */
  missed(): void
  /** The source went away: what comes next comes after a gap. */
  interrupt(): void
  /** A new capture: numbers begin anew, and nothing of the last one is missing. */
  begin(): void
}

type Span = {
  firstArrivalMs: number
  lastArrivalMs: number
  firstDeviceMs: number
  lastDeviceMs: number
  units: number
}

/**
 * One phone, over all its connections: messages and instants in, effects out; no socket, no clock, no disk.
 *
 * ```
 *   idle ──start──► starting ──capture_started / first picture──► capturing ──capture_stopped──► draining ──► idle
 *     └──────────────────capture_started / first picture──────────────▲  │ lost for 30 s ─────────────────────▲
 * ```
 * Pictures that come a moment before `capture_started` wait for it, since it may say how the phone is held;
 * those that come after `capture_stopped` still belong to the capture.
 */
export class PhoneSession {
  state: 'idle' | 'starting' | 'capturing' | 'draining' = 'idle'
  connected = false
  /** Refused packets by reason. */
  readonly refused: Record<string, number> = {}
  /** The last error that the phone reported. */
  message: string | undefined
  /** Of the pictures that it has taken. */
  readonly clock = new PhoneClock()
  readonly #pictures: Pictures
  #early: { packet: PhonePacket; at: Moment }[] = []
  #earlyBytes = 0
  #options: CaptureOptions | undefined
  #lostAt: Moment | undefined
  #stoppedAt: Moment | undefined
  #lastAt: Moment | undefined
  #span: Span | undefined
  #begun = false

  constructor(pictures: Pictures) {
    this.#pictures = pictures
  }

  /** A recording of the process before this one: the phone has until 30 s from now to come back to it. */
  resume(at: Moment): void {
    this.state = 'capturing'
    this.#begun = true
    this.#lostAt = at
    this.#lastAt = at
  }

  attach(): void {
    this.connected = true
  }

  detach(at: Moment): PhoneEffect[] {
    const effects = this.#flushEarly()
    this.connected = false
    this.#pictures.interrupt()
    if (this.state === 'draining') return [...effects, ...this.#finish()]
    if (this.state === 'capturing') this.#lostAt ??= at
    else this.state = 'idle'
    return [...effects, { kind: 'lost' }]
  }

  /** Somebody else has ended the recording: a phone that is away need not come back to it. */
  abandon(): PhoneEffect[] {
    return !this.connected && this.state === 'capturing' ? this.#finish() : []
  }

  start(options: CaptureOptions): PhoneEffect[] {
    this.#options = options
    if (this.state === 'idle') this.state = 'starting'
    return [{ kind: 'send', text: startCapture(options) }]
  }

  stop(): PhoneEffect[] {
    if (this.state === 'starting') this.state = 'idle'
    return [{ kind: 'send', text: stopCapture() }]
  }

  /** Nobody waits for the answer to `start` any more; one that comes late still starts. */
  giveUp(): void {
    if (this.state === 'starting') this.state = 'idle'
  }

  text(message: PhoneMessage, at: Moment): PhoneEffect[] {
    switch (message.kind) {
      case 'ready':
        return this.#ready()
      case 'capture-started':
        return this.#started(message.rotation)
      case 'capture-stopped':
        return this.#stopped(at)
      case 'rotation':
        this.#pictures.rotation = message.rotation
        return []
      case 'error':
        return this.#failed(message.message)
      default:
        return []
    }
  }

  packet(bytes: Uint8Array, at: Moment): PhoneEffect[] {
    let packet: PhonePacket
    try {
      packet = parsePhonePacket(bytes)
    } catch (cause) {
      this.#refuse('bad-packet')
      this.#pictures.missed()
      throw AppError.from(cause)
    }
    if (this.state === 'capturing' || this.state === 'draining') return this.#deliver(packet, at)
    this.#early.push({ packet, at })
    this.#earlyBytes += bytes.length
    const isFull = this.#early.length >= phoneEarlyPicturesMax || this.#earlyBytes > phoneEarlyBytesMax
    return isFull ? this.#flushEarly() : []
  }

  /** Time passes: call it every tenth of a second or so. */
  tick(at: Moment): PhoneEffect[] {
    const early = this.#early[0]
    const effects = early && at.monotonicMs - early.at.monotonicMs >= phoneEarlyMs ? this.#flushEarly() : []
    if (this.#stoppedAt && this.#drained(at, this.#stoppedAt)) effects.push(...this.#finish())
    if (this.#lostAt && at.monotonicMs - this.#lostAt.monotonicMs >= phoneLossMs)
      effects.push(...this.#finish())
    return effects
  }

  count(reason: string): void {
    this.#refuse(reason)
  }

  #ready(): PhoneEffect[] {
    if (this.state !== 'capturing' || !this.#lostAt) return []
    this.#options ??= captureOptions({})
    return [{ kind: 'send', text: startCapture(this.#options) }]
  }

  #started(rotation: Rotation | undefined): PhoneEffect[] {
    const effects = this.state === 'draining' ? this.#finish() : []
    if (rotation !== undefined) this.#pictures.rotation = rotation
    this.#enterCapture()
    return [...effects, { kind: 'started' }, ...this.#flushEarly()]
  }

  #enterCapture(): void {
    if (this.state !== 'capturing') this.#pictures.begin()
    this.state = 'capturing'
    this.#lostAt = undefined
    this.message = undefined
  }

  #stopped(at: Moment): PhoneEffect[] {
    const effects = this.#flushEarly()
    if (this.state === 'capturing') {
      this.state = 'draining'
      this.#stoppedAt = at
      this.#lostAt = undefined
    }
    return [...effects, { kind: 'stopped' }]
  }

  #failed(message: string): PhoneEffect[] {
    this.message = message
    if (this.state !== 'starting') return []
    this.state = 'idle'
    return [{ kind: 'failed', message }]
  }

  #flushEarly(): PhoneEffect[] {
    const early = this.#early
    if (early.length === 0) return []
    this.#early = []
    this.#earlyBytes = 0
    const effects: PhoneEffect[] = []
    if (this.state !== 'capturing' && this.state !== 'draining') {
      this.#enterCapture()
      effects.push({ kind: 'started' }) // It films, whether it says so or not.
    }
    for (const { packet, at } of early) effects.push(...this.#deliver(packet, at))
    return effects
  }

  #deliver(packet: PhonePacket, at: Moment): PhoneEffect[] {
    const { unit, gaps, refused } = this.#pictures.take(packet, at)
    if (refused !== undefined) this.#refuse(refused)
    if (!unit) return gaps.map((gap) => ({ kind: 'gap' as const, gap }))
    const effects: PhoneEffect[] = this.#begun ? [] : [{ kind: 'begin', wallMs: at.wallMs }]
    this.#begun = true
    this.#lostAt = undefined
    this.#lastAt = at
    this.clock.came(packet.deviceMs, at.monotonicMs)
    this.#measure(packet.deviceMs, at)
    for (const gap of gaps) effects.push({ kind: 'gap', gap })
    effects.push({ kind: 'unit', unit })
    return effects
  }

  #measure(deviceMs: number, { monotonicMs }: Moment): void {
    const span = this.#span
    if (!span) {
      const first = { firstArrivalMs: monotonicMs, firstDeviceMs: deviceMs }
      this.#span = { ...first, lastArrivalMs: monotonicMs, lastDeviceMs: deviceMs, units: 1 }
      return
    }
    span.lastArrivalMs = monotonicMs
    span.lastDeviceMs = Math.max(span.lastDeviceMs, deviceMs)
    span.units += 1
  }

  #drained(at: Moment, stoppedAt: Moment): boolean {
    const quietMs = at.monotonicMs - Math.max(stoppedAt.monotonicMs, this.#lastAt?.monotonicMs ?? 0)
    return quietMs >= phoneDrainMs || at.monotonicMs - stoppedAt.monotonicMs >= phoneDrainMsMax
  }

  #finish(): PhoneEffect[] {
    const fps = this.#span ? estimateFps(this.#span) : undefined
    const wallMs = (this.#lastAt?.wallMs ?? 0) + 1 // The end is exclusive.
    this.state = 'idle'
    this.#begun = false
    this.#span = undefined
    this.#lostAt = undefined
    this.#stoppedAt = undefined
    return [{ kind: 'end', wallMs, fps }]
  }

  #refuse(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1
  }
}
