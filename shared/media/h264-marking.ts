import { AppError } from '../error.ts'
import type { BitReader } from './bits.ts'
import type { H264Pps } from './h264-pps.ts'
import { type H264SliceHeader, sliceTypes } from './h264-slice.ts'
import type { H264Sps } from './h264-sps.ts'

const commandsMax = 66 // A list or a marking process has at most 2 × 33 commands.
const endOfModifications = 3
const resetAll = 5 // memory_management_control_operation 5: like an IDR, for the picture order.

/**
 * Whether a slice resets the picture order (memory_management_control_operation 5). `rest` stands behind
 * redundant_pic_cnt; read on are 7.3.3.1 list modification, 7.3.3.2 weights, 7.3.3.3 marking.
 */
export function resetsPictureOrder(
  header: H264SliceHeader,
  rest: BitReader,
  { sps, pps }: { sps: H264Sps; pps: H264Pps },
): boolean {
  if (header.refIdc === 0 || header.idr) return false
  const isB = header.sliceType === sliceTypes.b
  const isIntra = header.sliceType === sliceTypes.i || header.sliceType === sliceTypes.si
  if (isB) rest.skip(1) // direct_spatial_mv_pred_flag
  const references: number[] = isIntra ? [] : [...pps.refIdxDefault].slice(0, isB ? 2 : 1)
  if (!isIntra && rest.flag()) {
    for (let list = 0; list < references.length; list++) references[list] = 1 + rest.ueMax(31, 'num_ref_idx')
  }
  for (const _list of references) skipModifications(rest)
  const weighted = isB ? pps.weightedBipred === 1 : pps.weightedPred && !isIntra
  if (weighted) skipWeights(rest, references, sps.chromaFormat !== 0 && !sps.separateColourPlanes)
  return readMarking(rest)
}

function skipModifications(rest: BitReader): void {
  if (!rest.flag()) return
  for (let command = 0; command < commandsMax; command++) {
    if (rest.ueMax(endOfModifications, 'modification_of_pic_nums_idc') === endOfModifications) return
    rest.ue()
  }
  throw new AppError('InvalidArgument', 'H.264 slice: its reference list is modified without end')
}

function skipWeights(rest: BitReader, references: readonly number[], chroma: boolean): void {
  rest.ue() // luma_log2_weight_denom
  if (chroma) rest.ue()
  for (const count of references) {
    for (let reference = 0; reference < count; reference++) {
      if (rest.flag()) skipSigned(rest, 2)
      if (chroma && rest.flag()) skipSigned(rest, 4)
    }
  }
}

function skipSigned(rest: BitReader, count: number): void {
  for (let value = 0; value < count; value++) rest.se()
}

function readMarking(rest: BitReader): boolean {
  if (!rest.flag()) return false // Sliding window.
  for (let command = 0; command < commandsMax; command++) {
    const operation = rest.ueMax(6, 'memory_management_control_operation')
    if (operation === 0) return false
    if (operation === resetAll) return true
    rest.ue()
    if (operation === 3) rest.ue()
  }
  throw new AppError('InvalidArgument', 'H.264 slice: its reference marking has no end')
}
