import { expect, test } from 'vitest'
import { VehicleSound } from '../../../../agent/ingest/vehicle-sound.ts'
import type { Jt1078Piece } from '../../../../agent/protocol/jt1078-lane.ts'
import { adtsHeader, parseAudioSpecificConfig } from '../../../../shared/media/aac.ts'
import { hex } from '../../../support/hex.ts'

function rig() {
  const refused: string[] = []
  const sound = new VehicleSound((reason) => refused.push(reason))
  const push = (payloadType: number, bytes: Uint8Array, timestampMs = 0) => {
    const piece: Jt1078Piece = {
      dataType: 3,
      payloadType,
      marker: true,
      timestampMs,
      bytes,
      damaged: false,
      arrivalMs: 0,
    }
    return sound.push(piece)
  }
  return { sound, push, refused }
}

const codes = (length: number) => new Uint8Array(length).fill(0xd5)

test.each([
  [6, 'g711a'],
  [7, 'g711u'],
])('payload type %i is %s, one configuration for all frames', (payloadType, codec) => {
  const { push } = rig()
  const [first] = push(payloadType, codes(160))
  const [second] = push(payloadType, codes(160), 20)
  expect(first).toMatchObject({ config: { codec, sampleRate: 8000, channels: 1 }, timestampMs: 0 })
  expect(second?.config).toBe(first?.config)
  expect(first?.frames).toEqual([codes(160)])
})

test.each([
  ['with its header', '00015000', 160, 160],
  ['whose length does not fit', '00015100', 160, 164],
  ['without', '', 160, 160],
])('G.711 of a HiSilicon encoder %s', (_name, head, length, expected) => {
  const { push } = rig()
  const [sound] = push(6, Buffer.concat([hex(head), codes(length)]))
  expect(sound?.frames[0]).toHaveLength(expected)
})

test('ADPCM keeps the state before its codes', () => {
  const { push } = rig()
  const [sound] = push(26, Buffer.concat([hex('00015200'), hex('12340500'), codes(160)]))
  expect(sound).toMatchObject({ config: { codec: 'adpcm' } })
  expect(push(26, Buffer.concat([hex('00011200'), hex('1234'), codes(34)]))[0]?.frames[0]).toHaveLength(40)
})

test.each([
  [80, 40, 2],
  [120, 40, 3],
  [160, 40, 4],
  [200, 40, 5],
  [80, 20, 4],
])('G.726 of %i bytes each %i ms has codes of %i bits', (bytes, stepMs, bits) => {
  const { push } = rig()
  for (let i = 0; i < 3; i += 1) expect(push(8, codes(bytes), i * stepMs)).toEqual([])
  const sound = push(8, codes(bytes), 3 * stepMs)
  expect(sound.map(({ timestampMs }) => timestampMs)).toEqual([0, stepMs, 2 * stepMs, 3 * stepMs])
  expect(sound[0]?.config).toMatchObject({ codec: 'g726', specificConfig: Uint8Array.of(bits) })
  expect(push(8, codes(bytes), 4 * stepMs)[0]?.config).toBe(sound[0]?.config)
})

test('what was held back is given out at the end, and where time stands still as 32 kbit/s', () => {
  const { push, sound } = rig()
  push(8, codes(160))
  push(8, codes(160))
  expect(sound.end().map(({ config }) => config.codecString)).toEqual(['g726-32', 'g726-32'])
})

const lc = parseAudioSpecificConfig(hex('1208')) // LC, 44.1 kHz, mono.

test('AAC with ADTS headers, several frames in one packet', () => {
  const { push } = rig()
  const framed = Buffer.concat([adtsHeader(lc, 5), hex('0102030405'), adtsHeader(lc, 2), hex('0607')])
  const [sound] = push(19, framed)
  expect(sound).toMatchObject({ config: { codec: 'aac', sampleRate: 44_100, channels: 1 } })
  expect(sound?.frames.map((frame) => Buffer.from(frame).toString('hex'))).toEqual(['0102030405', '0607'])
  expect(push(19, framed)[0]?.config).toBe(sound?.config)
})

test.each([
  ['00', 128, 8000, 1],
  ['00', 64, 16_000, 1],
  ['20', 23, 44_100, 2],
  ['20', 21, 48_000, 2],
])('AAC without headers, first byte %s, each %i ms', (first, stepMs, sampleRate, channels) => {
  const { push } = rig()
  for (let i = 0; i < 3; i += 1) push(24, hex(`${first}aabb`), i * stepMs)
  expect(push(24, hex(`${first}aabb`), 3 * stepMs)[0]?.config).toMatchObject({
    codec: 'aac',
    sampleRate,
    channels,
  })
})

test('other codecs, broken AAC and what is too large are counted', () => {
  const { push, refused } = rig()
  push(28, codes(32))
  push(19, hex('fff15040'))
  push(6, codes(20_000))
  push(6, new Uint8Array(0))
  expect(refused).toEqual(['unknown-codec', 'bad-sound', 'bad-sound', 'bad-sound'])
})
