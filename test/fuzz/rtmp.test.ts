import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FlvUnits } from '../../agent/ingest/flv-units.ts'
import { ChunkReader } from '../../agent/protocol/rtmp/chunk-reader.ts'
import { chunked } from '../../agent/protocol/rtmp/chunk-writer.ts'
import { ClientSession } from '../../agent/protocol/rtmp/client-session.ts'
import { command, type RtmpMessage } from '../../agent/protocol/rtmp/message.ts'
import { ServerSession } from '../../agent/protocol/rtmp/server-session.ts'
import { AppError } from '../../shared/error.ts'
import { rtmpMessageBytesMax } from '../../shared/limits.ts'
import type { Amf0Value } from '../../shared/media/amf0.ts'

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length))
}

/** Chunks that are mostly right, so that the fuzz gets past the first header. */
const chunk = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 3),
    fc.integer({ min: 2, max: 6 }),
    fc.constantFrom(0, 40, 0xfffffe, 0xffffff),
    fc.integer({ min: 0, max: 300 }),
    fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22, 99),
    fc.uint8Array({ maxLength: 140 }),
  )
  .map(([format, id, time, length, type, payload]) => {
    const head = Buffer.alloc(11)
    head.writeUIntBE(time, 0, 3)
    head.writeUIntBE(length, 3, 3)
    head[6] = type
    head[7] = 1
    return Buffer.concat([Buffer.of((format << 6) | id), head.subarray(0, [11, 7, 3, 0][format]), payload])
  })
const wire = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.array(chunk, { maxLength: 12 }).map((chunks) => Buffer.concat(chunks)),
)

function read(bytes: Uint8Array, cuts: readonly number[]): unknown[] {
  const reader = new ChunkReader()
  const seen: unknown[] = []
  const note = ({ payload, ...rest }: RtmpMessage) => seen.push({ ...rest, payload: [...payload] })
  try {
    for (const piece of pieces(bytes, cuts)) reader.push(piece, note)
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    seen.push((error as AppError).message)
  }
  return seen
}

test('chunk layer: any bytes, any split, the same messages and the same fault', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat()), (bytes, cuts) => {
      expect(read(bytes, cuts)).toEqual(read(bytes, []))
    }),
    { numRuns: 5000 },
  )
})

test('messages → chunks → messages, any split', () => {
  const message = fc.record({
    type: fc.constantFrom(8, 9, 18, 20),
    streamId: fc.nat(),
    timestampMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    payload: fc.uint8Array({ maxLength: 500 }),
  })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat()), (messages, cuts) => {
      const bytes = Buffer.concat(
        messages.map(({ payload, ...rest }) => chunked({ ...rest, parts: [payload] }, 128)),
      )
      expect(read(bytes, cuts)).toEqual(
        messages.map(({ payload, ...rest }) => ({ ...rest, payload: [...payload] })),
      )
    }),
    { numRuns: 1000 },
  )
})

const hello = Buffer.concat([Buffer.of(3), Buffer.alloc(3072)])
const value: fc.Arbitrary<Amf0Value> = fc.oneof(
  fc.constant(null),
  fc.constantFrom('cam', '', '../x', 'live?token=x', 'a'.repeat(100)),
  fc.double(),
  fc.boolean(),
  fc.dictionary(fc.constantFrom('app', 'tcUrl', 'capsEx', 'fourCcList'), fc.constantFrom('live', 1, null)),
)
const call = fc
  .tuple(
    fc.constantFrom(0, 1, 2),
    fc.constantFrom(
      'connect',
      'createStream',
      'publish',
      'play',
      'deleteStream',
      'pause',
      'FCUnpublish',
      '_result',
      'x',
    ),
    fc.nat(9),
    fc.array(value, { maxLength: 3 }),
  )
  .map(([streamId, name, transaction, values]) =>
    chunked({ type: 20, streamId, timestampMs: 0, parts: [command(name, transaction, ...values)] }, 128),
  )
const begun = [
  chunked({ type: 20, streamId: 0, timestampMs: 0, parts: [command('connect', 1, { app: 'live' })] }, 128),
  chunked({ type: 20, streamId: 0, timestampMs: 0, parts: [command('createStream', 2, null)] }, 128),
  chunked({ type: 20, streamId: 1, timestampMs: 0, parts: [command('publish', 3, null, 'cam')] }, 128),
]

test('server session: any calls and any bytes, any split: events, at most one fault, and it is the last', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.oneof(call, wire), { maxLength: 10 }),
      fc.array(fc.nat()),
      (publishing, parts, cuts) => {
        const session = new ServerSession()
        const units = new FlvUnits({ monotonicMs: 0, wallMs: 1_772_366_400_000 })
        const bytes = Buffer.concat([hello, ...(publishing ? begun : []), ...parts])
        const events = pieces(bytes, cuts).flatMap((piece) => session.push(piece))
        const faults = events.filter(({ kind }) => kind === 'failed')
        expect(faults.length).toBeLessThanOrEqual(1)
        if (faults.length > 0) expect(events.at(-1)?.kind).toBe('failed')
        for (const event of events) {
          if (event.kind === 'failed') expect(event.error.kind).toMatch(/InvalidArgument|ResourceExhausted/)
          else if (event.kind === 'begin') session.accept()
          else if (event.kind === 'media') units.take(event.tag, { monotonicMs: 0, wallMs: 0 })
        }
      },
    ),
    { numRuns: 3000 },
  )
})

test('client session: any bytes of a server', () => {
  const url = { host: 'h', port: 1935, app: 'live', name: 'cam', tcUrl: 'rtmp://h/live' }
  fc.assert(
    fc.property(fc.constantFrom('publish', 'play'), wire, fc.array(fc.nat()), (mode, bytes, cuts) => {
      const session = new ClientSession({ url, mode })
      session.begin()
      const all = Buffer.concat([hello, bytes])
      for (const event of pieces(all, cuts).flatMap((piece) => session.push(piece))) {
        if (event.kind === 'failed') expect(event.error).toBeInstanceOf(AppError)
      }
    }),
    { numRuns: 1500 },
  )
})

test('any tag bodies: units or counted refusals, never a throw', () => {
  const tag = fc.record({
    kind: fc.constantFrom('audio' as const, 'video' as const, 'script' as const),
    timestampMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .tuple(
          fc.constantFrom(
            '1700000000',
            '2701000000',
            'af00',
            'af01',
            '9068766331',
            '9161763031',
            '914f707573',
          ),
          fc.uint8Array({ maxLength: 60 }),
        )
        .map(([head, rest]) => Buffer.concat([Buffer.from(head, 'hex'), rest])),
    ),
  })
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 20 }), (tags) => {
      const units = new FlvUnits({ monotonicMs: 0, wallMs: 1_772_366_400_000 })
      let arrivalMs = 0
      for (const each of tags) {
        arrivalMs += 10
        const { unit } = units.take(each, { monotonicMs: arrivalMs, wallMs: arrivalMs })
        if (unit) expect([unit.dtsMs, unit.ptsMs].every(Number.isSafeInteger)).toBe(true)
      }
    }),
    { numRuns: 3000 },
  )
})

test('a connection holds at most one message’s bytes, whatever 64 chunk streams claim (RELIABILITY.md C4)', () => {
  const reader = new ChunkReader()
  const before = process.memoryUsage().arrayBuffers
  const piece = Buffer.alloc(128, 1)
  expect(() => {
    for (let round = 0; round < 200_000; round += 1) {
      const id = 3 + (round % 60)
      const first = round < 60
      const head = first ? Buffer.from([id, 0, 0, 0, 0x9f, 0xff, 0xff, 9, 1, 0, 0, 0]) : Buffer.of(0xc0 | id)
      reader.push(Buffer.concat([head, piece]), () => undefined)
    }
  }).toThrow(expect.objectContaining({ kind: 'ResourceExhausted' }))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.6 * rtmpMessageBytesMax)
})
