import {
  flvTimeMsMax,
  gopCacheBytesMax,
  gopCacheMs,
  gopCachePicturesMax,
  soundWaitMs,
} from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { flvMetadata } from '../../shared/media/flv-metadata.ts'
import { FlushTimer, type Schedule } from './flush-timer.ts'
import { configTag, unitTag } from './flv-tags.ts'
import { FlvTime } from './flv-time.ts'
import type { Packing, Tag } from './packing.ts'
import { type Cursor, SlabLog } from './slab-log.ts'
import { type Mark, Viewer, type ViewerEnd, type ViewerFeed, type ViewerSocket } from './viewer.ts'

/** Milliseconds, for `count` viewers at once. */
type Observer = { observe(ms: number, count?: number): void }

/** How live it is. `latency`: from the arrival of a unit until it is with the socket; `join`: until the first key frame is. */
export type LiveTiming = { latency: Observer; join: Observer }

export type FlvFeedOptions = {
  packing: Packing
  /** Timeline ms of the publisher's first unit; undefined while none came. */
  startedAtMs: number | undefined
  now: () => number
  schedule: Schedule
  /** For so long units are gathered before they are sent; 0: those that arrive together leave together. */
  mergeMs: number
  /** For so long after its first picture a stream's sound may be on its way: who joins then waits for it. */
  soundAheadMs: number
  /** Whether the stream's publisher has sent sound; absent where that is not known. */
  hasSound?: () => boolean
  figures: { bytes: number; skips: number; skippedBytes: number }
  timing?: LiveTiming
  onViewerEnd: (viewer: Viewer, reason: ViewerEnd) => void
}

/**
 * One stream packed for one transport: tags are built once, into the log from which all viewers are sent.
 * It lives as long as somebody watches.
 */
export class FlvFeed implements ViewerFeed {
  readonly #options: FlvFeedOptions
  readonly #packing: Packing
  readonly #log = new SlabLog()
  readonly #time: FlvTime
  readonly #viewers = new Set<Viewer>()
  #video: VideoConfig | undefined
  #audio: AudioConfig | undefined
  #configVersion = 0
  #mark: FlvMark | undefined
  #picturesSinceMark = 0
  #epoch: number | undefined
  /** Monotonic ms until which nobody begins: players that hear of no sound before their first picture never play any. */
  #soundDueMs: number | undefined
  readonly #timer: FlushTimer
  #flushedPosition = 0
  /** Of the oldest unit that was not flushed; sound that waits for its picture does not count. */
  #arrivalMs: number | undefined

  constructor(options: FlvFeedOptions) {
    this.#options = options
    this.#packing = options.packing
    this.#time = new FlvTime(options.startedAtMs)
    this.#timer = new FlushTimer(options.schedule, () => this.#flush())
  }

  get mark(): FlvMark | undefined {
    return this.#soundDueMs === undefined ? this.#mark : undefined
  }

  get position(): number {
    return this.#log.position
  }

  get flushedPosition(): number {
    return this.#flushedPosition
  }

  get viewerCount(): number {
    return this.#viewers.size
  }

  now(): number {
    return this.#options.now()
  }

  join(socket: ViewerSocket): Viewer {
    const viewer = new Viewer(this, socket)
    this.#viewers.add(viewer)
    const nowMs = this.now()
    this.#waitForSound(nowMs)
    viewer.flush(nowMs, nowMs)
    return viewer
  }

  /** False when the stream's time has run out of what players can read: everybody was sent away. */
  write(unit: AccessUnit): boolean {
    if (!this.#packing.plays(unit.config)) return true
    const timestampMs = this.#time.next(unit)
    if (timestampMs >= flvTimeMsMax) return false
    if (unit.track === 'video' && unit.epoch !== this.#epoch) this.#beginRun(unit, timestampMs)
    if (this.#takeConfig(unit)) {
      this.#configVersion += 1
      const tag = configTag(unit.config, timestampMs)
      if (tag) this.#append(tag)
    }
    const opens = unit.track === 'video' ? unit.randomAccess : !this.#video
    if (opens) this.#setMark(unit, timestampMs)
    else this.#boundGop(unit)
    this.#append(unitTag(unit, timestampMs))
    this.#flushSoon(unit)
    return true
  }

  end(reason: ViewerEnd): void {
    if (reason === 'ended') this.#flush() // What was still to be gathered with more.
    this.#timer[Symbol.dispose]()
    for (const viewer of [...this.#viewers]) viewer.end(reason)
  }

  onBytes(sizeBytes: number): void {
    this.#options.figures.bytes += sizeBytes
  }

  onSkip(sizeBytes: number): void {
    this.#options.figures.skips += 1
    this.#options.figures.skippedBytes += sizeBytes
  }

  onHanded(latencyMs: number): void {
    this.#options.timing?.latency.observe(latencyMs)
  }

  onJoined(tookMs: number): void {
    this.#options.timing?.join.observe(tookMs)
  }

  onEnd(viewer: Viewer, reason: ViewerEnd): void {
    this.#viewers.delete(viewer)
    this.#options.onViewerEnd(viewer, reason)
  }

  /** The first picture of a run of the source: whether this one has sound, too, is not known yet. */
  #beginRun({ epoch, arrivalMs }: AccessUnit, timestampMs: number): void {
    const isFirst = this.#epoch === undefined
    this.#epoch = epoch
    const { soundAheadMs, hasSound } = this.#options
    if (isFirst && this.#audio) return
    if (isFirst && timestampMs >= soundAheadMs && !hasSound?.()) return // It would have come by now.
    this.#audio = undefined
    this.#soundDueMs = Math.min(arrivalMs, this.now()) + soundAheadMs
  }

  #waitForSound(nowMs: number): void {
    if (this.#soundDueMs === undefined) return
    const leftMs = this.#soundDueMs - nowMs
    if (leftMs <= 0) this.#soundDueMs = undefined
    else this.#timer.within(leftMs)
  }

  #takeConfig({ config }: AccessUnit): boolean {
    if (config.track === 'video') {
      const known = this.#video
      this.#video = config
      return known !== config
    }
    const known = this.#audio
    this.#audio = config
    this.#soundDueMs = undefined
    if (!known) this.#mark = this.#mark?.with(config)
    return known !== config
  }

  #setMark(unit: AccessUnit, timestampMs: number): void {
    this.#picturesSinceMark = 0
    this.#mark = new FlvMark({
      cursor: this.#log.end(),
      arrivalMs: unit.arrivalMs,
      configVersion: this.#configVersion,
      timestampMs,
      video: this.#video,
      audio: this.#audio,
      packing: this.#packing,
    })
  }

  // The mark keeps all slabs behind it: a GOP without end must not (as in the hub's cache).
  #boundGop(unit: AccessUnit): void {
    this.#picturesSinceMark += 1
    if (!this.#mark) return
    const sizeBytes = this.#log.position - this.#mark.cursor.position
    const spanMs = unit.arrivalMs - this.#mark.arrivalMs
    if (
      sizeBytes > gopCacheBytesMax ||
      spanMs > gopCacheMs ||
      this.#picturesSinceMark > gopCachePicturesMax
    ) {
      this.#mark = undefined
    }
  }

  #append(tag: Tag): void {
    this.#packing.write(this.#log.reserve(this.#packing.tagBytes(tag)), tag)
  }

  // Each write to each viewer is a call to the kernel, which costs more than all else: sound leaves with its picture.
  #flushSoon(unit: AccessUnit): void {
    const { mergeMs } = this.#options
    const waits = unit.track === 'audio' && this.#video !== undefined
    if (!waits) this.#arrivalMs ??= unit.arrivalMs
    this.#timer.within(waits ? Math.max(mergeMs, soundWaitMs) : mergeMs)
  }

  #flush(): void {
    this.#flushedPosition = this.#log.position
    const nowMs = this.now()
    this.#waitForSound(nowMs)
    const arrivalMs = this.#arrivalMs
    this.#arrivalMs = undefined
    let handed = 0
    for (const viewer of this.#viewers) if (viewer.flush(nowMs, arrivalMs ?? nowMs)) handed += 1
    // One look at the clock behind them all: what the last one waited is an upper bound for each.
    if (arrivalMs !== undefined && handed > 0) {
      this.#options.timing?.latency.observe(this.now() - arrivalMs, handed)
    }
  }
}

type MarkFields = Pick<Mark, 'arrivalMs' | 'configVersion'> & {
  cursor: Cursor
  timestampMs: number
  video: VideoConfig | undefined
  audio: AudioConfig | undefined
  packing: Packing
}

/** What comes before the shared bytes is made when the first viewer starts here; its configuration bears this place's time. */
class FlvMark implements Mark {
  readonly cursor: Readonly<Cursor>
  readonly arrivalMs: number
  readonly configVersion: number
  readonly #fields: MarkFields
  #prelude: Uint8Array | undefined
  #configuration: Uint8Array | undefined

  constructor(fields: MarkFields) {
    this.cursor = fields.cursor
    this.arrivalMs = fields.arrivalMs
    this.configVersion = fields.configVersion
    this.#fields = fields
  }

  /** The same place, of a stream whose sound has come a little later. */
  with(audio: AudioConfig): FlvMark {
    return new FlvMark({ ...this.#fields, audio })
  }

  get prelude(): Uint8Array {
    this.#prelude ??= this.#buildPrelude()
    return this.#prelude
  }

  get configuration(): Uint8Array {
    this.#configuration ??= this.#fields.packing.pack(this.#configTags())
    return this.#configuration
  }

  #buildPrelude(): Uint8Array {
    const { video, audio, packing } = this.#fields
    const tracks = { ...(video && { video }), ...(audio && { audio }) }
    // Always at 0: FFmpeg takes metadata at any other time for a text track.
    const metadata: Tag = { kind: 'script', timestampMs: 0, parts: [flvMetadata(tracks)] }
    return packing.pack([metadata, ...this.#configTags()], {
      video: video !== undefined,
      audio: audio !== undefined,
    })
  }

  #configTags(): Tag[] {
    const { video, audio, timestampMs } = this.#fields
    const configs = [video, audio].filter((config) => config !== undefined)
    return configs.map((config) => configTag(config, timestampMs)).filter((tag) => tag !== undefined)
  }
}
