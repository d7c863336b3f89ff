import { createHash } from 'node:crypto'
import type { PendingSegment, SegmentRef, UploadSource } from '../../agent/upload/source.ts'
import { AppError } from '../../shared/error.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const nameOf = (segment: SegmentRef) => `${segment.stream}/${segment.epoch}-${segment.seq}`

type Ext = PendingSegment['files'][number]['ext']

/** Sealed segments in memory, as the uploader sees the ring. */
export class MemoryRing implements UploadSource {
  readonly files = new Map<string, Uint8Array>()
  readonly segments: PendingSegment[] = []
  readonly recordings: { id: string; rev: number; sizeBytes: number; sha256: string }[] = []
  /** How often each was marked: once, if all is well. */
  readonly uploaded = new Map<string, number>()

  /** What is whole of a rotten segment; the others stay as they are, and are set aside. */
  readonly repairable = new Set<string>()

  async repair(segment: SegmentRef): Promise<boolean> {
    const pending = this.segments.find((candidate) => nameOf(candidate) === nameOf(segment))
    if (!pending || !this.repairable.has(nameOf(segment))) return true
    for (const file of pending.files) {
      file.sha256 = sha256(this.files.get(`${nameOf(segment)}.${file.ext}`) ?? new Uint8Array())
    }
    return true
  }

  add(segment: SegmentRef, files: Partial<Record<Ext, Uint8Array>>): PendingSegment {
    const list = Object.entries(files).map(([ext, bytes]) => {
      this.files.set(`${nameOf(segment)}.${ext}`, bytes)
      return { ext: ext as Ext, sizeBytes: bytes.length, sha256: sha256(bytes) }
    })
    const pending = {
      ...segment,
      files: list,
      sizeBytes: list.reduce((sum, file) => sum + file.sizeBytes, 0),
    }
    this.segments.push(pending)
    return pending
  }

  addRecording(id: string, rev: number, body: Uint8Array): void {
    this.files.set(`recordings/${id}`, body)
    this.recordings.push({ id, rev, sizeBytes: body.length, sha256: sha256(body) })
  }

  /** Of a process before this one. */
  readonly confirmedBefore: PendingSegment[] = []

  async lastUploaded() {
    return this.confirmedBefore
  }

  async unfinishedClaims() {
    return []
  }

  async pendingUploads({ limit }: { limit: number }) {
    const segments = this.segments.filter((segment) => !this.uploaded.has(nameOf(segment)))
    const recordings = this.recordings.filter(({ id, rev }) => !this.uploaded.has(`${id} ${rev}`))
    const bytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    const total = { segments: segments.length, bytes }
    return { segments: segments.slice(0, limit), recordings: recordings.slice(0, limit), total }
  }

  async read(segment: SegmentRef, ext: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = this.files.get(`${nameOf(segment)}.${ext}`)
    if (!bytes) throw new AppError('NotFound', 'The segment was recycled.')
    return bytes.slice(offset, offset + length)
  }

  readRecording = async (id: string): Promise<Uint8Array> =>
    this.files.get(`recordings/${id}`) ?? new Uint8Array()

  async markUploaded(done: {
    segments?: SegmentRef[]
    recordings?: { id: string; rev: number }[]
  }): Promise<void> {
    const names = [
      ...(done.segments ?? []).map(nameOf),
      ...(done.recordings ?? []).map(({ id, rev }) => `${id} ${rev}`),
    ]
    for (const name of names) this.uploaded.set(name, (this.uploaded.get(name) ?? 0) + 1)
  }
}

/** A segment of pseudo-random bytes, the same for the same number. */
export function fillSegment(ring: MemoryRing, seq: number, sizeBytes = 1000): PendingSegment {
  const bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + seq * 7) & 0xff)
  const index = Uint8Array.from({ length: 64 }, (_, i) => (i + seq) & 0xff)
  const manifest = new TextEncoder().encode(JSON.stringify({ version: 1, seq }))
  return ring.add({ stream: 'cam', epoch: 1772366400000, seq }, { h264: bytes, idx: index, json: manifest })
}
