import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeIndexRecord, type IndexUnit, unitFlag } from '../../../../../shared/media/index-record.ts'
import { IndexRecords } from '../../../../../shared/media/index-records.ts'
import { appendIndex } from '../../../../../shared/media/mp4/from-index.ts'
import { lengthPrefixInPlace, ReadCursor, toMovieBytes } from '../../../../../shared/media/mp4/reads.ts'
import { SampleTable } from '../../../../../shared/media/mp4/sample-table.ts'
import { joinAnnexB, joinLengthPrefixed } from '../../../../../shared/media/nal.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('NAL units → Annex B → lengths in place: as if they had been written with lengths', () => {
  // Emulation prevention: no unit holds 00 00 00 … 00 00 02, none ends with 00.
  const nal = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .map((bytes) => bytes.map((byte) => (byte === 0 ? 3 : byte)))
  fc.assert(
    fc.property(fc.array(nal, { minLength: 1, maxLength: 5 }), fc.nat(9), (nals, lead) => {
      const annexB = joinAnnexB(nals)
      const file = Buffer.concat([Buffer.alloc(lead, 7), annexB, Buffer.alloc(5, 9)])
      expect(lengthPrefixInPlace(file, lead, annexB.length)).toBe(true)
      expect(file.subarray(lead, lead + annexB.length).equals(joinLengthPrefixed(nals))).toBe(true)
      expect(file.subarray(0, lead).every((byte) => byte === 7)).toBe(true)
      expect(file.subarray(-5).every((byte) => byte === 9)).toBe(true)
    }),
  )
})

const units = ['00000001 65aa', '00000001 41bb 00000001 41cc', '00000001 41dd'].map(hex)

function indexOf(
  list: readonly Buffer[],
  change: (unit: IndexUnit, i: number) => IndexUnit = (unit) => unit,
) {
  let offset = 0
  const records = list.map((bytes, i) => {
    const unit: IndexUnit = {
      kind: 'unit',
      track: 'video',
      flags: i === 0 ? unitFlag.randomAccess : 0,
      sizeBytes: bytes.length,
      offset,
      dtsMs: i * 40,
      ptsMs: i * 40,
      arrivalUs: 0,
      crc: crc32(bytes),
    }
    offset += bytes.length
    return encodeIndexRecord(change(unit, i))
  })
  return new IndexRecords(Buffer.concat(records))
}

describe('an index becomes a table of samples', () => {
  test('config records and the other track are no samples; a hole starts a new run', () => {
    const table = new SampleTable()
    const records = indexOf([hex('0000000167'), ...units, hex('d5d5')], (unit, i) => {
      if (i === 0) return { ...unit, kind: 'config' }
      return i === 4 ? { ...unit, track: 'audio' } : unit
    })
    appendIndex(table, records, { track: 'video', source: 3, framing: 'annexb' })
    expect(table.length).toBe(3)
    expect(table.runs).toEqual([{ first: 0, source: 3, offset: 5, framing: 'annexb', checked: true }])
    appendIndex(table, records, { track: 'video', source: 4, framing: 'annexb', skip: new Set([2]) })
    expect(table.runs.map(({ first, source, offset }) => [first, source, offset])).toEqual([
      [0, 3, 5],
      [3, 4, 5],
      [4, 4, 23],
    ])
  })

  test('duplicates are kept only where a movie begins with them', () => {
    const records = indexOf(units, (unit, i) => (i < 2 ? { ...unit, flags: unitFlag.duplicate } : unit))
    const lengths = (['keep', 'skip'] as const).map((duplicates) => {
      const table = new SampleTable()
      appendIndex(table, records, { track: 'video', source: 0, framing: 'annexb', duplicates })
      return table.length
    })
    expect(lengths).toEqual([3, 1])
  })
})

describe('reads', () => {
  const table = new SampleTable()
  appendIndex(table, indexOf(units), { track: 'video', source: 0, framing: 'annexb' })
  const [read] = new ReadCursor(table, 0, 0).until(3)
  if (!read) throw new Error('no read')

  test('one read for samples that follow each other, from any of them on', () => {
    expect(read).toMatchObject({ offset: 0, sizeBytes: 24, firstSample: 0, samples: 3 })
    expect([...new ReadCursor(table, 0, 1).until(2)]).toMatchObject([
      { offset: 6, sizeBytes: 12, samples: 1 },
    ])
  })

  test('are bounded: a long run is read in several', () => {
    const long = new SampleTable().from(0, 'raw')
    for (let i = 0; i < 5; i += 1) {
      long.push({ dtsMs: i, ptsMs: i, sizeBytes: 3 * 2 ** 20, offset: i * 3 * 2 ** 20, sync: true })
    }
    const reads = [...new ReadCursor(long, 0, 0).until(5)]
    expect(reads.map(({ samples }) => samples)).toEqual([1, 1, 1, 1, 1])
    expect(reads.map(({ offset }) => offset / 2 ** 20)).toEqual([0, 3, 6, 9, 12])
  })

  test('checked bytes become lengths', () => {
    const bytes = toMovieBytes(table, read, Buffer.concat(units), { check: true })
    expect(Buffer.from(bytes)).toEqual(hex('00000002 65aa 00000002 41bb 00000002 41cc 00000002 41dd'))
  })

  test('a damaged sample is named by its time', () => {
    const bytes = Buffer.concat(units)
    bytes[11] = 0
    expect(() => toMovieBytes(table, read, bytes, { check: true })).toThrow(/sample of 40 ms/)
    expect(() => toMovieBytes(table, read, bytes.subarray(1), { check: true })).toThrow(
      expect.objectContaining({ kind: 'DataLoss' }),
    )
  })

  test('ADTS headers go, and a frame without one is damaged', () => {
    const sound = new SampleTable().from(0, 'adts')
    const frames = hex('fff15040017ffc aabb fff15040017ffc cc')
    sound.push({ dtsMs: 0, ptsMs: 0, sizeBytes: 9, offset: 0, sync: true })
    sound.push({ dtsMs: 23, ptsMs: 23, sizeBytes: 8, offset: 9, sync: true })
    const [whole] = new ReadCursor(sound, 0, 0).until(2)
    if (!whole) throw new Error('no read')
    expect(whole.sizeBytes).toBe(17)
    expect(Buffer.from(toMovieBytes(sound, whole, Buffer.from(frames), { check: true }))).toEqual(
      hex('aabbcc'),
    )
    frames[9] = 0
    expect(() => toMovieBytes(sound, whole, frames, { check: true })).toThrow(/sample of 23 ms/)
  })
})

test('a DTS that steps back is raised, its PTS stays', () => {
  const table = new SampleTable().from(0, 'raw')
  for (const [dtsMs, ptsMs] of [
    [100, 100],
    [90, 95],
    [140, 141],
  ] as const) {
    table.push({ dtsMs, ptsMs, sizeBytes: 1, offset: 0, sync: true })
  }
  expect([0, 1, 2].map((i) => [table.dtsMs(i), table.ptsMs(i)])).toEqual([
    [100, 100],
    [100, 95],
    [140, 141],
  ])
  expect(() => table.push({ dtsMs: 2 ** 33, ptsMs: 0, sizeBytes: 1, offset: 0, sync: true })).toThrow(
    /out of range/,
  )
})
