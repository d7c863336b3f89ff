import { AppError } from '../error.ts'
import { pictureSideMax } from '../limits.ts'
import { BitReader } from './bits.ts'

/** profile_tier_level of H.265 (7.3.3), the general part, as its 12 bytes stand in SPS and hvcC. */
export type H265Profile = {
  readonly bytes: Uint8Array
  readonly space: number
  readonly highTier: boolean
  readonly profile: number
  readonly compatibility: number
  readonly constraints: Uint8Array
  readonly level: number
}

/** Sequence parameter set of H.265 (7.3.2.2.1), as far as the agent uses it. */
export type H265Sps = {
  readonly id: number
  readonly vpsId: number
  readonly temporalLayers: number
  readonly temporalIdNested: boolean
  readonly general: H265Profile
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  /** Of the displayed picture, after the conformance window. */
  readonly width: number
  readonly height: number
  /** sps_max_num_reorder_pics of the highest temporal layer. */
  readonly maxNumReorderPics: number
}

export const h265NalHeaderBytes = 2
const profileBytes = 12

function readProfile(reader: BitReader): H265Profile {
  const bytes = Uint8Array.from({ length: profileBytes }, () => reader.bits(8))
  const view = new DataView(bytes.buffer)
  const head = view.getUint8(0)
  return {
    bytes,
    space: head >> 6,
    highTier: (head & 0x20) !== 0,
    profile: head & 0x1f,
    compatibility: view.getUint32(1),
    constraints: bytes.subarray(5, 11),
    level: view.getUint8(11),
  }
}

function skipSubLayers(reader: BitReader, count: number): void {
  if (count === 0) return
  const present = Array.from({ length: count }, () => ({ profile: reader.flag(), level: reader.flag() }))
  reader.skip(2 * (8 - count)) // reserved_zero_2bits
  for (const layer of present) reader.skip((layer.profile ? 88 : 0) + (layer.level ? 8 : 0))
}

function readSize(reader: BitReader, chromaFormat: number, separatePlanes: boolean) {
  let width = reader.ue()
  let height = reader.ue()
  if (reader.flag()) {
    const subsampled = separatePlanes ? 0 : chromaFormat
    width -= (subsampled === 1 || subsampled === 2 ? 2 : 1) * (reader.ue() + reader.ue())
    height -= (subsampled === 1 ? 2 : 1) * (reader.ue() + reader.ue())
  }
  if (width < 1 || height < 1 || width > pictureSideMax || height > pictureSideMax) {
    throw new AppError('InvalidArgument', `H.265 SPS: a picture of ${width}x${height} cannot be`)
  }
  return { width, height }
}

/** The ordering info stands for each layer or once for all: the last one is the highest layer's. */
function readReorderPics(reader: BitReader, temporalLayers: number): number {
  const entries = reader.flag() ? temporalLayers : 1
  let reorder = 0
  for (let layer = 0; layer < entries; layer++) {
    const buffered = reader.ueMax(16, 'sps_max_dec_pic_buffering_minus1')
    reorder = reader.ueMax(buffered, 'sps_max_num_reorder_pics')
    reader.ue() // sps_max_latency_increase_plus1
  }
  return reorder
}

/** `nal` with its two header bytes. `InvalidArgument` when it cannot be read or no decoder could show it. */
export function parseH265Sps(nal: Uint8Array): H265Sps {
  const reader = new BitReader(nal, h265NalHeaderBytes)
  const vpsId = reader.bits(4)
  const temporalLayers = 1 + reader.bits(3)
  if (temporalLayers > 7) throw new AppError('InvalidArgument', 'H.265 SPS: more than 7 temporal layers')
  const temporalIdNested = reader.flag()
  const general = readProfile(reader)
  skipSubLayers(reader, temporalLayers - 1)
  const id = reader.ueMax(15, 'sps_seq_parameter_set_id')
  const chromaFormat = reader.ueMax(3, 'chroma_format_idc')
  const separatePlanes = chromaFormat === 3 && reader.flag()
  const size = readSize(reader, chromaFormat, separatePlanes)
  const bitDepthLuma = 8 + reader.ueMax(8, 'bit_depth_luma_minus8')
  const bitDepthChroma = 8 + reader.ueMax(8, 'bit_depth_chroma_minus8')
  reader.ueMax(12, 'log2_max_pic_order_cnt_lsb_minus4')
  const maxNumReorderPics = readReorderPics(reader, temporalLayers)
  const head = { id, vpsId, temporalLayers, temporalIdNested, general, chromaFormat }
  return { ...head, ...size, bitDepthLuma, bitDepthChroma, maxNumReorderPics }
}

/** Profile, tier and level of an SPS that cannot be read to its end. */
export function h265Profile(nal: Uint8Array): H265Profile {
  return readProfile(new BitReader(nal, h265NalHeaderBytes + 1))
}
