import { AppError } from '../error.ts'
import { pictureSideMax } from '../limits.ts'
import { BitReader } from './bits.ts'

/** Sequence parameter set of H.264 (7.3.2.1.1, E.1.1), as far as the agent uses it. */
export type H264Sps = {
  readonly id: number
  readonly profile: number
  /** constraint_set0_flag … as they stand in the byte, set 0 in the highest bit. */
  readonly constraints: number
  readonly level: number
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  /** Of the displayed picture, after cropping. */
  readonly width: number
  readonly height: number
  /** Of the coded picture, in macroblocks of a frame. */
  readonly widthMbs: number
  readonly heightMbs: number
  readonly frameMbsOnly: boolean
  readonly separateColourPlanes: boolean
  readonly log2MaxFrameNum: number
  readonly pictureOrder: PictureOrderSyntax
  readonly maxNumRefFrames: number
  /** Ticks of two fields a second, as the VUI claims: never believed for times. */
  readonly frameRate?: number
  /** max_num_reorder_frames of the VUI's bitstream_restriction. */
  readonly maxNumReorderFrames?: number
}

export type PictureOrderSyntax =
  | { readonly type: 0; readonly log2MaxLsb: number }
  | {
      readonly type: 1
      readonly deltaAlwaysZero: boolean
      readonly offsetForNonRef: number
      readonly offsetForTopToBottom: number
      readonly offsetsForRefFrame: readonly number[]
    }
  | { readonly type: 2 }

const profilesWithChroma: ReadonlySet<number> = new Set([
  100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135,
])
const extendedSar = 255
const maxFrameNumBits = 12 // log2_max_frame_num_minus4 and log2_max_pic_order_cnt_lsb_minus4 go to 12.
const macroblock = 16

function skipScalingLists(reader: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!reader.flag()) continue
    let last = 8
    let next = 8
    for (let entry = 0; entry < (list < 6 ? 16 : 64); entry++) {
      if (next !== 0) next = (last + reader.se() + 256) & 0xff
      if (next !== 0) last = next
    }
  }
}

function readChroma(reader: BitReader, profile: number) {
  if (!profilesWithChroma.has(profile)) {
    return { chromaFormat: 1, bitDepthLuma: 8, bitDepthChroma: 8, separateColourPlanes: false }
  }
  const chromaFormat = reader.ueMax(3, 'chroma_format_idc')
  const separateColourPlanes = chromaFormat === 3 && reader.flag()
  const bitDepthLuma = 8 + reader.ueMax(6, 'bit_depth_luma_minus8')
  const bitDepthChroma = 8 + reader.ueMax(6, 'bit_depth_chroma_minus8')
  reader.skip(1) // qpprime_y_zero_transform_bypass_flag
  if (reader.flag()) skipScalingLists(reader, chromaFormat === 3 ? 12 : 8)
  return { chromaFormat, bitDepthLuma, bitDepthChroma, separateColourPlanes }
}

function readPictureOrder(reader: BitReader): PictureOrderSyntax {
  const type = reader.ueMax(2, 'pic_order_cnt_type')
  if (type === 0) return { type, log2MaxLsb: 4 + reader.ueMax(maxFrameNumBits, 'log2_max_poc_lsb_minus4') }
  if (type === 2) return { type }
  const deltaAlwaysZero = reader.flag()
  const offsetForNonRef = reader.se()
  const offsetForTopToBottom = reader.se()
  const cycle = reader.ueMax(255, 'num_ref_frames_in_pic_order_cnt_cycle')
  const offsetsForRefFrame = Array.from({ length: cycle }, () => reader.se())
  return { type: 1, deltaAlwaysZero, offsetForNonRef, offsetForTopToBottom, offsetsForRefFrame }
}

function readSize(reader: BitReader, chromaFormat: number, separateColourPlanes: boolean) {
  const sideMbsMax = pictureSideMax / macroblock
  const widthMbs = 1 + reader.ueMax(sideMbsMax, 'pic_width_in_mbs_minus1')
  const mapUnits = 1 + reader.ueMax(sideMbsMax, 'pic_height_in_map_units_minus1')
  const frameMbsOnly = reader.flag()
  const heightMbs = mapUnits * (frameMbsOnly ? 1 : 2)
  if (!frameMbsOnly) reader.skip(1) // mb_adaptive_frame_field_flag
  reader.skip(1) // direct_8x8_inference_flag
  const subsampled = separateColourPlanes ? 0 : chromaFormat
  const unitX = subsampled === 1 || subsampled === 2 ? 2 : 1
  const unitY = (subsampled === 1 ? 2 : 1) * (frameMbsOnly ? 1 : 2)
  let width = widthMbs * macroblock
  let height = heightMbs * macroblock
  if (reader.flag()) {
    width -= unitX * (reader.ue() + reader.ue())
    height -= unitY * (reader.ue() + reader.ue())
  }
  if (width < 1 || height < 1 || width > pictureSideMax || height > pictureSideMax) {
    throw new AppError('InvalidArgument', `H.264 SPS: a picture of ${width}x${height} cannot be`)
  }
  return { width, height, widthMbs, heightMbs, frameMbsOnly }
}

function skipHrd(reader: BitReader): void {
  const count = 1 + reader.ueMax(31, 'cpb_cnt_minus1')
  reader.skip(8) // bit_rate_scale, cpb_size_scale
  for (let entry = 0; entry < count; entry++) {
    reader.ue()
    reader.ue()
    reader.skip(1)
  }
  reader.skip(20) // lengths of delays and of time_offset
}

function readVui(reader: BitReader): { frameRate?: number; maxNumReorderFrames?: number } {
  if (reader.flag() && reader.bits(8) === extendedSar) reader.skip(32)
  if (reader.flag()) reader.skip(1) // overscan
  if (reader.flag()) {
    reader.skip(4) // video_format, video_full_range_flag
    if (reader.flag()) reader.skip(24) // colour description
  }
  if (reader.flag()) {
    reader.ue() // chroma sample locations
    reader.ue()
  }
  let frameRate: number | undefined
  if (reader.flag()) {
    const tick = reader.bits(32)
    const scale = reader.bits(32)
    reader.skip(1) // fixed_frame_rate_flag
    if (tick > 0 && scale > 0) frameRate = scale / (2 * tick)
  }
  const nalHrd = reader.flag()
  if (nalHrd) skipHrd(reader)
  const vclHrd = reader.flag()
  if (vclHrd) skipHrd(reader)
  if (nalHrd || vclHrd) reader.skip(1) // low_delay_hrd_flag
  reader.skip(1) // pic_struct_present_flag
  const timing = frameRate === undefined ? {} : { frameRate }
  if (!reader.flag()) return timing
  reader.skip(1) // motion_vectors_over_pic_boundaries_flag
  for (let field = 0; field < 4; field++) reader.ue()
  return { ...timing, maxNumReorderFrames: reader.ueMax(16, 'max_num_reorder_frames') }
}

/** `nal` with its header byte. `InvalidArgument` when it cannot be read or holds what no decoder could show. */
export function parseH264Sps(nal: Uint8Array): H264Sps {
  const reader = new BitReader(nal, 1)
  const profile = reader.bits(8)
  const constraints = reader.bits(8)
  const level = reader.bits(8)
  const id = reader.ueMax(31, 'seq_parameter_set_id')
  const chroma = readChroma(reader, profile)
  const log2MaxFrameNum = 4 + reader.ueMax(maxFrameNumBits, 'log2_max_frame_num_minus4')
  const pictureOrder = readPictureOrder(reader)
  const maxNumRefFrames = reader.ueMax(16, 'max_num_ref_frames')
  reader.skip(1) // gaps_in_frame_num_value_allowed_flag
  const size = readSize(reader, chroma.chromaFormat, chroma.separateColourPlanes)
  const head = { id, profile, constraints, level, log2MaxFrameNum, pictureOrder, maxNumRefFrames }
  return { ...head, ...chroma, ...size, ...vuiOrNothing(reader) }
}

/** Encoders cut their VUI short or fill it with rubbish; the picture's size before it is good all the same. */
function vuiOrNothing(reader: BitReader): { frameRate?: number; maxNumReorderFrames?: number } {
  try {
    return reader.flag() ? readVui(reader) : {}
  } catch (error) {
    if (error instanceof AppError) return {}
    throw error
  }
}
