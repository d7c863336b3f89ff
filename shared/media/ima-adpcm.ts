const stepsMax = 88
// IMA Digital Audio Focus and Technical Working Groups, "Recommended Practices …" 3.0, tables of 6.2.
const indexSteps = [-1, -1, -1, -1, 2, 4, 6, 8]
const steps = Int16Array.of(
  ...[7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80],
  ...[88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544],
  ...[598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024],
  ...[3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899],
  ...[15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767],
)

/**
 * One unit of IMA/DVI ADPCM as vehicles and HiSilicon encoders send it → PCM, 16 bits, little-endian.
 *
 *   0               2       3   4
 *   +---------------+-------+---+--------------------------------------------+
 *   | predictor s16 | index | 0 | codes of 4 bits, the first in the high bits |
 *   | little-endian | u8    |   |                                            |
 *   +---------------+-------+---+--------------------------------------------+
 *
 * The predictor is the sample before the first. This is neither the WAV form (low bits first, the predictor is a
 * sample) nor quite RFC 3551's DVI4 (big-endian), so FFmpeg has no decoder for it.
 */
export function decodeImaAdpcm(unit: Uint8Array): Uint8Array<ArrayBuffer> {
  const samples = Math.max(0, unit.length - 4) * 2
  const pcm = new DataView(new ArrayBuffer(samples * 2))
  let predictor = (((unit[1] ?? 0) << 24) >> 16) | (unit[0] ?? 0)
  let index = Math.min(unit[2] ?? 0, stepsMax)
  for (let i = 0; i < samples; i += 1) {
    const byte = unit[4 + (i >> 1)] ?? 0
    const code = i % 2 === 0 ? byte >> 4 : byte & 15
    predictor = next(predictor, code, steps[index] ?? 0)
    index = Math.min(Math.max(index + (indexSteps[code & 7] ?? 0), 0), stepsMax)
    pcm.setInt16(i * 2, predictor, true)
  }
  return new Uint8Array(pcm.buffer)
}

function next(predictor: number, code: number, step: number): number {
  let change = step >> 3
  if (code & 4) change += step
  if (code & 2) change += step >> 1
  if (code & 1) change += step >> 2
  return Math.min(Math.max(code & 8 ? predictor - change : predictor + change, -32_768), 32_767)
}
