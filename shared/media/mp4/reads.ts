import { crc32 } from 'node:zlib'
import { AppError } from '../../error.ts'
import { mp4ReadBytesMax } from '../../limits.ts'
import { type Framing, framingBytes, type SampleRun, type SampleTable } from './sample-table.ts'

/**
 * One range of a source whose samples follow each other in the MP4. The caller reads `sizeBytes` at
 * `offset` of `source`, passes them through `toMovieBytes` and writes what comes back.
 */
export type MovieRead = {
  /** Place of the track in the plan's options. */
  track: number
  source: number
  offset: number
  sizeBytes: number
  framing: Framing
  checked: boolean
  firstSample: number
  samples: number
}

/** Walks a table in order and says which bytes to read: one pass, however long the runs are. */
export class ReadCursor {
  readonly #table: SampleTable
  readonly #track: number
  #sample: number
  #run = -1
  #offset = 0

  constructor(table: SampleTable, track: number, first: number) {
    this.#table = table
    this.#track = track
    this.#sample = first
    while ((table.runs[this.#run + 1]?.first ?? Infinity) <= first) this.#run += 1
    const run = table.runs[this.#run]
    if (!run) return
    this.#offset = run.offset
    for (let i = run.first; i < first; i += 1) this.#offset += table.sizeBytes(i) + framingBytes(run.framing)
  }

  /** The reads of the samples up to `end`, exclusive: each within one run and bounded in size. */
  *until(end: number): Generator<MovieRead> {
    const { runs } = this.#table
    while (this.#sample < end) {
      if (runs[this.#run + 1]?.first === this.#sample) {
        this.#run += 1
        this.#offset = runs[this.#run]?.offset ?? 0
      }
      const run = runs[this.#run]
      if (!run) throw new AppError('Internal', 'sample table: a sample outside of every run')
      yield this.#take(run, Math.min(end, runs[this.#run + 1]?.first ?? end))
    }
  }

  #take({ source, framing, checked }: SampleRun, end: number): MovieRead {
    const firstSample = this.#sample
    const offset = this.#offset
    let sizeBytes = 0
    for (; this.#sample < end; this.#sample += 1) {
      const size = this.#table.sizeBytes(this.#sample) + framingBytes(framing)
      if (sizeBytes > 0 && sizeBytes + size > mp4ReadBytesMax) break
      sizeBytes += size
    }
    this.#offset += sizeBytes
    const samples = this.#sample - firstSample
    return { track: this.#track, source, offset, sizeBytes, framing, checked, firstSample, samples }
  }
}

/**
 * Turns the bytes of a read into those of the MP4, in place: start codes become lengths, ADTS headers go.
 * Returns a view of `bytes`. With `check`, every sample of a checked run is compared with its CRC32 first.
 * DataLoss, naming the sample's time, when bytes are missing, damaged or not framed as said; the caller can
 * make a new plan without that sample.
 */
export function toMovieBytes(
  table: SampleTable,
  read: MovieRead,
  bytes: Uint8Array,
  options: { check: boolean },
): Uint8Array {
  if (bytes.length !== read.sizeBytes) {
    throw new AppError(
      'DataLoss',
      `MP4: ${bytes.length} bytes were read where ${read.sizeBytes} are expected`,
    )
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const extra = framingBytes(read.framing)
  const check = options.check && read.checked
  let from = 0
  let to = 0
  for (let i = read.firstSample; i < read.firstSample + read.samples; i += 1) {
    const size = table.sizeBytes(i) + extra
    const whole = !check || crc32(buffer.subarray(from, from + size)) === table.crc(i)
    if (!whole || !rewrite(buffer, read.framing, from, size, to)) {
      throw new AppError('DataLoss', `MP4: the sample of ${table.ptsMs(i)} ms is damaged in its source`)
    }
    from += size
    to += size - extra
  }
  return bytes.subarray(0, to)
}

function rewrite(buffer: Buffer, framing: Framing, from: number, size: number, to: number): boolean {
  if (framing === 'annexb') return lengthPrefixInPlace(buffer, from, size)
  if (framing === 'adts') {
    // Sync word, layer 0, no CRC: the 7-byte header that our ring writes.
    if ((((buffer[from] ?? 0) << 8) | ((buffer[from + 1] ?? 0) & 0xf7)) !== 0xfff1) return false
    buffer.copyWithin(to, from + framingBytes('adts'), from + size)
  }
  return true
}

const startCode = Buffer.from([0, 0, 0, 1])

/**
 * Replaces the 4-byte start code before each NAL unit of one sample by the unit's length. Emulation
 * prevention keeps 00 00 01 out of a unit, and the ring writes no trailing zeros, so what is found is a
 * boundary. False when the sample does not begin with a start code.
 */
export function lengthPrefixInPlace(buffer: Buffer, at: number, sizeBytes: number): boolean {
  const sample = buffer.subarray(at, at + sizeBytes)
  if (sample.length < startCode.length || sample.readUInt32BE(0) !== 1) return false
  for (let unit = 0; unit < sizeBytes; ) {
    const found = sample.indexOf(startCode, unit + startCode.length)
    const next = found === -1 ? sizeBytes : found
    sample.writeUInt32BE(next - unit - startCode.length, unit)
    unit = next
  }
  return true
}
