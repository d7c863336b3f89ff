import { AppError } from '../error.ts'
import { BitReader } from './bits.ts'

/** Picture parameter set of H.264 (7.3.2.2), as far as a slice header needs it. */
export type H264Pps = {
  readonly id: number
  readonly spsId: number
  readonly bottomFieldPicOrderPresent: boolean
  readonly refIdxDefault: readonly [number, number]
  readonly weightedPred: boolean
  readonly weightedBipred: number
  readonly redundantPicCntPresent: boolean
}

function skipSliceGroups(reader: BitReader): void {
  const groups = 1 + reader.ueMax(7, 'num_slice_groups_minus1')
  if (groups === 1) return
  const type = reader.ueMax(6, 'slice_group_map_type')
  if (type === 0) for (let group = 0; group < groups; group++) reader.ue()
  if (type === 2) for (let edge = 0; edge < 2 * (groups - 1); edge++) reader.ue()
  if (type >= 3 && type <= 5) {
    reader.skip(1)
    reader.ue()
  }
  if (type === 6) {
    const units = 1 + reader.ue()
    const bitsEach = Math.ceil(Math.log2(groups))
    if (units * bitsEach > reader.bitsLeft) {
      throw new AppError('InvalidArgument', 'H.264 PPS: its slice group map goes past the end')
    }
    reader.skip(units * bitsEach)
  }
}

/** `nal` with its header byte. */
export function parseH264Pps(nal: Uint8Array): H264Pps {
  const reader = new BitReader(nal, 1)
  const id = reader.ueMax(255, 'pic_parameter_set_id')
  const spsId = reader.ueMax(31, 'seq_parameter_set_id')
  reader.skip(1) // entropy_coding_mode_flag
  const bottomFieldPicOrderPresent = reader.flag()
  skipSliceGroups(reader)
  const refIdxDefault = [
    1 + reader.ueMax(31, 'num_ref_idx_l0'),
    1 + reader.ueMax(31, 'num_ref_idx_l1'),
  ] as const
  const weightedPred = reader.flag()
  const weightedBipred = reader.bits(2)
  reader.se() // pic_init_qp, pic_init_qs, chroma_qp_index_offset
  reader.se()
  reader.se()
  reader.skip(2) // deblocking_filter_control_present_flag, constrained_intra_pred_flag
  const redundantPicCntPresent = reader.flag()
  return {
    id,
    spsId,
    bottomFieldPicOrderPresent,
    refIdxDefault,
    weightedPred,
    weightedBipred,
    redundantPicCntPresent,
  }
}
