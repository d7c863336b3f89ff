import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { dataTypes, deviceId, type Jt1078Packet } from '../../../../agent/protocol/jt1078.ts'
import { Jt1078Parser } from '../../../../agent/protocol/jt1078-parser.ts'
import { encodeJt1078 } from '../../../../agent/protocol/jt1078-writer.ts'
import { hex } from '../../../support/hex.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { bytesOf as encoded, VehicleLine } from '../../../support/vehicle-packets.ts'

const bytesOf = (text: string) => Buffer.from(hex(text))

function parse(bytes: Buffer, pieceBytes = bytes.length): { packets: Jt1078Packet[]; parser: Jt1078Parser } {
  const parser = new Jt1078Parser()
  const packets: Jt1078Packet[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    packets.push(...parser.push(bytes.subarray(at, at + pieceBytes)))
  packets.push(...parser.settle())
  return { packets, parser }
}

const video = '3031636481e20000295696659617010000000000000000000000000000020000'

// PROTOCOLS.md, 1.
test.each([
  [
    'whole',
    video,
    { dataType: 0, subPacket: 0, marker: true, payloadType: 98, timestampMs: 0, lastKeyMs: 0 },
  ],
  ['first', video.replace('170100', '170101'), { subPacket: 1 }],
  ['middle', video.replace('170100', '170103'), { subPacket: 3 }],
  ['last', video.replace('170100', '170102'), { subPacket: 2 }],
  [
    'whole, with the payload type of sound',
    '3031636481060000295696659617010000000000000000000000000000020000',
    { marker: false, payloadType: 6 },
  ],
  ['transparent', '3031636481e200002956966596170240000101', { dataType: 4, channel: 2, sequence: 0 }],
  [
    'of a SIM that is no BCD, flags 0x80',
    `3031636480e200320000 56aebc2a 01 11 0000000000000005 0028 0028 0001 61`,
    { flags: 0x80, sim: '000056aebc2a', sequence: 0x32, dataType: 1, subPacket: 1, lastMs: 0x28 },
  ],
])('reads a packet of 2016: %s', (_name, text, expected) => {
  const { packets } = parse(bytesOf(text))
  expect(packets).toHaveLength(1)
  expect(packets[0]).toMatchObject({ version: 2016, ...expected })
  expect(packets[0] && 'timestampMs' in packets[0]).toBe(packets[0]?.dataType !== dataTypes.transparent)
})

test('reads a packet of 2019 and names its channel', () => {
  const text = `3031636481e20007 00000000013912345678 02 10 0000018bcfe56800 0010 0020 0003 000001`
  const { packets } = parse(bytesOf(text + text))
  expect(packets).toHaveLength(2)
  expect(packets[0]).toEqual({
    version: 2019,
    flags: 0x81,
    marker: true,
    payloadType: 98,
    sequence: 7,
    sim: '00000000013912345678',
    channel: 2,
    dataType: 1,
    subPacket: 0,
    timestampMs: 1_700_000_000_000,
    lastKeyMs: 16,
    lastMs: 32,
    body: hex('000001'),
  })
  expect(deviceId({ sim: '00000000013912345678', channel: 2 })).toBe('0000000001391234567802')
})

test('a timestamp beyond what a number holds is exact', () => {
  const { packets } = parse(bytesOf(video.replace('1701000000000000000000', '170100ffffffffffffffff')))
  expect(packets[0]?.timestampMs).toBe(0xffff_ffff_ffff_ffffn)
})

const sound2019: Jt1078Packet = {
  version: 2019,
  flags: 0x81,
  marker: true,
  payloadType: 6,
  sequence: 1,
  sim: '00000000000000010203', // Read as 2016: a picture, its length at the same place.
  channel: 1,
  dataType: 3,
  subPacket: 0,
  timestampMs: 20,
  body: new Uint8Array(160).fill(0x55),
}

test('sound of 2019 is not taken for a picture of 2016 though both readings fit', () => {
  const bytes = Buffer.concat([encodeJt1078(sound2019), encodeJt1078({ ...sound2019, sequence: 2 })])
  for (const size of [1, 7, bytes.length])
    expect(parse(bytes, size).packets).toMatchObject([sound2019, sound2019].map(({ sim }) => ({ sim })))
})

test.each([20, 40, 500])('a first packet whose rest is late (after %i bytes) is not given up', (cut) => {
  const line = new VehicleLine()
  const bytes = encoded([...line.key(0, 800), ...line.picture(40)])
  const parser = new Jt1078Parser()
  expect(parser.push(bytes.subarray(0, cut))).toEqual([])
  expect(parser.settle()).toEqual([])
  expect(parser.push(bytes.subarray(cut))).toHaveLength(2)
  expect(parser.figures).toEqual({ packets: 2, resyncs: 0, skippedBytes: 0 })
})

test('the version is decided again after a loss', () => {
  const one = bytesOf(video)
  const other = encodeJt1078({ ...sound2019, sim: '00000000013912345678' })
  const { packets, parser } = parse(Buffer.concat([one, one, bytesOf('deadbeef'), other, other]))
  expect(packets.map(({ version }) => version)).toEqual([2016, 2016, 2019, 2019])
  expect(parser.figures).toEqual({ packets: 4, resyncs: 1, skippedBytes: 4 })
})

test('a magic in what is skipped is not a packet unless the next follows it', () => {
  const one = bytesOf(video)
  const fake = bytesOf('30316364 81e20000 295696659617 01 00 0000000000000000 0000 0000 ffff')
  const body = bytesOf('00'.repeat(70_000))
  const { packets, parser } = parse(Buffer.concat([one, one, fake, body, one, one]), 1000)
  expect(packets).toHaveLength(5) // The version is known: the fake is believed, for once.
  const lost = parse(Buffer.concat([one, one, bytesOf('00'), fake, body, one, one]), 1000)
  expect(lost.packets).toHaveLength(4)
  expect(lost.parser.figures.skippedBytes).toBe(1 + fake.length + body.length)
  expect(parser.bufferedBytes).toBe(0)
})

test('a body of 65535 bytes in pieces of one byte', () => {
  const large = encodeJt1078({ ...sound2019, body: new Uint8Array(65_535).fill(7) })
  const { packets, parser } = parse(Buffer.concat([large, large]), 1)
  expect(packets.map(({ body }) => body.length)).toEqual([65_535, 65_535])
  expect(parser.bufferedBytes).toBe(0)
})

test('what is no JT/T 1078 is given up, with a bound on what is kept', () => {
  const parser = new Jt1078Parser()
  const noise = Buffer.alloc(64 * 1024, 0x30)
  for (let i = 0; i < 10; i += 1) {
    parser.push(Buffer.from(noise))
    expect(parser.bufferedBytes).toBeLessThan(5)
  }
  expect(parser.hopeless).toBe(true)
})

test('a device that loses its framing all the time is given up, one that does now and then is not', () => {
  const lossy = (good: number) => {
    const parser = new Jt1078Parser()
    const one = bytesOf(video)
    for (let i = 0; i < 40; i += 1)
      parser.push(Buffer.concat([...Array<Buffer>(good).fill(one), bytesOf('00')]))
    return parser.hopeless
  }
  expect(lossy(3)).toBe(true)
  expect(lossy(200)).toBe(false)
})

const truthSchema = z.record(
  z.string(),
  z.object({
    packets: z.number(),
    streams: z.record(z.string(), z.object({ packets: z.number(), es_sha256: z.string() })),
  }),
)
const truthPath = sharedPath('data', 'jt1078', 'truth.json')

test.skipIf(truthPath === undefined).each([1, 7, 1000, 1e9])('captures in pieces of %i bytes', (size) => {
  const truth = truthSchema.parse(JSON.parse(readFileSync(truthPath ?? '', 'utf8')))
  for (const [file, expected] of Object.entries(truth)) {
    const bytes = readFileSync(sharedPath('data', 'jt1078', file) ?? '')
    const { packets, parser } = parse(bytes, Math.min(size, bytes.length))
    expect(parser.figures).toEqual({ packets: expected.packets, resyncs: 0, skippedBytes: 0 })
    expect(Buffer.concat(packets.map(encodeJt1078))).toEqual(bytes)
    for (const [stream, { packets: count, es_sha256 }] of Object.entries(expected.streams)) {
      const isOfKind = ({ dataType }: Jt1078Packet) => dataType < 3 === stream.endsWith('video')
      const bodies = packets.filter(isOfKind).map(({ body }) => body)
      expect(bodies).toHaveLength(count)
      expect(createHash('sha256').update(Buffer.concat(bodies)).digest('hex')).toBe(es_sha256)
    }
  }
})
