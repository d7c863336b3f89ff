import {
  decodeIndexRecord,
  type IndexRecord,
  indexRecordBytes,
  recordKinds,
  unitFlag,
} from './index-record.ts'
import { readI64, readU64 } from './int64.ts'

/**
 * The whole records of an index as columns over its bytes: eight hours of 30 pictures a second are 41 MB
 * here and several hundred as objects. `i` is 0 … length − 1; beyond it a RangeError.
 */
export class IndexRecords implements Iterable<IndexRecord> {
  readonly length: number
  readonly #view: DataView

  /** Only records whose checksum was found right (`parseIndex`). */
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.length = Math.floor(bytes.byteLength / indexRecordBytes)
  }

  kind(i: number): 'unit' | 'config' | 'gap' {
    return recordKinds[this.#view.getUint8(i * indexRecordBytes + 1)] ?? 'unit'
  }

  isVideo(i: number): boolean {
    return this.#view.getUint8(i * indexRecordBytes) === 0
  }

  isUnit(i: number): boolean {
    return this.#view.getUint8(i * indexRecordBytes + 1) === 0
  }

  /** Of a unit: a sum of `unitFlag`s. */
  flags(i: number): number {
    return this.#view.getUint16(i * indexRecordBytes + 2, true)
  }

  isRandomAccess(i: number): boolean {
    return (this.flags(i) & unitFlag.randomAccess) !== 0
  }

  isDuplicate(i: number): boolean {
    return (this.flags(i) & unitFlag.duplicate) !== 0
  }

  /** Received damaged and kept. */
  isDamaged(i: number): boolean {
    return (this.flags(i) & unitFlag.damaged) !== 0
  }

  sizeBytes(i: number): number {
    return this.#view.getUint32(i * indexRecordBytes + 4, true)
  }

  offset(i: number): number {
    return readU64(this.#view, i * indexRecordBytes + 8)
  }

  dtsMs(i: number): number {
    return readI64(this.#view, i * indexRecordBytes + 16)
  }

  ptsMs(i: number): number {
    return readI64(this.#view, i * indexRecordBytes + 24)
  }

  arrivalUs(i: number): number {
    return readI64(this.#view, i * indexRecordBytes + 32)
  }

  crc(i: number): number {
    return this.#view.getUint32(i * indexRecordBytes + 40, true)
  }

  at(i: number): IndexRecord {
    return decodeIndexRecord(this.#view, i * indexRecordBytes)
  }

  *[Symbol.iterator](): Generator<IndexRecord> {
    for (let i = 0; i < this.length; i += 1) yield this.at(i)
  }
}
