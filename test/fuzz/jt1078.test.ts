import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVehicleIngest } from '../../agent/ingest/vehicle-ingest.ts'
import type { DataType, Jt1078Packet, SubPacket } from '../../agent/protocol/jt1078.ts'
import { Jt1078Parser } from '../../agent/protocol/jt1078-parser.ts'
import { encodeJt1078 } from '../../agent/protocol/jt1078-writer.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { annexB, bytesOf, pps, slice, sps, VehicleLine } from '../support/vehicle-packets.ts'

const hexDigits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))

const packet = fc
  .record({
    version: fc.constantFrom(2016 as const, 2019 as const),
    flags: fc.constantFrom(0x80, 0x81),
    marker: fc.boolean(),
    payloadType: fc.constantFrom(6, 7, 8, 19, 26, 91, 98, 99, 127),
    sequence: fc.nat(65_535),
    channel: fc.nat(255),
    dataType: fc.nat(4) as fc.Arbitrary<DataType>,
    subPacket: fc.nat(3) as fc.Arbitrary<SubPacket>,
    times: fc.tuple(fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(65_535), fc.nat(65_535)),
    body: fc.uint8Array({ maxLength: 80 }),
  })
  .chain((about) =>
    hexDigits(about.version === 2016 ? 12 : 20).map((sim): Jt1078Packet => {
      const {
        times: [stamp, lastKeyMs, lastMs],
        ...rest
      } = about
      const timestampMs = stamp <= Number.MAX_SAFE_INTEGER ? Number(stamp) : stamp
      if (rest.dataType === 4) return { ...rest, sim }
      return { ...rest, sim, timestampMs, ...(rest.dataType === 3 ? {} : { lastKeyMs, lastMs }) }
    }),
  )

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b)
  const ends = [...at, bytes.length]
  return ends.map((end, i) => Buffer.from(bytes.subarray(at[i - 1] ?? 0, end)))
}

function parse(pieces: readonly Buffer[]) {
  const parser = new Jt1078Parser()
  const packets = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.settle()]
  return { packets, figures: parser.figures, left: parser.bufferedBytes }
}

test('a packet that is written is read again', () => {
  fc.assert(
    fc.property(packet, (one) => {
      const bytes = encodeJt1078(one)
      const { packets } = parse([Buffer.concat([bytes, bytes])])
      // Bytes that are a packet of either version are read as one of them: both give the bytes back.
      expect(Buffer.concat(packets.map(encodeJt1078))).toEqual(Buffer.concat([bytes, bytes]))
    }),
    { numRuns: 200 },
  )
})

const wire = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: packet.map(encodeJt1078) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
      { weight: 1, arbitrary: fc.constantFrom(Buffer.from('30316364', 'hex'), Buffer.from('303163', 'hex')) },
      { weight: 1, arbitrary: packet.map((each) => encodeJt1078(each).subarray(0, 20)) },
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts))

test('any bytes in any pieces give the same packets, and nothing is kept beyond one packet', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat(), { maxLength: 30 }), (bytes, cuts) => {
      const whole = parse([bytes])
      const pieces = parse(cut(bytes, cuts))
      const single = parse(
        cut(
          bytes,
          Array.from({ length: bytes.length }, (_, i) => i),
        ),
      )
      expect(pieces).toEqual(whole)
      expect(single).toEqual(whole)
      expect(whole.left).toBeLessThan(65_535 + 34 + 4)
    }),
    { numRuns: 200 },
  )
})

const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ bytes: wire, session: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({ frame: fc.nat(5), loss: fc.nat(3), stamp: fc.nat(), session: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ advance: fc.nat(5000) }) },
  { weight: 1, arbitrary: fc.record({ end: fc.nat(2) }) },
)
const frames = [
  annexB(sps, pps, slice(5, 3000)),
  annexB(slice(1)),
  annexB(slice(1, 40, false)),
  annexB(sps),
  Buffer.from('00000000', 'hex'),
  new Uint8Array(160),
]

test('vehicles that send anything: nothing is thrown, times go on, memory is bounded and given back', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const clock = new FakeClock()
      const units: AccessUnit[] = []
      const faults: unknown[] = []
      const ingest = createVehicleIngest({
        clock,
        onFault: (error) => faults.push(error),
        hub: {
          publish: () => ({ push: (unit) => units.push(unit), gap: () => undefined, end: () => undefined }),
        },
      })
      const open = () => {
        const session = ingest.connect({
          ...{ door: 'live', address: '10.0.0.1', allows: () => true },
          close: (reason) => session.ended(reason),
        })
        return { session, line: new VehicleLine({ sim: '000000000001' }) }
      }
      const sessions = [open(), open(), open()]
      for (const each of events) {
        const at = 'session' in each ? each.session : 'end' in each ? each.end : 0
        const { session, line } = sessions[at] ?? open()
        if ('bytes' in each) session.receive(each.bytes)
        else if ('frame' in each) {
          const body = frames[each.frame] ?? frames[0] ?? new Uint8Array(0)
          const sound = each.frame === 5 ? { dataType: 3 as const, payloadType: 6 } : {}
          const packets = line.packets({ timestampMs: each.stamp, body, ...sound })
          session.receive(bytesOf(packets.filter((_, i) => i !== each.loss)))
        } else if ('end' in each) {
          session.ended('peer')
          expect(session.heldBytes).toBeLessThan(66_000)
          sessions[at] = open()
        } else {
          clock.advance(each.advance)
          for (const other of sessions) other.session.tick(clock.monotonicMs())
        }
      }
      clock.advance(10_000)
      for (const { session } of sessions) {
        session.tick(clock.monotonicMs())
        session.ended('peer')
      }
      expect(faults).toEqual([])
      expect(ingest.vehicles.channels()).toEqual([])
      for (const { dtsMs, ptsMs, nalUnits, sizeBytes } of units) {
        expect(Number.isSafeInteger(dtsMs) && Number.isSafeInteger(ptsMs) && dtsMs <= ptsMs).toBe(true)
        expect(sizeBytes).toBeGreaterThan(0)
        expect(nalUnits.length).toBeGreaterThan(0)
      }
    }),
    { numRuns: 100 },
  )
})
