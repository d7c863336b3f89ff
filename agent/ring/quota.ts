import type { Gap } from '../../shared/contract/segment.ts'
import {
  ringReserveBytes,
  ringReserveInodes,
  ringReserveShare,
  segmentBytesMax,
} from '../../shared/limits.ts'
import { deleteBytes, forget } from './delete-segment.ts'
import type { Layout } from './names.ts'
import type { RingDb, StoredSegment } from './ring-db.ts'
import type { RingFs } from './ring-fs.ts'

const forgetPerSweep = 100 // Each is one unlink: a sweep stays in the milliseconds.

/** What is wrong, in words, and whether recording must stop for it. */
export type Shortage = { words: string }

/**
 * Space. Freed in this order: segments verified in the store, then unclaimed ones, oldest first; then, if the
 * policy is to overwrite, the oldest of the rest with an alarm. Each that was not in the store is a gap.
 */
export class Quota {
  quotaBytes: number
  whenFull: 'overwrite' | 'stop'
  usedBytes: number
  segments: number
  /** Streams whose segments are all wanted in the store. */
  keep: readonly string[] = []
  /** Claimed or wanted segments were overwritten since it was last read. */
  overwritten = 0
  readonly #fs: RingFs
  readonly #layout: Layout
  readonly #db: RingDb
  readonly #onLost: (stream: string, gap: Gap) => void

  constructor(options: {
    fs: RingFs
    layout: Layout
    db: RingDb
    quotaBytes: number
    whenFull: 'overwrite' | 'stop'
    onLost: (stream: string, gap: Gap) => void
  }) {
    this.#fs = options.fs
    this.#layout = options.layout
    this.#db = options.db
    this.quotaBytes = options.quotaBytes
    this.whenFull = options.whenFull
    this.#onLost = options.onLost
    const usage = options.db.usage()
    this.usedBytes = usage.bytes
    this.segments = usage.segments
  }

  get margin(): number {
    return Math.min(segmentBytesMax, this.quotaBytes / 10)
  }

  /** Frees until the quota has room for `bytes` and a margin, so that not every write has to delete. */
  makeRoom(bytes: number): Shortage | undefined {
    while (this.usedBytes + bytes + this.margin > this.quotaBytes) {
      if (this.recycleOne()) continue
      return this.usedBytes + bytes > this.quotaBytes
        ? { words: 'the quota of the ring is used up' }
        : undefined
    }
    return undefined
  }

  /** Frees until the disk itself has its reserve; what is claimed goes only when the last quarter of it is used. */
  makeSpace(): Shortage | undefined {
    for (;;) {
      const shortage = this.#shortage(1)
      if (!shortage) return undefined
      if (!this.recycleOne({ force: this.#shortage(0.25) !== undefined })) return shortage
    }
  }

  freeBytes(): number {
    return this.#fs.space(this.#layout.ring).freeBytes
  }

  recycleOne({ force = true } = {}): boolean {
    const db = this.#db
    const easy = db.toRecycle('uploaded', []) ?? db.toRecycle('unclaimed', this.keep)
    if (easy) {
      this.#recycle(easy)
      return true
    }
    const forced = force && this.whenFull === 'overwrite' ? db.toRecycle('any', []) : undefined
    if (!forced) return false
    this.overwritten += 1
    this.#recycle(forced)
    return true
  }

  /** Numbered as in docs/ring.md. */
  #recycle(segment: StoredSegment): void {
    const db = this.#db
    db.setDeleting(segment) // 1. From here on the deletion will be finished, whatever happens.
    deleteBytes(this.#fs, this.#layout, segment, segment.uploaded ? 'gone' : 'del') // 2. Name, then bytes.
    this.#finish(segment) // 3. The row, together with the gap that it leaves.
    this.usedBytes -= segment.sizeBytes
    this.segments -= 1
  }

  #finish(segment: StoredSegment): void {
    const db = this.#db
    if (segment.uploaded) {
      db.setGone(segment)
      return
    }
    const { from, to, units } = segment
    const gap: Gap = { from, to, cause: 'recycled', units }
    db.transaction(() => {
      db.removeSegment(segment)
      db.extendGap(segment.stream, gap)
    })
    this.#onLost(segment.stream, gap)
    forget(this.#fs, this.#layout, segment, 'del') // 4.
  }

  /** Manifests of segments that are only in the store, once no open claim can want to name them. */
  forget(): void {
    for (const place of this.#db.forgettable(forgetPerSweep)) {
      forget(this.#fs, this.#layout, place, 'gone')
      this.#db.removeSegment(place)
    }
  }

  /** `share` of the reserve. */
  #shortage(share: number): Shortage | undefined {
    const { totalBytes, freeBytes, freeInodes } = this.#fs.space(this.#layout.ring)
    const reserve = Math.min(ringReserveBytes, totalBytes * ringReserveShare) * share
    if (freeBytes < reserve) return { words: 'disk full' }
    if (freeInodes !== undefined && freeInodes < ringReserveInodes * share)
      return { words: 'disk full: inodes' }
    return undefined
  }
}
