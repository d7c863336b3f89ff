import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { SegmentHeader } from '../../shared/contract/segment-header.ts'
import type { ErrorKind } from '../../shared/error.ts'
import type { IndexGap } from '../../shared/media/index-record.ts'
import type { Call } from './storage-calls.ts'
import type { Recovery, RingStats, SegmentEnd, WriteFailure } from './types.ts'

/** Numbers a segment while it is open; the main thread counts them up. */
export type Slot = number

/** Columns of one unit in `Batch.units`: plain numbers, so that many units cost one transfer. */
export const unitColumns = 9 // slot, track (0 video, 1 audio), flags, dtsMs, ptsMs, arrivalUs, chunk, offset, size

export type ToWorker =
  | { type: 'open'; slot: Slot; header: SegmentHeader; gaps: Gap[] }
  /** Sound joins a segment that was opened without. */
  | { type: 'audio'; slot: Slot; audio: NonNullable<SegmentHeader['audio']> }
  | { type: 'batch'; chunks: SharedArrayBuffer[]; units: Float64Array; cost: number }
  | { type: 'gap'; slot: Slot; gap: IndexGap }
  | { type: 'seal'; slot: Slot; end: SegmentEnd }
  | ({ type: 'call'; id: number } & Call)
  | { type: 'close' }

export type FromWorker =
  | {
      type: 'ready'
      epochs: [stream: string, epoch: number][]
      tails: [stream: string, wallMs: number][]
      recovery: Recovery
    }
  | { type: 'refused'; error: WireError }
  | { type: 'wrote'; cost: number }
  | { type: 'failed'; slot: Slot; failure: WriteFailure }
  | { type: 'sealed'; slot: Slot | undefined; manifest: Manifest | undefined }
  | { type: 'blocked'; cause: WriteFailure['cause'] | undefined }
  | { type: 'alarm'; alarm: string | undefined }
  | { type: 'lost'; stream: string; gap: Gap }
  | { type: 'stats'; stats: Omit<RingStats, 'queueBytes' | 'alarm'> }
  | { type: 'answer'; id: number; value?: unknown; error?: WireError }
  | { type: 'closed' }

export type Emit = (message: FromWorker) => void

export type WireError = { kind: ErrorKind; message: string; zh?: string }
