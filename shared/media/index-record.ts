import { crc32 } from 'node:zlib'
import type { GapCause } from './access-unit.ts'
import { readI64, readU64, writeI64 } from './int64.ts'

/**
 * One record of an index (`index.ts`), 48 bytes, little-endian.
 *
 *   0       1      2       4      8          16      24      32             40        44
 *   +-------+------+-------+------+----------+-------+-------+--------------+---------+----------+
 *   | track | kind | flags | size | offset   | dtsMs | ptsMs | arrival wall | CRC32   | CRC32 of |
 *   | u8    | u8   | u16   | u32  | u64      | i64   | i64   | µs i64       | payload | 0…43     |
 *   +-------+------+-------+------+----------+-------+-------+--------------+---------+----------+
 *
 * track   0 video, 1 audio: `offset` and `size` are bytes of that track's file, framing included (start
 *         codes, ADTS header), and the payload's CRC covers exactly them.
 * kind    0 unit; 1 config: parameter sets prepended to the video file, without time (dts, pts 0);
 *         2 gap: flags = cause (1 + place in `gapCodes`), size = units missing (0xffffffff unknown),
 *         dts and pts = timeline ms of the last unit before and the first after, offset and CRC 0.
 * A record of zeros, as a power cut can leave it, fails its CRC.
 */
export type IndexUnit = {
  kind: 'unit' | 'config'
  track: 'video' | 'audio'
  /** Sum of `unitFlag`s. */
  flags: number
  sizeBytes: number
  offset: number
  dtsMs: number
  ptsMs: number
  /** Agent's wall clock, microseconds since the Unix epoch. */
  arrivalUs: number
  /** CRC32 of the payload as it lies in the file. */
  crc: number
}
export type IndexGap = {
  kind: 'gap'
  track: 'video' | 'audio'
  cause: GapCause
  /** Timeline milliseconds. */
  fromMs: number
  toMs: number
  units?: number
  arrivalUs: number
}
export type IndexRecord = IndexUnit | IndexGap

export const unitFlag = {
  randomAccess: 1,
  idr: 2,
  /** A copy from the GOP cache at the head of a file; the same unit stands in the segment before. */
  duplicate: 4,
  /** Received damaged but kept. */
  damaged: 8,
} as const

export const indexRecordBytes = 48

// The numbers are on disks: append only.
const gapCodes: readonly GapCause[] = [
  'crash',
  'source-lost',
  'sequence',
  'bad-packet',
  'clock',
  'disk-slow',
  'disk-full',
  'disk-error',
  'damaged',
  'recycled',
  'missing',
]
export const recordKinds = ['unit', 'config', 'gap'] as const
export const recordTracks = ['video', 'audio'] as const
const unknownUnits = 0xffffffff

/** Writes 48 bytes at `at` of `into` (a new array without it) and returns the array. */
export function encodeIndexRecord(
  record: IndexRecord,
  into: Uint8Array = new Uint8Array(indexRecordBytes),
  at = 0,
): Uint8Array {
  const view = new DataView(into.buffer, into.byteOffset + at, indexRecordBytes)
  view.setUint8(0, record.track === 'video' ? 0 : 1)
  view.setUint8(1, recordKinds.indexOf(record.kind))
  if (record.kind === 'gap') writeGap(view, record)
  else writeUnit(view, record)
  writeI64(view, 32, record.arrivalUs)
  view.setUint32(44, crc32(into.subarray(at, at + 44)), true)
  return into
}

function writeUnit(view: DataView, unit: IndexUnit): void {
  view.setUint16(2, unit.flags, true)
  view.setUint32(4, unit.sizeBytes, true)
  writeI64(view, 8, unit.offset)
  writeI64(view, 16, unit.dtsMs)
  writeI64(view, 24, unit.ptsMs)
  view.setUint32(40, unit.crc, true)
}

function writeGap(view: DataView, gap: IndexGap): void {
  view.setUint16(2, gapCodes.indexOf(gap.cause) + 1, true)
  view.setUint32(4, gap.units ?? unknownUnits, true)
  writeI64(view, 8, 0)
  writeI64(view, 16, gap.fromMs)
  writeI64(view, 24, gap.toMs)
  view.setUint32(40, 0, true)
}

/** `view` begins at the record; its CRC has been checked. */
export function decodeIndexRecord(view: DataView, at: number): IndexRecord {
  const track = recordTracks[view.getUint8(at)] ?? 'video'
  const kind = recordKinds[view.getUint8(at + 1)] ?? 'unit'
  const flags = view.getUint16(at + 2, true)
  const size = view.getUint32(at + 4, true)
  const dtsMs = readI64(view, at + 16)
  const ptsMs = readI64(view, at + 24)
  const arrivalUs = readI64(view, at + 32)
  if (kind === 'gap') {
    const cause = gapCodes[flags - 1] ?? 'damaged'
    const units = size === unknownUnits ? {} : { units: size }
    return { kind, track, cause, fromMs: dtsMs, toMs: ptsMs, ...units, arrivalUs }
  }
  const offset = readU64(view, at + 8)
  const crc = view.getUint32(at + 40, true)
  return { kind, track, flags, sizeBytes: size, offset, dtsMs, ptsMs, arrivalUs, crc }
}
