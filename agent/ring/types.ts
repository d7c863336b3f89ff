import type { Recording } from '../../shared/contract/recording.ts'
import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'
import type {
  AccessUnit,
  AudioConfig,
  CodecConfig,
  GapCause,
  SourceGap,
  VideoConfig,
} from '../../shared/media/access-unit.ts'

/** What the rest of the agent sees of the ring. Wall times are integer ms since the Unix epoch. */

export type SegmentKey = { stream: string; epoch: number; seq: number }

/** All that recovery must know to seal the segment without the process that opened it. */
export type NewSegment = SegmentKey & {
  video?: VideoConfig
  audio?: AudioConfig
  /** Estimate at open; the manifest gets the one given to `seal`. */
  wallOffsetMs: number
  wallBoundMs: number
  timeSource: 'device' | 'arrival'
  /** Begins in mid-GOP, without copies from the GOP: decodable only after the segment before it. */
  continues: boolean
  /** The gap that ends where this segment begins, and any others since the last segment. */
  gapBefore?: Gap
  gaps?: Gap[]
}

export type SegmentEnd = {
  reason: string
  /** The next unit is there already: if no segment follows, the agent died. */
  continued?: boolean
  /** Timeline ms at which the last picture ends; absent: its own time plus the last spacing. */
  endMs?: number
  wallOffsetMs: number
  wallBoundMs: number
}

export type WriteFailure = {
  cause: Extract<GapCause, 'disk-full' | 'disk-error'>
  /** Units of this segment that are kept; those appended after them are lost. */
  written: number
  /** Timeline ms of the end of what is kept; undefined when nothing is. */
  keptToMs: number | undefined
}

/**
 * `busy`: the queue to the disk is full, or the disk refuses; `unfit`: the frame cannot be written in its file's
 * format. In both cases nothing was taken.
 */
export type AppendResult = 'taken' | 'busy' | 'unfit'

export type SegmentWriter = {
  readonly key: SegmentKey
  /** Units that were taken, copies (`duplicate`) not counted; bytes of all of them. */
  readonly units: number
  readonly bytes: number
  /** Set when the disk refused: nothing that is appended is kept any more; seal it and open another. */
  readonly failure: WriteFailure | undefined
  /** Copies the unit's bytes. Sound that joins a segment which was opened without is added to its header. */
  append(unit: AccessUnit, options?: { duplicate?: boolean }): AppendResult
  /** A gap inside of the segment (missing sequence numbers and the like). */
  gap(gap: SourceGap, arrivalMs: number): void
  /** Resolves when the manifest is durable; undefined when the segment held no unit and was removed. */
  seal(end: SegmentEnd): Promise<Manifest | undefined>
}

/** A sealed segment as the index knows it. */
export type SegmentRow = SegmentKey & {
  from: number
  to: number
  /** Pictures, or audio frames where there is no video. */
  units: number
  sizeBytes: number
  continues: boolean
  uploaded: boolean
  /** False: verified in the store and removed here. */
  local: boolean
}

export type PendingSegment = SegmentToUpload & { from: number; to: number; sizeBytes: number }
export type PendingRecording = { id: string; rev: number; sizeBytes: number; sha256: string }
export type PendingUploads = {
  /** Claimed segments and those of `always` streams, oldest first; files in the order of upload, manifest last. */
  segments: PendingSegment[]
  /** Revisions of closed recordings. */
  recordings: PendingRecording[]
  /** Of everything that waits, not only of what is listed. */
  total: { segments: number; bytes: number }
}

/** A recording of which the cloud does not know the end: it wants every segment of these streams from then on. */
export type UnfinishedClaim = { from: number; streams: string[] }

/** What the ring holds of one stream, gaps included. */
export type StreamReach = { stream: string; from: number; to: number; bytes: number }

export type RingStats = {
  usedBytes: number
  quotaBytes: number
  freeBytes: number
  segments: number
  /** Bytes on their way to the disk. */
  queueBytes: number
  /** What is wrong with the disk, in words; absent when nothing is. */
  alarm?: string
  /** Of some seconds ago; absent at first. */
  reach?: StreamReach[]
}

export type Recovery = {
  sealed: number
  adopted: number
  quarantined: { name: string; reason: string }[]
  lost: { stream: string; gap: Gap }[]
}

export type Unsubscribe = () => void

export type Ring = AsyncDisposable & {
  /** Set while the disk takes nothing (full, read-only, broken): `append` answers `busy`. */
  readonly blocked: WriteFailure['cause'] | undefined
  /** Whether the queue to the disk has drained far enough to begin again after an overflow. */
  readonly hasRoom: boolean
  /** Whether this codec has a file format here; others are shown live but not recorded. */
  records(config: CodecConfig): boolean
  /** A number that no segment of this stream ever had: max(last + 1, wall ms). */
  newEpoch(stream: string, nowMs: number): number
  /** 0 when the stream is new. */
  lastEpoch(stream: string): number
  /** Where the stream ended if the last process died while it wrote; told once. */
  takeCrashTail(stream: string): number | undefined
  open(header: NewSegment): SegmentWriter
  /** Sealed segments that overlap [from, to), oldest first. */
  segments(range: { stream: string; from?: number; to?: number }): Promise<SegmentRow[]>
  /** Known gaps that overlap [from, to), oldest first. */
  gaps(range: { stream: string; from?: number; to?: number }): Promise<Gap[]>
  /** Keeps a gap in the index. Gaps given to a segment need not be added. */
  addGap(stream: string, gap: Gap): void
  /** Durable when it resolves: tmp → fsync → rename → fsync directory → row. */
  saveRecording(recording: Recording): Promise<void>
  /** Newest first. */
  recordings(): Promise<Recording[]>
  recording(id: string): Promise<Recording | undefined>
  /** Oldest first. */
  unfinishedClaims(limit: number): Promise<UnfinishedClaim[]>
  pendingUploads(options: { limit: number }): Promise<PendingUploads>
  /** Confirmed segments that are still here and begin at or after a wall ms, newest first. */
  lastUploaded(options: { sinceMs: number; limit: number }): Promise<SegmentToUpload[]>
  /** Bytes of one file of a sealed segment; fewer than `length` at its end. `NotFound` when it is gone, `DataLoss` when the disk cannot read it. */
  read(key: SegmentKey, ext: string, offset: number, length: number): Promise<Uint8Array>
  /**
   * Of a segment whose bytes no longer have their checksum: seals what is still whole again, the rest is a gap
   * `damaged`. True: it may be uploaded with its new sums; false: there is nothing (more) of it to upload.
   */
  repair(key: SegmentKey): Promise<boolean>
  /** The file of the recording exactly as it is to be uploaded. */
  readRecording(id: string): Promise<Uint8Array>
  /** Call when the store has confirmed the checksums. Durable when it resolves; the bytes stay as a cache. */
  markUploaded(done: { segments?: SegmentKey[]; recordings?: { id: string; rev: number }[] }): Promise<void>
  /** What the start found: segments that were open, unknown to the index, or no segments at all. */
  readonly recovery: Recovery
  /** Another quota or policy, from now on. */
  configure(limits: { quotaBytes: number; whenFull: 'overwrite' | 'stop' }): Promise<void>
  setStreamPolicy(stream: string, policy: { upload: 'recordings' | 'always' | 'never' }): void
  stats(): RingStats
  onSealed(listener: (manifest: Manifest) => void): Unsubscribe
  /** Something that was recorded, or should have been, is not there. */
  onLost(listener: (stream: string, gap: Gap) => void): Unsubscribe
  /** In words, `undefined` when all is well again. */
  onAlarm(listener: (alarm: string | undefined) => void): Unsubscribe
}
