import { crc32 } from 'node:zlib'
import { type SegmentHeader, segmentHeader } from '../contract/segment-header.ts'
import { AppError } from '../error.ts'
import { indexHeaderBytesMax } from '../limits.ts'
import { indexRecordBytes, recordKinds, recordTracks } from './index-record.ts'
import { IndexRecords } from './index-records.ts'

/**
 * The index of a segment, `<epoch>-<seq>.idx`. Little-endian.
 *
 *   0        4         6         8            12           16
 *   +--------+---------+---------+------------+------------+---------------+-----------------+
 *   | "ERIX" | version | 48      | JSON bytes | CRC32 of   | JSON: segment | 0 … to the next |
 *   |        | u16 = 1 | u16     | u32        | 0…11, JSON | header, UTF-8 | multiple of 48  |
 *   +--------+---------+---------+------------+------------+---------------+-----------------+
 *
 * Behind it the records (`index-record.ts`), in the order in which the units were written.
 */
const magic = Buffer.from('ERIX')
const prefixBytes = 16

/** Throws InvalidArgument when the header does not fit its schema or its bound. */
export function encodeIndexHeader(header: SegmentHeader): Uint8Array {
  const checked = segmentHeader.safeParse(header)
  if (!checked.success) {
    throw new AppError('InvalidArgument', `index header: ${checked.error.message}`, { cause: checked.error })
  }
  const json = Buffer.from(JSON.stringify(checked.data))
  if (json.length > indexHeaderBytesMax) {
    throw new AppError(
      'InvalidArgument',
      `index header: ${json.length} bytes, at most ${indexHeaderBytesMax} are allowed`,
    )
  }
  const bytes = Buffer.alloc(paddedHeaderBytes(json.length))
  magic.copy(bytes)
  bytes.writeUInt16LE(1, 4)
  bytes.writeUInt16LE(indexRecordBytes, 6)
  bytes.writeUInt32LE(json.length, 8)
  bytes.writeUInt32LE(headerCrc(bytes, json), 12)
  json.copy(bytes, prefixBytes)
  return bytes
}

export type ParsedIndex = {
  header: SegmentHeader
  /** Every whole record from the start; a view of `bytes`, nothing is copied. */
  records: IndexRecords
  /** Header and whole records: a recovered file is cut here. */
  validBytes: number
  /** Why reading stopped before the end of the bytes; absent when nothing was left over. */
  tail?: { offset: number; bytes: number; reason: 'short' | 'checksum' | 'unknown' }
}

/**
 * Reads an index, also one whose agent was killed: it stops at the first record that is not whole.
 * DataLoss when the header cannot be read or, without `tolerateTail`, when anything follows the whole records.
 */
export function parseIndex(bytes: Uint8Array, options: { tolerateTail?: boolean } = {}): ParsedIndex {
  const { header, headerBytes } = parseHeader(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wholeEnd = bytes.length - ((bytes.length - headerBytes) % indexRecordBytes)
  let at = headerBytes
  let reason: NonNullable<ParsedIndex['tail']>['reason'] = 'short'
  for (; at < wholeEnd; at += indexRecordBytes) {
    if (crc32(bytes.subarray(at, at + 44)) !== view.getUint32(at + 44, true)) {
      reason = 'checksum'
      break
    }
    if (view.getUint8(at) >= recordTracks.length || view.getUint8(at + 1) >= recordKinds.length) {
      reason = 'unknown'
      break
    }
  }
  const records = new IndexRecords(bytes.subarray(headerBytes, at))
  if (at === bytes.length) return { header, records, validBytes: at }
  if (!options.tolerateTail) {
    throw new AppError('DataLoss', `index: record at byte ${at} of ${bytes.length} is damaged (${reason})`)
  }
  return { header, records, validBytes: at, tail: { offset: at, bytes: bytes.length - at, reason } }
}

function parseHeader(bytes: Uint8Array): { header: SegmentHeader; headerBytes: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < prefixBytes || buffer.compare(magic, 0, 4, 0, 4) !== 0) {
    throw new AppError('DataLoss', 'index: not an index file')
  }
  const version = buffer.readUInt16LE(4)
  const jsonBytes = buffer.readUInt32LE(8)
  if (version !== 1 || buffer.readUInt16LE(6) !== indexRecordBytes) {
    throw new AppError('DataLoss', `index: version ${version} is not known here`)
  }
  const headerBytes = paddedHeaderBytes(jsonBytes)
  if (jsonBytes > indexHeaderBytesMax || headerBytes > buffer.length) {
    throw new AppError('DataLoss', `index: header says ${jsonBytes} bytes, the file has ${buffer.length}`)
  }
  const json = buffer.subarray(prefixBytes, prefixBytes + jsonBytes)
  if (headerCrc(buffer, json) !== buffer.readUInt32LE(12)) {
    throw new AppError('DataLoss', 'index: the checksum of the header is wrong')
  }
  try {
    return { header: segmentHeader.parse(JSON.parse(json.toString())), headerBytes }
  } catch (cause) {
    throw new AppError('DataLoss', 'index: the header is not a segment header', { cause })
  }
}

function headerCrc(prefix: Uint8Array, json: Uint8Array): number {
  return crc32(json, crc32(prefix.subarray(0, 12)))
}

function paddedHeaderBytes(jsonBytes: number): number {
  return Math.ceil((prefixBytes + jsonBytes) / indexRecordBytes) * indexRecordBytes
}
