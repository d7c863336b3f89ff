import { audioOnlyAfterMs, gopCacheBytesMax, gopCacheMs, gopCachePicturesMax } from '../../shared/limits.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'

type Bounds = { unitsMax: number; bytesMax: number; spanMs: number }
const defaults: Bounds = { unitsMax: gopCachePicturesMax, bytesMax: gopCacheBytesMax, spanMs: gopCacheMs }

/**
 * The newest GOP of a stream: what a viewer that joins is given first.
 *
 * Invariant: empty, or it begins with video random access (a stream without video: with sound). A GOP that outgrows
 * the bounds is dropped as a whole and the cache stays empty until the next random access: a late viewer waits
 * rather than start inside a GOP.
 */
export class GopCache {
  readonly #bounds: Bounds
  #units: AccessUnit[] = []
  #sizeBytes = 0
  #hasVideo = false

  constructor(bounds: Partial<Bounds> = {}) {
    this.#bounds = { ...defaults, ...bounds }
  }

  get units(): readonly AccessUnit[] {
    return this.#units
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  push(unit: AccessUnit): void {
    const firstVideo = unit.track === 'video' && !this.#hasVideo
    this.#hasVideo ||= firstVideo
    const opens = unit.track === 'video' ? unit.randomAccess : !this.#hasVideo
    if (firstVideo || (opens && unit.track === 'video') || this.#overflows(unit)) this.clear()
    if (this.#units.length === 0 && !opens) return
    if (unit.sizeBytes > this.#bounds.bytesMax) return
    this.#units.push(unit)
    this.#sizeBytes += unit.sizeBytes
  }

  clear(): void {
    this.#units = []
    this.#sizeBytes = 0
  }

  #overflows(unit: AccessUnit): boolean {
    const first = this.#units[0]
    if (!first) return false
    const spanMs = Math.max(Math.abs(unit.dtsMs - first.dtsMs), unit.arrivalMs - first.arrivalMs)
    return (
      this.#sizeBytes + unit.sizeBytes > this.#bounds.bytesMax ||
      this.#units.length + 1 > this.#bounds.unitsMax ||
      spanMs > (this.#hasVideo ? this.#bounds.spanMs : audioOnlyAfterMs) // Sound needs no past to be decoded.
    )
  }
}
