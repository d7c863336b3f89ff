import { expect, test } from 'vitest'
import { BitReader } from '../../../../shared/media/bits.ts'
import { resetsPictureOrder } from '../../../../shared/media/h264-marking.ts'
import { parseH264Pps } from '../../../../shared/media/h264-pps.ts'
import type { H264SliceHeader } from '../../../../shared/media/h264-slice.ts'
import { parseH264Sps } from '../../../../shared/media/h264-sps.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

const sps = parseH264Sps(hex('6742e01595982c4e40'))
const plain = parseH264Pps(hex('68ce3880'))
const weighted = { ...plain, weightedPred: true, weightedBipred: 1 }
const header = (sliceType: number, refIdc = 1, idr = false) => ({ sliceType, refIdc, idr }) as H264SliceHeader
const [p, b, i] = [0, 1, 2]
const reset = `1${ue(5)}${ue(0)}`

test.each([
  ['a non-reference picture', header(p, 0), plain, '', false],
  ['an IDR', header(i, 1, true), plain, '', false],
  ['an I picture that marks nothing', header(i), plain, '0', false],
  ['an I picture that resets', header(i), plain, reset, true],
  [
    'other commands before',
    header(i),
    plain,
    `1${ue(1)}${ue(0)}${ue(3)}${ue(0)}${ue(1)}${ue(4)}${ue(1)}${ue(5)}`,
    true,
  ],
  ['other commands only', header(i), plain, `1${ue(2)}${ue(0)}${ue(6)}${ue(0)}${ue(0)}`, false],
  [
    'P: reference count and list changed',
    header(p),
    plain,
    `1${ue(2)}1${ue(0)}${ue(7)}${ue(2)}${ue(1)}${ue(3)}${reset}`,
    true,
  ],
  ['B: two lists', header(b), plain, `0 1${ue(1)}${ue(1)} 0 1${ue(3)}${reset}`, true],
  [
    'P with weights',
    header(p),
    weighted,
    `0 0 ${ue(5)}${ue(5)} 1${ue(3)}${ue(4)} 1${ue(1).repeat(4)} ${reset}`,
    true,
  ],
  [
    'B with weights of two lists',
    header(b),
    weighted,
    `0 0 0 0 ${ue(0)}${ue(0)} 00 1${ue(3)}${ue(4)}0 ${reset}`,
    true,
  ],
])('%s', (_name, head, pps, rest, expected) => {
  expect(resetsPictureOrder(head, new BitReader(bits(`${rest}1`)), { sps, pps })).toBe(expected)
})

test.each([
  ['list changes', header(p), `01${`${ue(0)}${ue(0)}`.repeat(70)}`],
  ['marking', header(i), `1${`${ue(1)}${ue(0)}`.repeat(70)}`],
])('endless %s are refused', (_name, head, rest) => {
  const act = () => resetsPictureOrder(head, new BitReader(bits(rest)), { sps, pps: plain })
  expect(act).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})
