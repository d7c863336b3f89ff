import { expect, test } from 'vitest'
import { BitReader } from '../../../../shared/media/bits.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

const refused = expect.objectContaining({ name: 'AppError', kind: 'InvalidArgument' })

test('reads bits across bytes, most significant first, up to 32 at once', () => {
  const reader = new BitReader(hex('a5 ff ff ff ff 80'))
  expect(reader.bit()).toBe(1)
  expect(reader.bits(7)).toBe(0x25)
  expect(reader.bits(32)).toBe(0xffffffff)
  expect(reader.bitsLeft).toBe(8)
  expect(reader.flag()).toBe(true)
})

test.each([
  ['1', 0, 0],
  ['010', 1, 1],
  ['011', 2, -1],
  ['00100', 3, 2],
  ['00111', 6, -3],
])('Exp-Golomb %s is ue %i and se %i', (code, unsigned, signed) => {
  expect(new BitReader(bits(code)).ue()).toBe(unsigned)
  expect(new BitReader(bits(code)).se()).toBe(signed)
  expect(ue(unsigned)).toBe(code)
})

test('the largest ue(v) has 32 zeros; one more is refused, not counted on', () => {
  expect(new BitReader(bits(`${'0'.repeat(32)}1${'1'.repeat(32)}`)).ue()).toBe(2 ** 33 - 2)
  expect(() => new BitReader(bits(`${'0'.repeat(33)}1${'1'.repeat(33)}`)).ue()).toThrow(/more than 32 zeros/)
})

test('emulation prevention is skipped, but only after two zeros and only where it can be', () => {
  const reader = new BitReader(hex('00 00 03 01 00 00 03 00 00 03 00 03 00 03'))
  expect(Array.from({ length: 10 }, () => reader.bits(8))).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 3, 0])
  expect(reader.bits(8)).toBe(3)

  const raw = new BitReader(hex('000003'), 0, { escaped: false })
  expect(raw.bits(24)).toBe(3)
})

test('starts where it is told', () => {
  expect(new BitReader(hex('67 42'), 1).bits(8)).toBe(0x42)
})

test.each([
  ['bits', (reader: BitReader) => reader.bits(9)],
  ['skip', (reader: BitReader) => reader.skip(1_000_000)],
  ['ue', (reader: BitReader) => new BitReader(hex('00')).ue() + reader.bits(0)],
  ['a bound', (reader: BitReader) => reader.ueMax(0, 'x')],
])('past the end: %s is refused', (_name, read) => {
  expect(() => read(new BitReader(hex('40')))).toThrow(refused)
})
