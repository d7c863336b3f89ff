import {
  gopCacheBytesMax,
  gopCacheMs,
  gopCachePicturesMax,
  grpcMessageBytesMax,
  viewerLagBytesMax,
  viewerLagMsMax,
} from '../../../shared/limits.ts'
import type { AccessUnit } from '../../../shared/media/access-unit.ts'

/** What a slow client missed before the unit that comes with it. */
export type Dropped = { units: number; bytes: number; totalUnits: number }
export type Queued = { unit: AccessUnit; dropped?: Dropped }

type Entry = { unit: AccessUnit; atMs: number; opens: boolean }

const messageOverheadBytes = 4096 // Parameter sets, times and marks around the bytes of a unit.

/**
 * The units that one client has still to be sent. A live stream cannot wait, so a client that falls behind loses
 * pictures, in whole GOPs.
 *
 * Invariant: what comes out begins where a decoder can start, and goes on from there or from a later such place.
 * Inside the newest GOP a client may lag for free, since the hub holds that GOP anyway; behind it at most the budget
 * of bytes and seconds is held.
 */
export class UnitQueue {
  readonly #now: () => number
  readonly #entries: Entry[] = []
  #sizeBytes = 0
  #hasVideo = false
  #awaitsKey = true
  /** What comes before the first key frame is no loss: nobody could begin there. */
  #hasBegun = false
  #lost = { units: 0, bytes: 0 }
  #totalUnits = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get length(): number {
    return this.#entries.length
  }

  get droppedUnits(): number {
    return this.#totalUnits
  }

  /** Never waits and never throws. */
  push(unit: AccessUnit): void {
    this.#hasVideo ||= unit.track === 'video'
    const opens = unit.track === 'video' ? unit.randomAccess : !this.#hasVideo
    if (unit.sizeBytes + messageOverheadBytes > grpcMessageBytesMax) this.#lose(unit)
    else if (this.#awaitsKey && !opens) this.#count(unit)
    else {
      this.#awaitsKey = false
      this.#hasBegun = true
      this.#entries.push({ unit, atMs: this.#now(), opens })
      this.#sizeBytes += unit.sizeBytes
      this.#keepBudget()
    }
  }

  shift(): Queued | undefined {
    const entry = this.#entries.shift()
    if (!entry) return undefined
    this.#sizeBytes -= entry.unit.sizeBytes
    const { units } = this.#lost
    if (units === 0) return { unit: entry.unit }
    const dropped = { ...this.#lost, totalUnits: this.#totalUnits }
    this.#lost = { units: 0, bytes: 0 }
    return { unit: entry.unit, dropped }
  }

  clear(): void {
    this.#entries.length = 0
    this.#sizeBytes = 0
  }

  #keepBudget(): void {
    const lagMs = this.#now() - (this.#entries[0]?.atMs ?? 0)
    if (this.#sizeBytes <= viewerLagBytesMax && lagMs <= viewerLagMsMax) return
    const newestKey = this.#entries.findLastIndex(({ opens }) => opens)
    if (newestKey > 0) this.#drop(newestKey)
    const isEndless =
      this.#sizeBytes > gopCacheBytesMax || this.#entries.length > gopCachePicturesMax || lagMs > gopCacheMs
    if (newestKey <= 0 && isEndless) this.#dropAll()
  }

  // What follows a unit that was left out cannot be decoded without it.
  #lose(unit: AccessUnit): void {
    this.#dropAll()
    this.#count(unit)
  }

  #dropAll(): void {
    this.#drop(this.#entries.length)
    this.#awaitsKey = true
  }

  #drop(count: number): void {
    for (const { unit } of this.#entries.splice(0, count)) {
      this.#sizeBytes -= unit.sizeBytes
      this.#count(unit)
    }
  }

  #count(unit: AccessUnit): void {
    if (!this.#hasBegun) return
    this.#lost.units += 1
    this.#lost.bytes += unit.sizeBytes
    this.#totalUnits += 1
  }
}
