import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Jt1078Packet } from '../../agent/protocol/jt1078.ts'
import {
  type InnerMessage,
  InnerReader,
  writeData,
  writeDataHead,
  writeHeartbeat,
  writeSubscription,
} from '../../agent/protocol/vehicle-inner.ts'
import { AppError } from '../../shared/error.ts'
import { innerBodyBytesMax } from '../../shared/vehicle-limits.ts'

const packets = fc
  .record({
    flags: fc.nat(255),
    marker: fc.boolean(),
    payloadType: fc.nat(127),
    sequence: fc.nat(65535),
    sim: fc.stringMatching(/^[0-9a-f]{12}$/),
    channel: fc.nat(255),
    dataType: fc.constantFrom(0, 1, 2, 3, 4),
    subPacket: fc.constantFrom(0, 1, 2, 3),
    timestampMs: fc.oneof(fc.nat(), fc.bigInt(2n ** 53n, 2n ** 64n - 1n)),
    lastKeyMs: fc.nat(65535),
    lastMs: fc.nat(65535),
    body: fc.uint8Array({ maxLength: 1000 }),
  })
  .map(({ timestampMs, lastKeyMs, lastMs, ...packet }) => ({
    version: 2016,
    ...packet,
    ...(packet.dataType === 4 ? {} : { timestampMs }),
    ...(packet.dataType < 3 ? { lastKeyMs, lastMs } : {}),
  })) as fc.Arbitrary<Jt1078Packet>

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  )
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

function plain(messages: InnerMessage[]): unknown[] {
  return messages.map((message) =>
    message.kind === 'data'
      ? { ...message, packet: { ...message.packet, body: Buffer.from(message.packet.body).toString('hex') } }
      : message,
  )
}

test('what is written is read, however it is cut', () => {
  fc.assert(
    fc.property(fc.array(packets, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 20 }), (list, cuts) => {
      const frames = list.flatMap((packet, i) => {
        const body = writeData(packet) ?? Buffer.alloc(0)
        return [writeDataHead(body.length, i), body, writeHeartbeat('pcServer', i)]
      })
      const bytes = Buffer.concat([
        ...frames,
        writeSubscription('subscribe', { who: 'pcClient', device: '06495940943803', sequence: 9 }),
      ])
      const reader = new InnerReader()
      const read = pieces(bytes, cuts).flatMap((piece) => reader.push(piece))
      expect(reader.bufferedBytes).toBe(0)
      expect(plain(read)).toEqual(plain(new InnerReader().push(bytes)))
      const data = read.filter((message) => message.kind === 'data')
      expect(data.map(({ packet }) => ({ ...packet, body: [...packet.body] }))).toEqual(
        list.map((packet) => ({ ...packet, body: [...packet.body] })),
      )
    }),
    { numRuns: 200 },
  )
})

test('any bytes in any pieces: messages or a refusal, and memory stays bounded', () => {
  const likely = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(
        fc.constantFrom(16, 0, 17),
        fc.oneof(fc.nat(100), fc.nat()),
        fc.nat(),
        fc.uint8Array({ maxLength: 120 }),
      )
      .map(([head, length, type, rest]) => {
        const bytes = Buffer.alloc(16 + rest.length)
        bytes.writeUInt32LE(head, 0)
        bytes.writeUInt32LE(length, 4)
        bytes.writeUInt32LE((type % 6) | ((type % 7) << 16), 12)
        bytes.set(rest, 16)
        return bytes
      }),
  )
  fc.assert(
    fc.property(fc.array(likely, { maxLength: 20 }), (list) => {
      const reader = new InnerReader()
      try {
        for (const piece of list) {
          reader.push(Buffer.from(piece))
          expect(reader.bufferedBytes).toBeLessThanOrEqual(innerBodyBytesMax + 16)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
      }
    }),
    { numRuns: 2000 },
  )
})
