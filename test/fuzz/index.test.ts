import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppError } from '../../shared/error.ts'
import { encodeIndexHeader, parseIndex } from '../../shared/media/index.ts'
import { encodeIndexRecord, type IndexRecord } from '../../shared/media/index-record.ts'

const head = encodeIndexHeader({
  version: 1,
  agent: 'lab',
  stream: 'door',
  epoch: 1,
  seq: 0,
  openedWallMs: 0,
  wallOffsetMs: 0,
  wallBoundMs: 0,
  timeSource: 'device',
  continues: false,
})
const ms = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const unit: fc.Arbitrary<IndexRecord> = fc.record({
  kind: fc.constantFrom('unit', 'config'),
  track: fc.constantFrom('video', 'audio'),
  flags: fc.integer({ min: 0, max: 65535 }),
  sizeBytes: u32,
  offset: fc.integer({ min: 0, max: 2 ** 53 - 1 }),
  dtsMs: ms,
  ptsMs: ms,
  arrivalUs: ms,
  crc: u32,
})

test('any bytes: an index, or DataLoss', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, whole) => {
      try {
        const parsed = parseIndex(whole ? Buffer.concat([head, bytes]) : bytes, { tolerateTail: true })
        expect(parsed.validBytes + (parsed.tail?.bytes ?? 0)).toBe(head.length + bytes.length)
        expect([...parsed.records]).toHaveLength(parsed.records.length)
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
        expect(error).toMatchObject({ kind: 'DataLoss' })
      }
    }),
    { numRuns: 2000 },
  )
})

test('records → bytes → records; a cut or a flipped bit anywhere leaves a prefix', () => {
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 8 }),
      fc.nat(),
      fc.nat(7),
      fc.boolean(),
      (records, place, bit, cut) => {
        const bytes = Buffer.concat([head, ...records.map((record) => encodeIndexRecord(record))])
        expect([...parseIndex(bytes).records]).toEqual(records)
        const body = bytes.length - head.length
        if (body === 0) return
        const at = head.length + (place % body)
        const harmed = cut ? bytes.subarray(0, at) : bytes
        if (!cut) harmed[at] = (harmed[at] ?? 0) ^ (1 << bit)
        const found = [...parseIndex(harmed, { tolerateTail: true }).records]
        expect(found).toEqual(records.slice(0, Math.floor((at - head.length) / 48)))
      },
    ),
    { numRuns: 1000 },
  )
})
