import { gopCacheBytesMax, gopCachePicturesMax } from '../../shared/limits.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'

/**
 * The current GOP by reference, so that a segment which must begin in mid-GOP can begin with copies. Empty when
 * there is none or it has grown beyond its bounds: it never begins inside a GOP, and is of one epoch and
 * configuration.
 */
export class GopList {
  #units: AccessUnit[] = []
  #bytes = 0
  /** How many of them were recorded, or are in a loss. */
  #settled = 0

  push(unit: AccessUnit): void {
    const [first] = this.#units
    if (unit.track === 'video') {
      const other = first && (first.epoch !== unit.epoch || first.config !== unit.config)
      if (unit.randomAccess || other) this.clear()
      if (this.#units.length === 0 && !unit.randomAccess) return
    } else if (!first || first.epoch !== unit.epoch) return
    this.#units.push(unit)
    this.#bytes += unit.sizeBytes
    if (this.#units.length > gopCachePicturesMax || this.#bytes > gopCacheBytesMax) this.clear()
  }

  clear(): void {
    this.#units = []
    this.#bytes = 0
    this.#settled = 0
  }

  settle(): void {
    this.#settled = this.#units.length
  }

  /** From the first that nobody wanted when it came, to the newest. */
  unsettled(): AccessUnit[] {
    return this.#units.slice(this.#settled)
  }

  /** The pictures before `unit`; none if it is not of this GOP. */
  before(unit: AccessUnit): AccessUnit[] {
    const at = this.#units.indexOf(unit)
    return this.#units.slice(0, Math.max(0, at)).filter((other) => other.track === 'video')
  }
}
