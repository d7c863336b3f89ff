import { AppError } from '../../error.ts'
import { Column } from './column.ts'

/**
 * How samples lie in their source: `annexb` with 4-byte start codes, `adts` with a 7-byte header before
 * each frame, `raw` as an MP4 wants them (length-prefixed video, bare audio frames).
 */
export type Framing = 'annexb' | 'adts' | 'raw'

/** Samples that follow each other without a hole in one source; `source` is the caller's number for it. */
export type SampleRun = {
  readonly first: number
  readonly source: number
  readonly offset: number
  readonly framing: Framing
  readonly checked: boolean
}

const adtsHeaderBytes = 7

/**
 * The samples of one track in decoding order, as columns: 8 to 17 bytes a sample, so that eight hours of
 * picture and sound (2.2 million samples) stay below 40 MB.
 */
export class SampleTable {
  readonly runs: SampleRun[] = []
  readonly #dts = new Column(Uint32Array) // Relative to the first: 49 days.
  readonly #composition = new Column(Int32Array)
  readonly #size = new Column(Uint32Array)
  readonly #crc = new Column(Uint32Array)
  readonly #needsOthers = new Column(Uint8Array) // 1: no sync sample.
  #length = 0
  #baseMs = 0
  #source: { source: number; framing: Framing; checked: boolean } | undefined
  #end = Number.NaN

  get length(): number {
    return this.#length
  }

  /** The samples pushed from now on lie in `source`; `checked`: they come with their CRC32. */
  from(source: number, framing: Framing, checked = false): this {
    this.#source = { source, framing, checked }
    this.#end = Number.NaN
    return this
  }

  /**
   * `sizeBytes` and `offset` are of the source, framing included. A DTS that steps back is raised to the one
   * before it, as the format has no negative durations; PTS stay as they are.
   */
  push(sample: {
    dtsMs: number
    ptsMs: number
    sizeBytes: number
    offset: number
    sync: boolean
    crc?: number
  }): void {
    if (!this.#source) throw new AppError('Internal', 'sample table: from() names the source first')
    const { framing } = this.#source
    if (sample.offset !== this.#end) {
      this.runs.push({ first: this.length, offset: sample.offset, ...this.#source })
    }
    this.#end = sample.offset + sample.sizeBytes
    if (this.length === 0) this.#baseMs = sample.dtsMs
    const before = this.length === 0 ? 0 : this.#dts.at(this.length - 1)
    const dts = Math.max(before, sample.dtsMs - this.#baseMs)
    const composition = sample.ptsMs - this.#baseMs - dts
    if (dts >= 2 ** 32 || Math.abs(composition) >= 2 ** 31) {
      throw new AppError(
        'InvalidArgument',
        `sample table: DTS ${sample.dtsMs} or PTS ${sample.ptsMs} ms is out of range`,
      )
    }
    const i = this.#length
    this.#dts.set(i, dts)
    this.#composition.set(i, composition)
    this.#size.set(i, Math.max(0, sample.sizeBytes - framingBytes(framing)))
    this.#crc.set(i, sample.crc ?? 0)
    this.#needsOthers.set(i, sample.sync ? 0 : 1)
    this.#length += 1
  }

  dtsMs(i: number): number {
    return this.#baseMs + this.#dts.at(i)
  }

  ptsMs(i: number): number {
    return this.#baseMs + this.#dts.at(i) + this.#composition.at(i)
  }

  /** PTS − DTS; may be negative. */
  compositionMs(i: number): number {
    return this.#composition.at(i)
  }

  /** In the MP4, without a framing that is dropped. */
  sizeBytes(i: number): number {
    return this.#size.at(i)
  }

  /** CRC32 of the sample as it lies in its source; meaningful where its run is `checked`. */
  crc(i: number): number {
    return this.#crc.at(i)
  }

  isSync(i: number): boolean {
    return this.#needsOthers.at(i) === 0
  }
}

/** Bytes that a sample has in its source and not in the MP4. */
export function framingBytes(framing: Framing): number {
  return framing === 'adts' ? adtsHeaderBytes : 0
}
