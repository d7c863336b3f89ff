import { type IndexRecord, unitFlag } from '../../shared/media/index-record.ts'

type Track = {
  units: number
  duplicates: number
  /** Of the units: received damaged and kept. */
  damaged: number
  firstMs: number
  lastMs: number
  dtsMs: number
  spacingMs: number
}

const emptyTrack: Track = {
  units: 0,
  duplicates: 0,
  damaged: 0,
  firstMs: Number.POSITIVE_INFINITY,
  lastMs: Number.NEGATIVE_INFINITY,
  dtsMs: Number.NaN,
  spacingMs: 0,
}

/** What the manifest says of a segment's records, gathered one by one: the same while writing and in recovery. */
export class SegmentSummary {
  video: Track = { ...emptyTrack }
  audio: Track = { ...emptyTrack }

  add(record: IndexRecord): void {
    if (record.kind !== 'unit') return
    const track = this[record.track]
    if (record.flags & unitFlag.duplicate) {
      track.duplicates += 1
      return
    }
    track.units += 1
    if (record.flags & unitFlag.damaged) track.damaged += 1
    track.firstMs = Math.min(track.firstMs, record.ptsMs)
    track.lastMs = Math.max(track.lastMs, record.ptsMs)
    // Pictures are shown out of order, but decoded in order: only DTS gives the spacing.
    if (record.dtsMs > track.dtsMs) track.spacingMs = record.dtsMs - track.dtsMs
    track.dtsMs = record.dtsMs
  }

  clone(): SegmentSummary {
    const copy = new SegmentSummary()
    copy.video = { ...this.video }
    copy.audio = { ...this.audio }
    return copy
  }

  get units(): number {
    return this.video.units + this.audio.units
  }

  /** Timeline ms of the first shown picture (the first sound where there is no picture). */
  get fromMs(): number {
    return this.#main.firstMs
  }

  /** Timeline ms of the end of the last one; its duration is taken to be the last spacing. */
  get toMs(): number {
    return this.#main.lastMs + Math.max(1, this.#main.spacingMs)
  }

  get #main(): Track {
    return this.video.units > 0 ? this.video : this.audio
  }
}
