import type { RecorderRing } from '../../agent/record/recorder.ts'
import type {
  AppendResult,
  NewSegment,
  SegmentEnd,
  SegmentWriter,
  WriteFailure,
} from '../../agent/ring/types.ts'
import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'

export type FakeSegment = {
  header: NewSegment
  units: AccessUnit[]
  copies: AccessUnit[]
  gaps: SourceGap[]
  end: SegmentEnd | undefined
}

/** The ring as a recorder sees it, in memory: a full queue, a disk that refuses and slow seals on demand. */
export class FakeRecorderRing implements RecorderRing {
  readonly segments: FakeSegment[] = []
  readonly gaps: Gap[] = []
  blocked: WriteFailure['cause'] | undefined
  hasRoom = true
  /** The queue takes nothing more. */
  full = false
  tail: number | undefined
  #epochs = new Map<string, number>()
  #current: { writer: FakeWriter; segment: FakeSegment } | undefined

  records(config: { codec: string }): boolean {
    return ['h264', 'h265', 'aac', 'g711a', 'g711u'].includes(config.codec)
  }

  newEpoch(stream: string, nowMs: number): number {
    const epoch = Math.max(this.lastEpoch(stream) + 1, nowMs)
    this.#epochs.set(stream, epoch)
    return epoch
  }

  lastEpoch(stream: string): number {
    return this.#epochs.get(stream) ?? 0
  }

  takeCrashTail(): number | undefined {
    const { tail } = this
    this.tail = undefined
    return tail
  }

  addGap(_stream: string, gap: Gap): void {
    this.gaps.push(gap)
  }

  open(header: NewSegment): SegmentWriter {
    const segment: FakeSegment = { header, units: [], copies: [], gaps: [], end: undefined }
    this.segments.push(segment)
    const writer = new FakeWriter(this, segment)
    this.#current = { writer, segment }
    return writer
  }

  /** The disk refuses from now on: of the open segment only the first `kept` units stay. */
  failOpen(cause: WriteFailure['cause'], kept: number): void {
    this.blocked = cause
    const current = this.#current
    if (!current || current.writer.settled) return
    const { writer, segment } = current
    segment.units.length = Math.min(kept, segment.units.length)
    const last = segment.units.at(-1)
    writer.failure = { cause, written: segment.units.length, keptToMs: last && last.ptsMs + 1 }
  }
}

class FakeWriter implements SegmentWriter {
  readonly key
  units = 0
  bytes = 0
  failure: WriteFailure | undefined
  settled = false
  readonly #ring: FakeRecorderRing
  readonly #segment: FakeSegment

  constructor(ring: FakeRecorderRing, segment: FakeSegment) {
    const { stream, epoch, seq } = segment.header
    this.key = { stream, epoch, seq }
    this.#ring = ring
    this.#segment = segment
  }

  append(unit: AccessUnit, { duplicate = false } = {}): AppendResult {
    if (this.failure || this.#ring.blocked || this.#ring.full) return 'busy'
    if (unit.track === 'audio' && unit.sizeBytes > 8184) return 'unfit'
    this.bytes += unit.sizeBytes
    if (duplicate) this.#segment.copies.push(unit)
    else {
      this.#segment.units.push(unit)
      this.units += 1
    }
    return 'taken'
  }

  gap(gap: SourceGap): void {
    this.#segment.gaps.push(gap)
  }

  async seal(end: SegmentEnd): Promise<Manifest | undefined> {
    this.#segment.end = end
    for (let turns = 0; turns < 3; turns += 1) await Promise.resolve() // It may still fail on its way to the disk.
    this.settled = true
    const { units, header } = this.#segment
    if (units.length === 0) return undefined
    const video = units.filter((unit) => unit.track === 'video').length
    const from = Math.round((units[0]?.ptsMs ?? 0) + end.wallOffsetMs)
    const to = Math.round((end.endMs ?? 0) + end.wallOffsetMs)
    return {
      ...{ version: 1, agent: 'lab', ...this.key, from, to, timeSource: header.timeSource },
      video: { units: video },
      audio: { units: units.length - video },
    } as unknown as Manifest
  }
}
