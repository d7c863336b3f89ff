import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Amf0Value, decodeAmf0, EcmaArray, encodeAmf0 } from '../../../../shared/media/amf0.ts'
import { sharedPath } from '../../../support/shared-data.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))

test.each<[string, string, Amf0Value]>([
  ['number', '00 400c000000000000', 3.5],
  ['boolean', '01 01', true],
  ['string', '02 0003 666f6f', 'foo'],
  ['object', '03 0001 61 05 0000 09', { a: null }],
  ['null', '05', null],
  ['undefined', '06', undefined],
  ['strict array', '0a 00000002 05 0101', [null, true]],
  ['date', '0b 4278ae17a4000000 0000', new Date(1_696_000_000_000)],
])('%s: both directions', (_name, hex, value) => {
  expect(decodeAmf0(bytes(hex))).toEqual([value])
  expect(Buffer.from(encodeAmf0(value)).toString('hex')).toBe(hex.replaceAll(' ', ''))
})

test.each<[string, string, Amf0Value]>([
  ['ECMA array', '08 00000001 0001 61 0101 0000 09', { a: true }],
  ['ECMA array with a wrong count', '08 00000063 0001 61 0101 0000 09', { a: true }],
  ['ECMA array that closes the message without its end', '08 00000001 0001 61 0101', { a: true }],
  ['typed object', '10 0003 666f6f 0001 61 0101 0000 09', { a: true }],
  ['long string', '0c 00000003 666f6f', 'foo'],
  ['XML document', '0f 00000003 3c612f', '<a/'],
  ['unsupported', '0d', undefined],
  ['reference', '0a 00000002 03 0000 09 07 0001', [{}, {}]],
  [
    'key from the wire that is a word in JavaScript',
    '03 0009 5f5f70726f746f5f5f 00 0000000000000000 0000 09',
    JSON.parse('{"__proto__":0}'),
  ],
])('reads %s', (_name, hex, value) => {
  expect(decodeAmf0(bytes(hex))).toEqual([value])
  expect(({} as Record<string, unknown>).a).toBeUndefined()
})

test('an ECMA array is written with its count', () => {
  expect(Buffer.from(encodeAmf0('onMetaData', new EcmaArray({ width: 2 }))).toString('hex')).toBe(
    '02000a6f6e4d65746144617461 08 00000001 0005 7769647468 00 4000000000000000 000009'.replaceAll(' ', ''),
  )
})

test('a text that fits no u16 is a long string', () => {
  const text = 'é'.repeat(40_000)
  const encoded = encodeAmf0(text)
  expect(encoded[0]).toBe(12)
  expect(decodeAmf0(encoded)).toEqual([text])
})

describe('refuses', () => {
  test.each([
    ['a value that is cut off', '00 400c0000', /in the middle/],
    ['a string that is longer than the message', '02 ffff 61', /in the middle/],
    ['an array of four billion', '0a ffffffff 05', /in the middle/],
    ['a movie clip', '04', /type 4/],
    ['AMF3', '11 01', /type 17/],
    ['a reference to nothing', '07 0000', /to nothing/],
    ['a cycle', '03 0001 61 07 0000 0000 09', /cyclic/],
  ])('%s', (_name, hex, message) => {
    expect(() => decodeAmf0(bytes(hex))).toThrow(message)
    expect(() => decodeAmf0(bytes(hex))).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  })

  test('ten thousand keys (RELIABILITY C1)', () => {
    const entries = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))
    expect(() => decodeAmf0(encodeAmf0(entries))).toThrow(/keys/)
  })

  test('a thousand levels (RELIABILITY C1)', () => {
    expect(() => decodeAmf0(bytes(`${'0a00000001'.repeat(1000)}05`))).toThrow(/deeper/)
  })

  test('a small message that describes a tree without end', () => {
    // Each array holds the one before it sixteen times.
    const level = (i: number) => `0a00000010${`07${i.toString(16).padStart(4, '0')}`.repeat(16)}`
    const message = `0a00000000${Array.from({ length: 12 }, (_, i) => level(i)).join('')}`
    expect(() => decodeAmf0(bytes(message))).toThrow(/values/)
  })

  test('to write a cycle', () => {
    const cycle: { [key: string]: Amf0Value } = {}
    cycle.self = cycle
    expect(() => encodeAmf0(cycle)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  })

  test('to read or write a message beyond its bound', () => {
    expect(() => decodeAmf0(new Uint8Array(2 ** 20 + 1))).toThrow(/at most/)
    expect(() => encodeAmf0('x'.repeat(2 ** 20))).toThrow(/not written/)
  })
})

// Meaning in warhammerkid/rocket-amf, spec/deserializer_spec.rb.
describe.skipIf(!sharedPath('data', 'amf'))('vectors of rocket-amf (../shared/data/amf)', () => {
  test.each<[string, Amf0Value]>([
    ['number', 3.5],
    ['boolean', true],
    ['string', 'this is a テスト'],
    ['null', null],
    ['object', { bar: 3.14, foo: 'baz' }],
    ['hash', { a: 'b', c: 'd' }],
    ['strict-array', ['a', 'b', 'c', 'd']],
  ])('%s', (name, value) => {
    const path = sharedPath('data', 'amf', `amf0-${name}.bin`)
    if (!path) throw new Error('the vectors are incomplete')
    const [decoded] = decodeAmf0(readFileSync(path))
    expect(decoded).toEqual(value)
  })
})
