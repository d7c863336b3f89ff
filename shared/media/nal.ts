import { AppError } from '../error.ts'
import { nalUnitsPerUnitMax } from '../limits.ts'

/** nal_unit_type of H.264 (Table 7-1). */
export const h264Nal = {
  slice: 1,
  partitionA: 2,
  partitionC: 4,
  idr: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  aud: 9,
  endOfSequence: 10,
  endOfStream: 11,
  filler: 12,
  spsExtension: 13,
  prefix: 14,
  reserved18: 18,
} as const

/** nal_unit_type of H.265 (Table 7-1). */
export const h265Nal = {
  blaWithLeading: 16,
  idrWithLeading: 19,
  idr: 20,
  cra: 21,
  irapLast: 23,
  vclLast: 31,
  vps: 32,
  sps: 33,
  pps: 34,
  aud: 35,
  endOfSequence: 36,
  endOfBitstream: 37,
  filler: 38,
  prefixSei: 39,
  suffixSei: 40,
} as const

export type NalCodec = 'h264' | 'h265'

export function nalType(codec: NalCodec, nal: Uint8Array): number {
  const header = nal[0] ?? 0
  return codec === 'h264' ? header & 0x1f : (header >> 1) & 0x3f
}

export function isVcl(codec: NalCodec, type: number): boolean {
  return codec === 'h264' ? type >= h264Nal.slice && type <= h264Nal.idr : type <= h265Nal.vclLast
}

export function isParameterSet(codec: NalCodec, type: number): boolean {
  if (codec === 'h265') return type >= h265Nal.vps && type <= h265Nal.pps
  return type === h264Nal.sps || type === h264Nal.pps || type === h264Nal.spsExtension
}

/** A slice that needs nothing before it: IDR in H.264, IRAP (IDR, BLA, CRA) in H.265. */
export function isKey(codec: NalCodec, type: number): boolean {
  return codec === 'h264' ? type === h264Nal.idr : type >= h265Nal.blaWithLeading && type <= h265Nal.irapLast
}

/** NAL units that say nothing to a file or a player: AUD, filler, end of sequence and of stream. */
export function isDropped(codec: NalCodec, type: number): boolean {
  return codec === 'h264'
    ? type >= h264Nal.aud && type <= h264Nal.filler
    : type >= h265Nal.aud && type <= h265Nal.filler
}

const startCode = Uint8Array.of(0, 0, 1)

/** A plain Uint8Array also of a Buffer, whose `slice` would not copy. */
function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}

/** Without trailing_zero_8bits and without cabac_zero_words, which stand as `00 00 03` (H.264 7.3.1, 7.4.2.10). */
function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let last = end
  for (;;) {
    if (last > start && bytes[last - 1] === 0) last -= 1
    else if (last - start > 3 && bytes[last - 1] === 3 && bytes[last - 2] === 0 && bytes[last - 3] === 0)
      last -= 3
    else return last
  }
}

/**
 * The NAL units of an Annex B byte stream (H.264 and H.265, Annex B.1), as views.
 *
 * Start codes have 3 or 4 bytes; zeros before them belong to nobody. Empty NAL units are dropped. Bytes
 * before the first start code are ignored (a file may begin in mid-unit); bytes with no start code at all
 * are refused, and so are more than `max` NAL units.
 */
export function splitAnnexB(bytes: Uint8Array, max: number = nalUnitsPerUnitMax): Uint8Array[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const nalUnits: Uint8Array[] = []
  let code = buffer.indexOf(startCode)
  if (code < 0 && bytes.length > 0) {
    throw new AppError('InvalidArgument', `Annex B: no start code in ${bytes.length} bytes`)
  }
  while (code >= 0) {
    const start = code + 3
    code = buffer.indexOf(startCode, start)
    const end = trimmedEnd(bytes, start, code < 0 ? bytes.length : code)
    if (end === start) continue
    if (nalUnits.length === max) {
      throw new AppError('InvalidArgument', `Annex B: more than ${max} NAL units in one unit`)
    }
    nalUnits.push(view(bytes, start, end))
  }
  return nalUnits
}

/** Bytes of the units with a 4-byte start code or length before each. */
export function annexBSize(nalUnits: readonly Uint8Array[]): number {
  let size = 0
  for (const nal of nalUnits) size += 4 + nal.length
  return size
}

/** Annex B, always with 4-byte start codes, so that it is as long as `joinLengthPrefixed`. */
export function joinAnnexB(nalUnits: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(annexBSize(nalUnits))
  let position = 0
  for (const nal of nalUnits) {
    bytes[position + 3] = 1
    bytes.set(nal, position + 4)
    position += 4 + nal.length
  }
  return bytes
}

/** Each NAL unit behind its length, 4 bytes big-endian (ISO/IEC 14496-15). */
export function joinLengthPrefixed(nalUnits: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(annexBSize(nalUnits))
  const lengths = new DataView(bytes.buffer)
  let position = 0
  for (const nal of nalUnits) {
    lengths.setUint32(position, nal.length)
    bytes.set(nal, position + 4)
    position += 4 + nal.length
  }
  return bytes
}

/** The NAL units of a sample, as views. `InvalidArgument` when a length points past the end. */
export function splitLengthPrefixed(
  bytes: Uint8Array,
  lengthBytes: 1 | 2 | 4 = 4,
  max: number = nalUnitsPerUnitMax,
): Uint8Array[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const nalUnits: Uint8Array[] = []
  let position = 0
  while (position < bytes.length) {
    const start = position + lengthBytes
    const length = start <= bytes.length ? buffer.readUIntBE(position, lengthBytes) : Number.POSITIVE_INFINITY
    if (start + length > bytes.length) {
      throw new AppError('InvalidArgument', `length-prefixed NAL unit at ${position} goes past the end`)
    }
    if (nalUnits.length === max) {
      throw new AppError('InvalidArgument', `more than ${max} NAL units in one unit`)
    }
    position = start + length
    if (length > 0) nalUnits.push(view(bytes, start, position))
  }
  return nalUnits
}
