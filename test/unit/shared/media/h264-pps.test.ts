import { expect, test } from 'vitest'
import { parseH264Pps } from '../../../../shared/media/h264-pps.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

test.each([
  ['weights', '68ebe3cb22c0', { refIdxDefault: [3, 1], weightedPred: true, weightedBipred: 2 }],
  ['the bottom field', '28de0988', { bottomFieldPicOrderPresent: true, redundantPicCntPresent: false }],
])('PPS: %s', (_name, nal, expected) => {
  expect(parseH264Pps(hex(nal))).toMatchObject({ id: 0, spsId: 0, ...expected })
})

test.each([0, 1, 2, 3, 4, 5, 6])('reads past a slice group map of type %i', (type) => {
  const map: Record<number, string> = {
    0: ue(4) + ue(4),
    2: ue(0) + ue(9),
    3: `1${ue(3)}`,
    4: `1${ue(3)}`,
    5: `0${ue(3)}`,
    6: `${ue(3)}0101`,
  }
  const groups = `${ue(1)}${ue(type)}${map[type] ?? ''}`
  const nal = bits(`01101000 ${ue(7)}${ue(2)}01${groups}${ue(4)}${ue(1)}110${ue(0)}${ue(0)}${ue(0)}001 1`)
  expect(parseH264Pps(nal)).toMatchObject({
    id: 7,
    spsId: 2,
    bottomFieldPicOrderPresent: true,
    refIdxDefault: [5, 2],
    weightedPred: true,
    weightedBipred: 2,
    redundantPicCntPresent: true,
  })
})

test('refuses a PPS whose slice group map is longer than the PPS', () => {
  const nal = bits(`01101000 ${ue(0)}${ue(0)}00${ue(1)}${ue(6)}${ue(2 ** 32 - 2)}`)
  expect(() => parseH264Pps(nal)).toThrow(/goes past the end/)
})
