import { expect, test } from 'vitest'
import type { VideoConfig } from '../../../../shared/media/access-unit.ts'
import {
  encodeAvcC,
  encodeHvcC,
  parseAvcC,
  parseHvcC,
  videoConfig,
} from '../../../../shared/media/codec-config.ts'
import { hex } from '../../../support/hex.ts'

const high = hex('6764001facd9405005bb0110000003001000000303c0f1831960')
const highPps = hex('68ebe3cb22c0')
const baseline = hex('6742e01595982c4e40')
const baselinePps = hex('68ce3880')
const vps = hex('40010c01ffff02200000030090000003000003003c959009')
const sps265 = hex('42010102200000030090000003000003003ca009880b1dc8d96564924caf016808000003000800000300c840')
const pps265 = hex('4401c172b46240')

const of = (codec: 'h264' | 'h265', ...parameterSets: Uint8Array[]) => videoConfig({ codec, parameterSets })

test('describes H.264', () => {
  expect(of('h264', high, highPps)).toEqual({
    track: 'video',
    codec: 'h264',
    parameterSets: [high, highPps],
    width: 1280,
    height: 720,
    codecString: 'avc1.64001f',
    reorderDepth: 2,
    rotation: 0,
  })
})

test('describes H.265', () => {
  expect(of('h265', vps, sps265, pps265)).toMatchObject({
    width: 300,
    height: 170,
    codecString: 'hvc1.2.4.L60.90',
    reorderDepth: 2,
  })
})

test.each([
  ['Baseline has no B pictures', '2742e01f8d8d302c12e38707c3e8', 0],
  ['picture order type 2', '6742e01595982c4e40', 0],
  ['Main without VUI: the buffer of level 1.3 for 320x240', '274d400da918283e600d418041adb0ad7bdf01', 7],
  ['the VUI says 2', '6764001facd9405005bb0110000003001000000303c0f1831960', 2],
])('reordering depth: %s', (_name, sps, depth) => {
  expect(of('h264', hex(sps)).reorderDepth).toBe(depth)
})

test('an SPS that cannot be read is kept, without a size', () => {
  const config = of('h264', hex('67 42 c0 1e'), hex('68ce'))
  expect(config).toMatchObject({ width: 0, height: 0, codecString: 'avc1.42c01e', reorderDepth: 0 })
  expect(encodeAvcC(config)).toEqual(hex('01 42c01e ff e1 0004 6742c01e 01 0002 68ce'))
  expect(of('h265', sps265.subarray(0, 20))).toMatchObject({ width: 0, codecString: 'hvc1.2.4.L60.90' })
  expect(of('h265', hex('42010102'))).toMatchObject({ width: 0, codecString: 'hvc1' })
  expect(encodeHvcC(of('h265', hex('42010102'))).length).toBe(23 + 3 + 2 + 4)
})

test('avcC of Baseline, byte for byte', () => {
  expect(encodeAvcC(of('h264', baseline, baselinePps))).toEqual(
    hex('01 42e015 ff e1 0009 6742e01595982c4e40 01 0004 68ce3880'),
  )
})

test('avcC of High ends in chroma, bit depths and extensions', () => {
  const tail = encodeAvcC(of('h264', high, highPps)).subarray(-4)
  expect(tail).toEqual(hex('fd f8 f8 00'))
})

test.each<[string, VideoConfig]>([
  ['H.264 Baseline', of('h264', baseline, baselinePps)],
  ['H.264 High', of('h264', high, highPps)],
  ['several SPS and PPS', of('h264', high, baseline, highPps, baselinePps)],
])('avcC round trip: %s', (_name, config) => {
  const bytes = encodeAvcC(config)
  const { config: read, lengthBytes } = parseAvcC(bytes)
  expect(lengthBytes).toBe(4)
  expect(read).toEqual(config)
  expect(read.parameterSets[0]?.buffer).not.toBe(bytes.buffer)
})

test('hvcC round trip', () => {
  const config = of('h265', vps, sps265, pps265)
  const bytes = encodeHvcC(config)
  expect(bytes.subarray(0, 23)).toEqual(hex('01 022000000090000000 00003c f000 fc fd fa fa 0000 0f 03'))
  expect(parseHvcC(bytes)).toEqual({ config, lengthBytes: 4 })
})

test('hvcC: arrays in another order come out in the order of a file; SEI arrays are left out', () => {
  const shape = encodeHvcC(of('h265', vps, sps265, pps265)).subarray(0, 22)
  const array = (type: number, nal: Uint8Array) => [type, 0, 1, 0, nal.length, ...nal]
  const arrays = [...array(34, pps265), ...array(39, hex('4e0101')), ...array(33, sps265), ...array(32, vps)]
  const { config } = parseHvcC(Uint8Array.of(...shape, 4, ...arrays))
  expect(config.parameterSets).toEqual([vps, sps265, pps265])
})

test.each([
  ['no SPS', () => of('h264', highPps)],
  ['an SPS of three bytes', () => of('h264', hex('674200'))],
  ['a parameter set of 64 KiB', () => of('h264', baseline, new Uint8Array(65536).fill(0x68))],
  ['avcC of version 0', () => parseAvcC(hex('00 42e015 ff e0 00'))],
  ['avcC without SPS', () => parseAvcC(hex('01 42e015 ff e0 00'))],
  ['avcC with lengths of 3 bytes', () => parseAvcC(hex('01 42e015 fe e1 0004 67420000 00'))],
  ['avcC that is cut', () => parseAvcC(hex('01 42e015 ff e1 0009 6742e015'))],
  ['avcC that ends before its PPS', () => parseAvcC(hex('01 42e015 ff e1 0004 67420000'))],
  ['hvcC that is cut', () => parseHvcC(encodeHvcC(of('h265', vps, sps265, pps265)).subarray(0, 40))],
  ['hvcC without SPS', () => parseHvcC(hex(`01${'00'.repeat(20)}0300`))],
  ['more SPS than avcC can count', () => encodeAvcC(of('h264', ...new Array(32).fill(baseline)))],
])('refuses %s', (_name, act) => {
  expect(act).toThrow(expect.objectContaining({ name: 'AppError', kind: 'InvalidArgument' }))
})
