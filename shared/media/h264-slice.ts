import { BitReader } from './bits.ts'
import type { H264Pps } from './h264-pps.ts'
import type { H264Sps } from './h264-sps.ts'
import { h264Nal, h265Nal, type NalCodec } from './nal.ts'

/** slice_type modulo 5 (H.264 Table 7-6). */
export const sliceTypes = { p: 0, b: 1, i: 2, sp: 3, si: 4 } as const

/** The head of an H.264 slice (7.3.3) up to redundant_pic_cnt: all that tells one picture from the next. */
export type H264SliceHeader = {
  readonly refIdc: number
  readonly idr: boolean
  readonly firstMb: number
  readonly sliceType: number
  readonly ppsId: number
  readonly frameNum: number
  readonly fieldPic: boolean
  readonly bottomField: boolean
  readonly idrPicId: number
  readonly pocLsb: number
  readonly deltaPocBottom: number
  readonly deltaPoc: readonly [number, number]
  readonly redundantPicCnt: number
}

/** The PPS that a slice names, read without any parameter set. */
export function slicePpsId(codec: NalCodec, nal: Uint8Array, type: number): number {
  if (codec === 'h265') {
    const reader = new BitReader(nal, 2)
    reader.skip(1) // first_slice_segment_in_pic_flag
    if (type >= h265Nal.blaWithLeading && type <= h265Nal.irapLast) reader.skip(1)
    return reader.ueMax(63, 'slice_pic_parameter_set_id')
  }
  const reader = new BitReader(nal, 1)
  reader.ue() // first_mb_in_slice
  reader.ueMax(9, 'slice_type')
  return reader.ueMax(255, 'pic_parameter_set_id')
}

/** Whether the slice claims to be the first of its picture: first_mb_in_slice 0, or the flag of H.265. */
export function claimsFirstSlice(codec: NalCodec, nal: Uint8Array): boolean {
  return ((nal[codec === 'h264' ? 1 : 2] ?? 0) & 0x80) !== 0 // ue(v) 0 is a single 1 bit.
}

/** `rest` stands behind the header's part that was read, for `resetsPictureOrder`. */
export function parseH264Slice(
  nal: Uint8Array,
  { sps, pps }: { sps: H264Sps; pps: H264Pps },
): { header: H264SliceHeader; rest: BitReader } {
  const reader = new BitReader(nal, 1)
  const refIdc = ((nal[0] ?? 0) >> 5) & 3
  const idr = ((nal[0] ?? 0) & 0x1f) === h264Nal.idr
  const firstMb = reader.ue()
  const sliceType = reader.ueMax(9, 'slice_type') % 5
  const ppsId = reader.ueMax(255, 'pic_parameter_set_id')
  if (sps.separateColourPlanes) reader.skip(2)
  const frameNum = reader.bits(sps.log2MaxFrameNum)
  const fieldPic = !sps.frameMbsOnly && reader.flag()
  const bottomField = fieldPic && reader.flag()
  const idrPicId = idr ? reader.ueMax(65535, 'idr_pic_id') : 0
  const order = readOrder(reader, sps, pps.bottomFieldPicOrderPresent && !fieldPic)
  const redundantPicCnt = pps.redundantPicCntPresent ? reader.ueMax(127, 'redundant_pic_cnt') : 0
  const head = { refIdc, idr, firstMb, sliceType, ppsId, frameNum, fieldPic, bottomField, idrPicId }
  return { header: { ...head, ...order, redundantPicCnt }, rest: reader }
}

function readOrder(reader: BitReader, sps: H264Sps, withBottom: boolean) {
  const order = sps.pictureOrder
  let pocLsb = 0
  let deltaPocBottom = 0
  const deltaPoc: [number, number] = [0, 0]
  if (order.type === 0) {
    pocLsb = reader.bits(order.log2MaxLsb)
    if (withBottom) deltaPocBottom = reader.se()
  }
  if (order.type === 1 && !order.deltaAlwaysZero) {
    deltaPoc[0] = reader.se()
    if (withBottom) deltaPoc[1] = reader.se()
  }
  return { pocLsb, deltaPocBottom, deltaPoc }
}

/** Whether a slice belongs to another primary coded picture than the one before it (7.4.1.2.4). */
export function startsNewPicture(before: H264SliceHeader, slice: H264SliceHeader): boolean {
  return (
    before.frameNum !== slice.frameNum ||
    before.ppsId !== slice.ppsId ||
    before.fieldPic !== slice.fieldPic ||
    before.bottomField !== slice.bottomField ||
    (before.refIdc === 0) !== (slice.refIdc === 0) ||
    before.pocLsb !== slice.pocLsb ||
    before.deltaPocBottom !== slice.deltaPocBottom ||
    before.deltaPoc[0] !== slice.deltaPoc[0] ||
    before.deltaPoc[1] !== slice.deltaPoc[1] ||
    before.idr !== slice.idr ||
    before.idrPicId !== slice.idrPicId
  )
}
