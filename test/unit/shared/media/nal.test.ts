import { expect, test } from 'vitest'
import {
  annexBSize,
  h264Nal,
  h265Nal,
  isDropped,
  isKey,
  isParameterSet,
  isVcl,
  joinAnnexB,
  joinLengthPrefixed,
  nalType,
  splitAnnexB,
  splitLengthPrefixed,
} from '../../../../shared/media/nal.ts'
import { hex } from '../../../support/hex.ts'

const text = (nalUnits: Uint8Array[]) => nalUnits.map((nal) => Buffer.from(nal).toString('hex')).join(' ')

test.each([
  ['3- and 4-byte start codes', '000001 65aa 00000001 41bb', '65aa 41bb'],
  ['leading zeros', '0000000000 000001 65aa', '65aa'],
  ['trailing zeros', '00000001 65aa 0000 00000001 41bb 000000', '65aa 41bb'],
  ['cabac_zero_words', '00000001 65aa80 000003 000003 000001 41', '65aa80 41'],
  ['bytes before the first start code', 'deadbeef 000001 65aa', '65aa'],
  ['emulation prevention, which stays', '000001 65 000003 01', '6500000301'],
  ['empty NAL units', '000001 000001 00000001 000001 65', '65'],
  ['nothing', '', ''],
  ['a start code and no more', '00000001', ''],
])('Annex B: %s', (_name, bytes, nalUnits) => {
  expect(text(splitAnnexB(hex(bytes)))).toBe(nalUnits)
})

test('gives views, plain Uint8Arrays also of a Buffer', () => {
  const message = Buffer.from('ff0000000165aa', 'hex').subarray(1)
  const [nal] = splitAnnexB(message)
  expect(nal?.buffer).toBe(message.buffer)
  expect(nal?.constructor).toBe(Uint8Array)
  expect(nal).toEqual(hex('65aa'))
})

test.each([
  ['no start code', () => splitAnnexB(hex('65aabbcc')), /no start code in 4 bytes/],
  ['too many NAL units', () => splitAnnexB(hex('00000165'.repeat(1025))), /more than 1024 NAL units/],
  ['a length past the end', () => splitLengthPrefixed(hex('00000003 65aa')), /goes past the end/],
  ['a length that is cut', () => splitLengthPrefixed(hex('00000001 65 0000')), /at 5 goes past the end/],
  ['a length of 4 GB', () => splitLengthPrefixed(hex('ffffffff 65')), /goes past the end/],
  ['too many lengths', () => splitLengthPrefixed(hex('0165'.repeat(1025)), 1), /more than 1024/],
])('refuses %s', (_name, act, message) => {
  expect(act).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  expect(act).toThrow(message)
})

test.each([
  [1, '02 65aa 00 01 41'],
  [2, '0002 65aa 0000 0001 41'],
  [4, '00000002 65aa 00000000 00000001 41'],
] as const)('splits lengths of %i bytes and drops empty units', (lengthBytes, bytes) => {
  expect(text(splitLengthPrefixed(hex(bytes), lengthBytes))).toBe('65aa 41')
})

test('joins with 4-byte codes or lengths, both of the size that is announced', () => {
  const nalUnits = [hex('65aa'), hex('41')]
  expect(joinAnnexB(nalUnits)).toEqual(hex('00000001 65aa 00000001 41'))
  expect(joinLengthPrefixed(nalUnits)).toEqual(hex('00000002 65aa 00000001 41'))
  expect(annexBSize(nalUnits)).toBe(11)
  expect(annexBSize([])).toBe(0)
})

test('knows the types of H.264', () => {
  expect(nalType('h264', hex('67'))).toBe(h264Nal.sps)
  const types = Array.from({ length: 32 }, (_, type) => type)
  expect(types.filter((type) => isVcl('h264', type))).toEqual([1, 2, 3, 4, 5])
  expect(types.filter((type) => isParameterSet('h264', type))).toEqual([7, 8, 13])
  expect(types.filter((type) => isDropped('h264', type))).toEqual([9, 10, 11, 12])
  expect(types.filter((type) => isKey('h264', type))).toEqual([5])
})

test('knows the types of H.265', () => {
  expect(nalType('h265', hex('4201'))).toBe(h265Nal.sps)
  const types = Array.from({ length: 64 }, (_, type) => type)
  expect(types.filter((type) => isVcl('h265', type))).toEqual(types.slice(0, 32))
  expect(types.filter((type) => isParameterSet('h265', type))).toEqual([32, 33, 34])
  expect(types.filter((type) => isDropped('h265', type))).toEqual([35, 36, 37, 38])
  expect(types.filter((type) => isKey('h265', type))).toEqual([16, 17, 18, 19, 20, 21, 22, 23])
})
