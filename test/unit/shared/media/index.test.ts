import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  audioConfigOf,
  audioHeaderOf,
  type SegmentHeader,
  videoConfigOf,
  videoHeaderOf,
} from '../../../../shared/contract/segment-header.ts'
import type { AudioConfig } from '../../../../shared/media/access-unit.ts'
import { gapCauses } from '../../../../shared/media/access-unit.ts'
import { encodeIndexHeader, parseIndex } from '../../../../shared/media/index.ts'
import { encodeIndexRecord, type IndexRecord, unitFlag } from '../../../../shared/media/index-record.ts'

const header: SegmentHeader = {
  version: 1,
  agent: 'lab',
  stream: 'door',
  epoch: 1_763_616_224_000,
  seq: 7,
  openedWallMs: 1_763_616_224_123,
  wallOffsetMs: -12.5,
  wallBoundMs: 4,
  timeSource: 'device',
  continues: false,
  gapBefore: { from: 1, to: 2, cause: 'crash' },
}

const unit: IndexRecord = {
  kind: 'unit',
  track: 'video',
  flags: unitFlag.randomAccess | unitFlag.idr,
  sizeBytes: 0xfedcba98,
  offset: 2 ** 40 + 3,
  dtsMs: -40,
  ptsMs: 1_763_616_224_000,
  arrivalUs: 1_763_616_224_000_123,
  crc: 0xdeadbeef,
}
const records: IndexRecord[] = [
  { ...unit, kind: 'config', flags: 0, dtsMs: 0, ptsMs: 0 },
  unit,
  { ...unit, track: 'audio', flags: unitFlag.duplicate | unitFlag.damaged },
  { kind: 'gap', track: 'video', cause: 'sequence', fromMs: 10, toMs: 90, units: 2, arrivalUs: 5 },
  { kind: 'gap', track: 'audio', cause: 'disk-slow', fromMs: -10, toMs: 90, arrivalUs: 5 },
]

function indexOf(...list: IndexRecord[]): Buffer {
  return Buffer.concat([encodeIndexHeader(header), ...list.map((record) => encodeIndexRecord(record))])
}

test('what was written is read again, as records and as columns', () => {
  const parsed = parseIndex(indexOf(...records))
  expect(parsed.header).toEqual(header)
  expect([...parsed.records]).toEqual(records)
  expect(parsed.tail).toBeUndefined()

  const columns = parsed.records
  expect(columns.kind(0)).toBe('config')
  expect(columns.isUnit(1)).toBe(true)
  expect(columns.isRandomAccess(1)).toBe(true)
  expect(columns.isDuplicate(2)).toBe(true)
  expect(columns.isVideo(2)).toBe(false)
  expect([columns.sizeBytes(1), columns.offset(1), columns.crc(1)]).toEqual([
    0xfedcba98,
    2 ** 40 + 3,
    0xdeadbeef,
  ])
  expect([columns.dtsMs(1), columns.ptsMs(1), columns.arrivalUs(1)]).toEqual([
    -40,
    unit.ptsMs,
    unit.arrivalUs,
  ])
})

test('a record is 48 little-endian bytes with the checksum of the first 44 at the end', () => {
  const bytes = Buffer.from(
    encodeIndexRecord({ ...unit, sizeBytes: 0x01020304, offset: 5, dtsMs: -2, ptsMs: 1 }),
  )
  expect(bytes.toString('hex')).toBe(
    '00000300' +
      '04030201' +
      '0500000000000000' +
      'feffffffffffffff' +
      '0100000000000000' +
      Buffer.from(new BigInt64Array([1_763_616_224_000_123n]).buffer).toString('hex') +
      'efbeadde' +
      bytes.subarray(44).toString('hex'),
  )
  expect(bytes.readUInt32LE(44)).toBe(crc32(bytes.subarray(0, 44)))
})

test('records are written into a buffer at a place', () => {
  const batch = new Uint8Array(96)
  encodeIndexRecord(unit, batch, 48)
  expect(batch.subarray(48)).toEqual(encodeIndexRecord(unit))
  expect(batch.subarray(0, 48)).toEqual(new Uint8Array(48))
})

test('records begin at a multiple of 48, whatever the header holds', () => {
  for (const stream of ['a', 'ab', 'abc'.repeat(20)]) {
    expect(encodeIndexHeader({ ...header, stream }).length % 48).toBe(0)
  }
})

test('every cause of a gap has its number', () => {
  for (const cause of gapCauses) {
    const gap: IndexRecord = { kind: 'gap', track: 'video', cause, fromMs: 0, toMs: 1, arrivalUs: 0 }
    expect([...parseIndex(indexOf(gap)).records]).toEqual([gap])
  }
})

describe('a killed agent leaves a tail', () => {
  const whole = indexOf(...records)
  const end = whole.length

  test.each([
    ['half a record', whole.subarray(0, end - 20), end - 48, 'short'],
    ['zeros', Buffer.concat([whole, Buffer.alloc(4096)]), end, 'checksum'],
    ['garbage', Buffer.concat([whole, Buffer.alloc(50, 0xa5)]), end, 'checksum'],
  ])('%s', (_name, bytes, validBytes, reason) => {
    const parsed = parseIndex(bytes, { tolerateTail: true })
    expect(parsed.validBytes).toBe(validBytes)
    expect(parsed.tail).toEqual({ offset: validBytes, bytes: bytes.length - validBytes, reason })
    expect([...parsed.records]).toEqual(records.slice(0, parsed.records.length))
    expect(() => parseIndex(bytes)).toThrow(expect.objectContaining({ kind: 'DataLoss' }))
  })

  test('a flipped bit ends the list before its record', () => {
    const bytes = Buffer.from(whole)
    const at = end - 2 * 48 + 17
    bytes[at] = (bytes[at] ?? 0) ^ 4
    const parsed = parseIndex(bytes, { tolerateTail: true })
    expect(parsed.records.length).toBe(3)
    expect(parsed.tail?.reason).toBe('checksum')
  })

  test('a kind of record that is not known here', () => {
    const future = Buffer.from(encodeIndexRecord(unit))
    future[1] = 9
    future.writeUInt32LE(crc32(future.subarray(0, 44)), 44)
    expect(parseIndex(Buffer.concat([whole, future]), { tolerateTail: true }).tail?.reason).toBe('unknown')
  })
})

test.each([
  ['no bytes', Buffer.alloc(0)],
  ['another file', Buffer.from('RIFF                         ')],
  ['a later version', Buffer.from(indexOf().fill(2, 4, 5))],
  ['a header that is cut off', indexOf().subarray(0, 60)],
  ['a flipped bit in the header', Buffer.from(indexOf().fill('x', 30, 31))],
])('refuses %s as DataLoss', (_name, bytes) => {
  expect(() => parseIndex(bytes, { tolerateTail: true })).toThrow(
    expect.objectContaining({ kind: 'DataLoss' }),
  )
})

test('refuses to write a header that is none', () => {
  expect(() => encodeIndexHeader({ ...header, stream: '../x' })).toThrow(
    expect.objectContaining({ kind: 'InvalidArgument' }),
  )
})

test('configurations come back from the header as they were', () => {
  const video = {
    track: 'video',
    codec: 'h264',
    parameterSets: [Uint8Array.of(0x67, 1, 2), Uint8Array.of(0x68, 3)],
    width: 1920,
    height: 1080,
    codecString: 'avc1.42c01e',
    reorderDepth: 2,
    rotation: 90,
  } as const
  const audio: AudioConfig = {
    track: 'audio',
    codec: 'aac',
    specificConfig: Uint8Array.of(0x12, 0x10),
    sampleRate: 44100,
    channels: 2,
    frameSamples: 1024,
    codecString: 'mp4a.40.2',
  }
  const bytes = encodeIndexHeader({ ...header, video: videoHeaderOf(video), audio: audioHeaderOf(audio) })
  const parsed = parseIndex(bytes).header
  if (!parsed.video || !parsed.audio) throw new Error('a configuration is missing')
  const readVideo = videoConfigOf(parsed.video)
  expect({ ...readVideo, parameterSets: readVideo.parameterSets.map((set) => [...set]) }).toEqual({
    ...video,
    parameterSets: video.parameterSets.map((set) => [...set]),
  })
  expect(Buffer.from(audioConfigOf(parsed.audio).specificConfig)).toEqual(Buffer.from(audio.specificConfig))
})
