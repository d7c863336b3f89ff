import type { Gap } from '../../shared/contract/segment.ts'
import type { GapCause } from '../../shared/media/access-unit.ts'

type OpenLoss = { cause: GapCause; from: number; to: number; units: number; known: boolean; counted: boolean }

/**
 * What is missing between segments, wall ms. A loss is open until something is recorded again; then it is a gap:
 * told at once, and kept in the header of the next segment, so that it outlives the index.
 */
export class LossBook {
  /** Units that were accepted and are in no segment. */
  units = 0
  readonly #onGap: (gap: Gap) => void
  #open: OpenLoss | undefined
  #pending: Gap[] = []

  constructor(onGap: (gap: Gap) => void) {
    this.#onGap = onGap
  }

  get cause(): GapCause | undefined {
    return this.#open?.cause
  }

  /** `missing`: units that the source says it did not get through; they were never accepted. */
  begin({ cause, from, missing }: { cause: GapCause; from: number; missing?: number | undefined }): void {
    this.close(from)
    this.#open = { cause, from, to: from, units: missing ?? 0, known: missing !== undefined, counted: false }
  }

  /** A unit that was accepted and cannot be kept. */
  drop(cause: GapCause, atMs: number): void {
    this.#open ??= { cause, from: atMs, to: atMs, units: 0, known: true, counted: true }
    this.#open.to = Math.max(this.#open.to, atMs)
    this.#count(this.#open, 1)
  }

  /** Units of a segment that was thought to hold them; known only when it is sealed. */
  late(gap: Gap & { units: number }): void {
    if (!this.#open) {
      this.units += gap.units
      this.#finish(gap)
      return
    }
    this.#open.from = Math.min(this.#open.from, gap.from)
    this.#count(this.#open, gap.units)
  }

  close(toMs: number): void {
    const open = this.#open
    this.#open = undefined
    if (!open) return
    const { cause, from, units, known } = open
    this.#finish({ from, to: Math.max(from, toMs), cause, ...(known && { units }) })
  }

  /** Units that were taken and lost are a gap, even if the source never comes back. */
  closeCounted(): void {
    if (this.#open?.counted) this.close(this.#open.to)
  }

  /** For the header of a segment that begins at `atMs`. */
  take(atMs: number): { gapBefore?: Gap; gaps?: Gap[] } {
    this.close(atMs)
    const gaps = this.#pending
    this.#pending = []
    const gapBefore = gaps.pop()
    return { ...(gapBefore && { gapBefore }), ...(gaps.length > 0 && { gaps }) }
  }

  #count(loss: OpenLoss, units: number): void {
    loss.units += units
    loss.known = true
    loss.counted = true
    this.units += units
  }

  #finish(gap: Gap): void {
    this.#pending.push(gap)
    this.#onGap(gap)
  }
}
