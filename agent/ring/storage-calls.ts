import type { Recording } from '../../shared/contract/recording.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import { ringReadBytesMax } from '../../shared/limits.ts'
import type { Claims } from './claims.ts'
import { causeOf } from './disk-state.ts'
import type { Layout, SegmentPlace } from './names.ts'
import type { Quota } from './quota.ts'
import { repairSegment } from './repair-segment.ts'
import type { RingDb, StoredSegment } from './ring-db.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import type { PendingUploads, SegmentRow, UnfinishedClaim } from './types.ts'

type UploadPolicy = 'recordings' | 'always' | 'never'

/** The questions that the main thread asks the worker; arguments and answers travel as they are. */
export class StorageCalls {
  readonly #fs: RingFs
  readonly #layout: Layout
  readonly #db: RingDb
  readonly #claims: Claims
  readonly #quota: Quota
  readonly #onLost: (stream: string, gap: Gap) => void
  readonly #uploads = new Map<string, UploadPolicy>()

  constructor(parts: {
    fs: RingFs
    layout: Layout
    db: RingDb
    claims: Claims
    quota: Quota
    onLost: (stream: string, gap: Gap) => void
  }) {
    this.#fs = parts.fs
    this.#layout = parts.layout
    this.#db = parts.db
    this.#claims = parts.claims
    this.#quota = parts.quota
    this.#onLost = parts.onLost
  }

  segments(stream: string, from: number, to: number): SegmentRow[] {
    return this.#db.segments(stream, from, to).map(toRow)
  }

  gaps(stream: string, from: number, to: number): Gap[] {
    return this.#db.gaps(stream, from, to)
  }

  addGap(stream: string, gap: Gap): void {
    this.#db.putGap(stream, gap)
  }

  /** A claim is a few hundred bytes and must not fail for want of them. */
  saveRecording(recording: Recording): void {
    try {
      this.#claims.save(recording)
    } catch (error) {
      if (causeOf(error) !== 'disk-full' || !this.#quota.recycleOne()) throw error
      this.#claims.save(recording)
    }
  }

  recordings(): Recording[] {
    return this.#claims.list()
  }

  recording(id: string): Recording | undefined {
    return this.#claims.get(id)
  }

  readRecording(id: string): Uint8Array {
    return this.#claims.read(id)
  }

  setPolicy(stream: string, upload: UploadPolicy): void {
    if (upload === 'recordings') this.#uploads.delete(stream)
    else this.#uploads.set(stream, upload)
    this.#quota.keep = this.#streamsThat('always')
  }

  /** From the next write on: less room is made as it is needed, not at once. */
  configure({ quotaBytes, whenFull }: { quotaBytes: number; whenFull: 'overwrite' | 'stop' }): void {
    this.#quota.quotaBytes = quotaBytes
    this.#quota.whenFull = whenFull
  }

  unfinishedClaims(limit: number): UnfinishedClaim[] {
    return this.#claims.unfinished(limit)
  }

  pendingUploads(limit: number): PendingUploads {
    const always = this.#streamsThat('always')
    const never = this.#streamsThat('never')
    const segments = this.#db.pending(always, never, limit).map((segment) => {
      const { stream, epoch, seq, from, to, sizeBytes, files, doubted } = segment
      return { stream, epoch, seq, from, to, sizeBytes, files, ...(doubted && { again: true as const }) }
    })
    const total = this.#db.pendingTotal(always, never)
    return { segments, recordings: this.#claims.pending(limit), total }
  }

  lastUploaded(sinceMs: number, limit: number): SegmentToUpload[] {
    return this.#db
      .lastUploaded(sinceMs, limit)
      .map(({ stream, epoch, seq, files }) => ({ stream, epoch, seq, files }))
  }

  read(place: SegmentPlace, ext: string, offset: number, length: number): Uint8Array {
    const segment = this.#db.segment(place)
    if (!segment?.local || segment.deleting || !segment.files.some((file) => file.ext === ext)) {
      throw new AppError('NotFound', `segment ${place.stream} ${place.epoch}-${place.seq} has no ${ext} here`)
    }
    const fd = this.#fs.open(this.#layout.segment(place, ext), 'read')
    try {
      const into = new Uint8Array(Math.max(0, Math.min(length, this.#fs.size(fd) - offset, ringReadBytesMax)))
      return into.subarray(0, this.#fs.read(fd, into, offset))
    } catch (cause) {
      if (errorCode(cause) !== 'EIO') throw cause
      throw new AppError('DataLoss', 'the disk can no longer read a file of the ring', {
        cause,
        zh: '磁盘已无法读取环形缓存中的文件。',
      })
    } finally {
      this.#fs.close(fd)
    }
  }

  repair(place: SegmentPlace): boolean {
    const segment = this.#db.segment(place)
    if (!segment?.local || segment.deleting || segment.uploaded) return false
    const { stream, epoch, seq } = segment
    const repaired = repairSegment(this.#fs, this.#layout, this.#db, { stream, epoch, seq })
    this.#quota.usedBytes += repaired.sizeBytes - segment.sizeBytes
    if (repaired.sizeBytes === 0) this.#quota.segments -= 1
    for (const gap of repaired.gaps) this.#onLost(stream, gap)
    return repaired.sizeBytes > 0
  }

  markUploaded(segments: readonly SegmentPlace[], recordings: readonly { id: string; rev: number }[]): void {
    this.#db.transaction(() => {
      for (const place of segments) this.#db.setUploaded(place)
      for (const { id, rev } of recordings) this.#claims.setUploaded(id, rev)
    })
  }

  #streamsThat(policy: UploadPolicy): string[] {
    return [...this.#uploads].filter(([, upload]) => upload === policy).map(([stream]) => stream)
  }
}

export type CallName = Exclude<keyof StorageCalls, 'constructor'>
/** A call as it travels: its name and arguments belong together. */
export type Call = { [Name in CallName]: { method: Name; args: Parameters<StorageCalls[Name]> } }[CallName]

const names: ReadonlySet<string> = new Set(
  Object.getOwnPropertyNames(StorageCalls.prototype).filter((name) => name !== 'constructor'),
)

export function answer(calls: StorageCalls, { method, args }: { method: string; args: unknown[] }): unknown {
  if (!names.has(method)) throw new AppError('Internal', `the storage worker knows no ${method}`)
  const call: unknown = calls[method as CallName]
  if (typeof call !== 'function') throw new TypeError(method)
  return Reflect.apply(call, calls, args)
}

function toRow(segment: StoredSegment): SegmentRow {
  const { stream, epoch, seq, from, to, units, sizeBytes, continues, uploaded, local } = segment
  return { stream, epoch, seq, from, to, units, sizeBytes, continues, uploaded, local }
}
