import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import { audioOnlyAfterMs, audioWaitUnitsMax } from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig, SourceGap, VideoConfig } from '../../shared/media/access-unit.ts'
import type { WallOffset } from '../../shared/media/clock-offset.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { StreamSink } from '../hub/stream.ts'
import type { Ring, SegmentWriter } from '../ring/types.ts'
import { cutBefore, type Segment } from './cut.ts'
import { Flushes } from './flushes.ts'
import { GopList } from './gop-list.ts'
import { LossBook } from './loss-book.ts'
import { WallEstimate } from './wall-estimate.ts'

export type RecorderRing = Pick<
  Ring,
  'open' | 'newEpoch' | 'lastEpoch' | 'takeCrashTail' | 'addGap' | 'records' | 'hasRoom' | 'blocked'
>

/** `off`: only while a recording wants the stream; otherwise whenever its source gives units. */
export type RingPolicy = 'off' | 'on-demand' | 'always'

export type RecorderOptions = {
  ring: RecorderRing
  clock: Clock
  segmentMs: number
  /** Every gap, when its end is known; wall ms. */
  onGap: (stream: string, gap: Gap) => void
}

/** Units. `accepted` = `written` + `writing` + `waiting` + `lost`, once the segments before are sealed. */
export type RecorderStats = {
  accepted: number
  written: number
  writing: number
  waiting: number
  lost: number
  segments: number
}

type Open = {
  writer: SegmentWriter
  segment: Segment
  /** Wall ms of its first unit, as estimated then. */
  sinceMs: number
  /** Timeline ms at which what was appended ends. */
  endMs: number
  lastDtsMs: number
}

/**
 * The recorder of one stream: decides where segments begin and end, and knows of every unit whether it is in one.
 *
 * Invariants: a unit that was accepted is appended, waits (sound before the first picture), or is counted in a
 * loss, which becomes the gap before the next segment. After a loss a stream with video is reopened only by video
 * random access or with copies of the GOP; without one (a cut, another epoch or configuration) anywhere.
 */
export class StreamRecorder implements StreamSink {
  readonly #name: string
  readonly #options: RecorderOptions
  readonly #wall: WallEstimate
  readonly #gop = new GopList()
  readonly #loss: LossBook
  readonly #flushes: Flushes
  readonly #seals = new Set<Promise<void>>()
  #policy: RingPolicy = 'on-demand'
  #claims = 0
  #open: Open | undefined
  #epoch: { unitEpoch: number; id: number; seq: number } | undefined
  #video: VideoConfig | undefined
  #audio: AudioConfig | undefined
  /** Sound that came while no segment was open: it goes into the one that the next picture opens. */
  #waiting: AccessUnit[] = []
  #needsKey = true
  #wantsCopies = false
  #accepted = 0
  #written = 0
  #segments = 0

  constructor(name: string, options: RecorderOptions) {
    this.#name = name
    this.#options = options
    this.#wall = new WallEstimate(options.clock)
    this.#flushes = new Flushes(options.clock)
    this.#loss = new LossBook((gap) => {
      options.ring.addGap(name, gap)
      options.onGap(name, gap)
    })
    const tail = options.ring.takeCrashTail(name)
    if (tail !== undefined) this.#loss.begin({ cause: 'crash', from: tail })
  }

  get stats(): RecorderStats {
    return {
      accepted: this.#accepted,
      written: this.#written,
      writing: this.#open?.writer.units ?? 0,
      waiting: this.#waiting.length,
      lost: this.#loss.units,
      segments: this.#segments,
    }
  }

  /** Wall ms of the beginning of the segment that is being written. */
  get openSinceMs(): number | undefined {
    return this.#open?.sinceMs
  }

  /** The segment that was opened last; after a restart of the agent one that is behind all of the last epoch. */
  get newest(): { epoch: number; seq: number } | undefined {
    if (this.#epoch) return { epoch: this.#epoch.id, seq: this.#epoch.seq }
    const epoch = this.#options.ring.lastEpoch(this.#name)
    return epoch === 0 ? undefined : { epoch, seq: Number.MAX_SAFE_INTEGER }
  }

  setPolicy(policy: RingPolicy): void {
    this.#policy = policy
    this.#stopUnwanted()
  }

  /** How many open recordings want this stream. */
  setClaimed(claims: number): void {
    this.#claims = claims
    this.#stopUnwanted()
  }

  /** A round trip to the device: bounds the error of its wall times. */
  roundTrip(rttMs: number): void {
    this.#wall.observeRtt(rttMs)
  }

  /** From the next segment on, for a source of which the wall times are known; `undefined`: by arrival again. */
  setWallOffset(offset: WallOffset | undefined): void {
    this.#flushWaiting()
    this.#seal('wall offset')
    this.#wall.give(offset)
  }

  write(unit: AccessUnit): void {
    if (!this.#options.ring.records(unit.config)) return
    this.#gop.push(unit)
    if (!this.#wanted) return
    // A claim on a stream that was not recorded begins with the GOP that is under way.
    const earlier = this.#open ? [] : this.#gop.unsettled()
    for (const other of earlier) if (other !== unit) this.#record(other)
    this.#record(unit)
    this.#gop.settle()
  }

  gap(gap: SourceGap): void {
    if (!this.#wanted) return
    const from = this.#wall.wallMs(gap.fromMs)
    const inside = gap.cause === 'sequence' || gap.cause === 'bad-packet'
    if (inside && this.#open) {
      this.#open.writer.gap(gap, this.#options.clock.monotonicMs())
      const units = gap.units === undefined ? {} : { units: gap.units }
      const to = Math.max(from, this.#wall.wallMs(gap.toMs))
      this.#options.onGap(this.#name, { from, to, cause: gap.cause, ...units })
      return
    }
    this.#flushWaiting()
    this.#seal(gap.cause)
    this.#loss.begin({ cause: gap.cause, from, missing: gap.units })
    if (inside) return
    this.#epoch = undefined
    if (gap.cause === 'clock') return
    this.#gop.clear()
    this.#needsKey = true
  }

  end(reason: string): void {
    this.#flushWaiting()
    this.#seal(reason)
    this.#loss.closeCounted()
    this.#gop.clear()
    this.#needsKey = true
    this.#epoch = undefined
    this.#video = undefined
    this.#audio = undefined
  }

  /**
   * Resolves when all that covers the time until `wallMs` is in sealed segments with durable manifests: the open
   * one is cut at the next random access at or behind it, or after `claimEndMs` in mid-GOP.
   */
  async flushAt(wallMs: number): Promise<void> {
    if (this.#open) await this.#flushes.wait(wallMs, () => this.#cutNow())
    await Promise.all(this.#seals)
  }

  /** The same, for a source that gives nothing any more: cuts at once. */
  async flushNow(): Promise<void> {
    this.#flushWaiting()
    this.#cutNow()
    await Promise.all(this.#seals)
  }

  get #wanted(): boolean {
    return this.#policy !== 'off' || this.#claims > 0
  }

  #stopUnwanted(): void {
    if (this.#wanted) return
    this.#flushWaiting()
    this.#cutNow()
    this.#loss.closeCounted()
    this.#gop.settle()
  }

  #record(unit: AccessUnit): void {
    this.#accepted += 1
    this.#wall.observe(unit)
    if (unit.config.track === 'audio') this.#audio = unit.config
    else this.#video = unit.config
    if (this.#waiting[0] && this.#waiting[0].epoch !== unit.epoch) this.#flushWaiting()
    if (this.#open) this.#cut(this.#open, unit)
    const open = this.#open ?? this.#reopen(unit)
    if (open) this.#append(open, unit)
  }

  #cut(open: Open, unit: AccessUnit): void {
    const cut = cutBefore(open.segment, unit, this.#options.segmentMs)
    if (cut) {
      this.#seal(cut.reason, unit)
      // The sound's new configuration begins another file, which must be decodable from its first picture on.
      this.#wantsCopies = cut.reason === 'configuration' && unit.track === 'audio'
      return
    }
    const boundary = open.segment.video ? unit.track === 'video' && unit.randomAccess : true
    const wanted = this.#flushes.wants(this.#wall.wallMs(unit.ptsMs))
    if (wanted === 'now' || (wanted === 'boundary' && boundary)) {
      this.#seal('claim end', unit)
      this.#wantsCopies = !boundary
    }
  }

  #cutNow(): void {
    if (!this.#open) return
    this.#wantsCopies = true
    this.#seal('claim end')
  }

  /** Opens a segment that `unit` may begin; otherwise the unit waits or is lost. */
  #reopen(unit: AccessUnit): Open | undefined {
    const { ring } = this.#options
    const refused =
      ring.blocked ?? (this.#loss.cause === 'disk-slow' && !ring.hasRoom ? 'disk-slow' : undefined)
    if (refused) return this.#drop(refused, unit)
    if (unit.track === 'audio') return this.#await(unit)
    if (unit.randomAccess) return this.#openWith(unit, [])
    const afterDisk = this.#loss.cause === 'disk-full' || this.#loss.cause === 'disk-error'
    const copies = this.#wantsCopies || afterDisk ? this.#gop.before(unit) : []
    if (this.#needsKey && copies.length === 0) return this.#drop('source-lost', unit)
    return this.#openWith(unit, copies)
  }

  #drop(cause: Gap['cause'], unit: AccessUnit): undefined {
    this.#loss.drop(cause, this.#wall.wallMs(unit.ptsMs))
  }

  /** Sound does not open a stream that has or may get pictures, unless they do not come. */
  #await(unit: AccessUnit): undefined {
    this.#waiting.push(unit)
    const [first] = this.#waiting
    const alone = !this.#video && first && unit.dtsMs - first.dtsMs >= audioOnlyAfterMs
    if (alone || this.#waiting.length >= audioWaitUnitsMax) this.#openForWaiting()
  }

  #openForWaiting(): void {
    const [first] = this.#waiting
    if (first) this.#appendWaiting(this.#openWith(first, []))
  }

  /** No picture will open a segment for them. */
  #flushWaiting(): void {
    if (this.#waiting.length === 0) return
    const { blocked } = this.#options.ring
    if (!blocked) {
      this.#openForWaiting()
      this.#seal('sound alone')
      return
    }
    for (const unit of this.#waiting) this.#drop(blocked, unit)
    this.#waiting = []
  }

  #openWith(unit: AccessUnit, copies: readonly AccessUnit[]): Open {
    const { ring, clock } = this.#options
    if (this.#epoch?.unitEpoch !== unit.epoch) {
      this.#epoch = { unitEpoch: unit.epoch, id: ring.newEpoch(this.#name, clock.nowMs()), seq: 0 }
      this.#wall.nextEpoch()
    } else this.#wall.nextSegment()
    this.#epoch.seq += 1
    this.#wall.observe(unit)
    const video = unit.config.track === 'video' ? unit.config : undefined
    const audio = unit.config.track === 'audio' ? unit.config : this.#audio
    const sinceMs = this.#wall.wallMs(unit.ptsMs)
    const writer = ring.open({
      stream: this.#name,
      epoch: this.#epoch.id,
      seq: this.#epoch.seq,
      ...(video && { video }),
      ...(audio && { audio }),
      ...this.#wall.result(),
      timeSource: unit.timeSource,
      continues: video !== undefined && !unit.randomAccess && copies.length === 0,
      ...this.#loss.take(sinceMs),
    })
    const { dtsMs, arrivalMs, epoch, timeSource } = unit
    const lengths = { firstDtsMs: dtsMs, firstArrivalMs: arrivalMs, bytes: 0, idrs: 0 }
    const segment: Segment = { video, audio, epoch, timeSource, ...lengths }
    const open: Open = { writer, segment, sinceMs, endMs: unit.ptsMs, lastDtsMs: dtsMs }
    this.#open = open
    this.#needsKey = false
    this.#wantsCopies = false
    for (const copy of copies) writer.append(copy, { duplicate: true })
    if (video) this.#appendWaiting(open)
    return open
  }

  #appendWaiting(open: Open): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const unit of waiting) this.#append(open, unit)
  }

  #append(open: Open, unit: AccessUnit): void {
    const result = this.#open === open ? open.writer.append(unit) : 'busy'
    if (result === 'taken') this.#count(open, unit)
    else if (result === 'unfit') this.#unfit(open, unit)
    else this.#refused(open, unit)
  }

  #count(open: Open, unit: AccessUnit): void {
    const { segment } = open
    segment.bytes = open.writer.bytes
    if (unit.config.track === 'audio') segment.audio ??= unit.config
    if (segment.video && unit.track === 'audio') return
    if (unit.idr) segment.idrs += 1
    const spacing = Math.max(1, unit.dtsMs - open.lastDtsMs)
    open.lastDtsMs = unit.dtsMs
    open.endMs = Math.max(open.endMs, unit.ptsMs + spacing)
  }

  /** A frame that its file's format cannot hold. */
  #unfit(open: Open, unit: AccessUnit): void {
    const { ptsMs } = unit
    open.writer.gap({ fromMs: ptsMs, toMs: ptsMs, cause: 'bad-packet', units: 1 }, unit.arrivalMs)
    this.#loss.units += 1
    const at = this.#wall.wallMs(ptsMs)
    this.#options.onGap(this.#name, { from: at, to: at, cause: 'bad-packet', units: 1 })
  }

  /** The rest of this GOP is lost, in one piece with what the disk may have lost before it. */
  #refused(open: Open, unit: AccessUnit): void {
    if (this.#open === open) {
      const { failure } = open.writer
      const cause = failure?.cause ?? this.#options.ring.blocked ?? 'disk-slow'
      const from = this.#wall.wallMs(failure?.keptToMs ?? open.endMs)
      this.#seal(cause)
      this.#loss.begin({ cause, from })
      this.#needsKey = true
    }
    this.#drop(this.#loss.cause ?? 'disk-slow', unit)
  }

  /** `next`: the unit before which it ends, if nothing is missing between. */
  #seal(reason: string, next?: AccessUnit): void {
    const open = this.#open
    if (!open) return
    this.#open = undefined
    const endMs = next?.epoch === open.segment.epoch ? Math.max(open.endMs, next.ptsMs) : open.endMs
    const endWallMs = this.#wall.wallMs(endMs)
    const sealing = open.writer
      .seal({ reason, endMs, continued: next !== undefined, ...this.#wall.result() })
      .then(
        (manifest) => this.#settle(open, manifest, endWallMs),
        () => undefined, // The ring is gone, and the process ends for it.
      )
    this.#seals.add(sealing)
    sealing.finally(() => this.#seals.delete(sealing))
    this.#flushes.cutAt(endWallMs, next === undefined)
  }

  /** What the segment really holds: after a failed write or sync it may be less than was appended. */
  #settle({ writer, sinceMs }: Open, manifest: Manifest | undefined, endWallMs: number): void {
    const kept = (manifest?.video?.units ?? 0) + (manifest?.audio?.units ?? 0)
    this.#written += kept
    if (manifest) this.#segments += 1
    const units = writer.units - kept
    if (units === 0) return
    const from = manifest?.to ?? sinceMs
    this.#loss.late({
      from,
      to: Math.max(from, endWallMs),
      cause: writer.failure?.cause ?? 'disk-error',
      units,
    })
  }
}
