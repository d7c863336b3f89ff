import { fileURLToPath } from 'node:url'
import type { MethodDefinition } from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { unitFrame } from '../../../../../agent/control/grpc/unit-message.ts'

// What is written by hand is what the general decoder, made from the .proto alone, reads.

let decode: (bytes: Buffer) => Record<string, unknown>
beforeAll(async () => {
  const path = fileURLToPath(new URL('../../../../../agent/control/grpc/edgereel.proto', import.meta.url))
  const loaded = await load(path, { longs: String, enums: String, defaults: true, oneofs: true })
  const service = loaded['edgereel.v1.MediaService'] as Record<string, MethodDefinition<unknown, object>>
  const open = service.OpenStream
  decode = (bytes) => open?.responseDeserialize(bytes) as Record<string, unknown>
})

const int64 = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const unit = fc.record({
  codec: fc.constantFrom('h264', 'h265', 'aac', 'g711a', 'adpcm', ''),
  dts: fc.oneof(int64, fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32, -1)),
  pts: int64,
  key: fc.boolean(),
  parts: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
  annexB: fc.boolean(),
  track: fc.constantFrom('video', 'audio'),
  epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  arrivedAt: fc.integer({ min: 0, max: 4e12 }),
  damaged: fc.boolean(),
})

test('any unit is read as it is', () => {
  fc.assert(
    fc.property(unit, (given) => {
      const { parts, annexB, dts, pts, arrivedAt, ...same } = given
      const pieces = parts.flatMap((part) => (annexB ? [Uint8Array.of(0, 0, 0, 1), part] : [part]))
      const frame = unitFrame(given)
      expect([frame[0], frame.readUInt32BE(1)]).toEqual([0, frame.length - 5])
      expect(decode(frame.subarray(5))).toEqual({
        ...{ ...same, payload: Buffer.concat(pieces), config: null, dropped: null },
        ...{ dts: String(dts), pts: String(pts), arrivedAt: String(arrivedAt) },
      })
    }),
    { numRuns: 2000 },
  )
})
