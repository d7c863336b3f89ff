import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'

export type SegmentRef = { stream: string; epoch: number; seq: number }
/** `from`: wall ms of its first picture. */
export type PendingSegment = SegmentToUpload & { sizeBytes: number; from?: number }
export type PendingRecording = { id: string; rev: number; sizeBytes: number; sha256: string }

/** What the uploader needs of the ring. `main.ts` joins them. */
export type UploadSource = {
  /** Sealed and not confirmed, oldest first; files in the order of upload, the manifest last. */
  pendingUploads(options: { limit: number }): Promise<{
    segments: PendingSegment[]
    recordings: PendingRecording[]
    total: { segments: number; bytes: number }
  }>
  /** Confirmed, still here, and begun at or after a wall ms; newest first. */
  lastUploaded(options: { sinceMs: number; limit: number }): Promise<SegmentToUpload[]>
  /** Recordings of which the cloud does not know the end: it keeps what they may still name. */
  unfinishedClaims(limit: number): Promise<{ from: number; streams: string[] }[]>
  /** Fewer bytes than asked only at the end of the file; `NotFound` when it was recycled meanwhile. */
  read(segment: SegmentRef, ext: string, offset: number, length: number): Promise<Uint8Array>
  readRecording(id: string): Promise<Uint8Array>
  /** Its bytes on the disk do not have their checksum: seals again what is whole. False: nothing is left of it. */
  repair(segment: SegmentRef): Promise<boolean>
  /** Durable when it resolves: from now on the ring may delete them. */
  markUploaded(done: { segments?: SegmentRef[]; recordings?: { id: string; rev: number }[] }): Promise<void>
}

export function refName(segment: SegmentRef): string {
  return `${segment.stream}/${segment.epoch}-${segment.seq}`
}
