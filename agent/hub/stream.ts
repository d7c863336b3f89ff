import { audioOnlyAfterMs } from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig, SourceGap, VideoConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { GopCache } from './gop-cache.ts'
import { RateMeter } from './rate-meter.ts'

const faultEveryMs = 1000 // What fails for one picture fails for the next: a line a second says enough.

/** The recorder of a stream. Called first and synchronously; one sink serves all publishers that come and go. */
export type StreamSink = {
  write(unit: AccessUnit): void
  gap(gap: SourceGap): void
  /** The publisher has gone; another may follow. */
  end(reason: string): void
}

/** A reader of a live stream. Called synchronously, after the recorder. */
export type StreamListener = {
  unit(unit: AccessUnit): void
  /** The stream is over: nothing follows. */
  end(reason: string): void
}

export type StreamStats = {
  units: number
  bytes: number
  bitsPerSecond: number
  fps: number
  /** Between the last two places where a decoder can start; undefined before there were two. */
  keyFrameMs: number | undefined
  /** Wall ms. */
  lastUnitAt: number | undefined
  gaps: number
  viewers: number
}

type Options = {
  name: string
  sink: StreamSink
  clock: Clock
  onFault: (error: unknown) => void
  /** Their number changed. */
  onViewers?: (viewers: number) => void
}

/**
 * One camera channel, by name. It outlives its publishers.
 *
 * Invariant: listeners (and the GOP cache) see a run of units that a decoder can follow: after a new publisher or a
 * new configuration nothing is passed on until video random access, if the stream has video. The recorder sees all.
 */
export class Stream {
  readonly name: string
  kind = ''
  state: 'live' | 'waiting' = 'waiting'
  video: VideoConfig | undefined
  audio: AudioConfig | undefined
  /** Timeline ms of the first unit of the present publisher: time 0 of what viewers get. */
  startedAtMs: number | undefined
  readonly #sink: StreamSink
  readonly #clock: Clock
  readonly #onFault: (error: unknown) => void
  readonly #onViewers: (viewers: number) => void
  #viewers = 0
  #cache = new GopCache()
  readonly #pictures = new RateMeter()
  readonly #bytesRate = new RateMeter()
  readonly #listeners = new Set<StreamListener>()
  #awaitingRandomAccess = true
  #firstSoundMs: number | undefined
  #units = 0
  #bytes = 0
  #gaps = 0
  #lastUnitAt: number | undefined
  #keyFrame: Pick<AccessUnit, 'ptsMs' | 'epoch'> | undefined
  #keyFrameMs: number | undefined
  #toldFaultMs = Number.NEGATIVE_INFINITY

  constructor({ name, sink, clock, onFault, onViewers = () => undefined }: Options) {
    this.name = name
    this.#sink = sink
    this.#clock = clock
    this.#onFault = onFault
    this.#onViewers = onViewers
  }

  /** Of every format; kept by those who send to them. */
  get viewers(): number {
    return this.#viewers
  }

  set viewers(viewers: number) {
    this.#viewers = viewers
    this.#onViewers(viewers)
  }

  get stats(): StreamStats {
    const now = this.#clock.monotonicMs()
    return {
      units: this.#units,
      bytes: this.#bytes,
      bitsPerSecond: this.#bytesRate.read(now).bitsPerSecond,
      fps: this.#pictures.read(now).unitsPerSecond,
      keyFrameMs: this.#keyFrameMs,
      lastUnitAt: this.#lastUnitAt,
      gaps: this.#gaps,
      viewers: this.viewers,
    }
  }

  /** Gives the cached GOP to the listener at once, then every unit, until disposed or ended. */
  subscribe(listener: StreamListener): Disposable {
    for (const unit of this.#open ? this.#cache.units : []) listener.unit(unit)
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** A publisher begins. */
  begin(kind: string): void {
    this.kind = kind
    this.state = 'live'
    this.video = undefined
    this.audio = undefined
    this.startedAtMs = undefined
    this.#cache = new GopCache()
    this.#firstSoundMs = undefined
    this.#awaitingRandomAccess = true
  }

  write(unit: AccessUnit): void {
    this.#guard(() => this.#sink.write(unit))
    this.#count(unit)
    this.startedAtMs ??= unit.dtsMs
    if (this.#takeConfig(unit)) this.#awaitingRandomAccess = true
    if (!this.#passes(unit)) return
    this.#cache.push(unit)
    for (const listener of this.#listeners) this.#guard(() => listener.unit(unit))
  }

  gap(gap: SourceGap): void {
    this.#gaps += 1
    this.#guard(() => this.#sink.gap(gap))
  }

  /** The publisher has gone. Viewers stay. */
  pause(reason: string): void {
    this.state = 'waiting'
    this.#guard(() => this.#sink.end(reason))
  }

  /** No publisher came back: viewers leave, and nobody is given old pictures any more. */
  close(reason: string): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    this.#cache.clear()
    for (const listener of listeners) this.#guard(() => listener.end(reason))
  }

  get #open(): boolean {
    return this.video !== undefined || this.#soundAlone
  }

  // Sound often comes before the picture it belongs to; only when none follows is the stream sound alone.
  get #soundAlone(): boolean {
    const since = this.#firstSoundMs
    return since !== undefined && this.#clock.monotonicMs() - since >= audioOnlyAfterMs
  }

  #passes(unit: AccessUnit): boolean {
    if (!this.video) {
      this.#firstSoundMs ??= unit.arrivalMs
      return this.#soundAlone
    }
    if (unit.track === 'video' && unit.randomAccess) this.#awaitingRandomAccess = false
    return !this.#awaitingRandomAccess
  }

  /** Whether pictures before the next random access would need the configuration that has just gone. */
  #takeConfig(unit: AccessUnit): boolean {
    if (unit.config.track === 'audio') {
      this.audio = unit.config
      return false
    }
    const changed = this.video !== unit.config
    this.video = unit.config
    return changed
  }

  #count(unit: AccessUnit): void {
    this.#units += 1
    this.#bytes += unit.sizeBytes
    this.#lastUnitAt = this.#clock.nowMs()
    this.#bytesRate.add(unit.arrivalMs, unit.sizeBytes)
    if (unit.track === 'video') this.#pictures.add(unit.arrivalMs, unit.sizeBytes)
    if (unit.track === 'video' && unit.randomAccess) this.#countKeyFrame(unit)
  }

  #countKeyFrame({ ptsMs, epoch }: AccessUnit): void {
    if (this.#keyFrame?.epoch === epoch) this.#keyFrameMs = ptsMs - this.#keyFrame.ptsMs
    this.#keyFrame = { ptsMs, epoch }
  }

  // A reader that fails must neither end the publisher nor keep the unit from the others.
  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      const nowMs = this.#clock.monotonicMs()
      if (nowMs - this.#toldFaultMs < faultEveryMs) return
      this.#toldFaultMs = nowMs
      this.#onFault(error)
    }
  }
}
