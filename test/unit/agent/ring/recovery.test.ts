import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RingDb } from '../../../../agent/ring/ring-db.ts'
import { nodeFs } from '../../../../agent/ring/ring-fs.ts'
import type { PendingUploads, SegmentRow } from '../../../../agent/ring/types.ts'
import type { Gap } from '../../../../shared/contract/segment.ts'
import { encodeIndexHeader, parseIndex } from '../../../../shared/media/index.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { openHere } from '../../../support/killed-recorder.ts'
import { StorageRig } from '../../../support/storage-rig.ts'
import { readLabels, syntheticPicture } from '../../../support/synthetic.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-recovery-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const epoch = new FakeClock().nowMs()
const name = (seq: number) => `${epoch}-00000${seq}`
const file = (seq: number, ext: string) => join(dir, 'ring/cam', `${name(seq)}.${ext}`)
const pictures = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => syntheticPicture(from + i, { startMs: epoch }))
const start = (openDb = (path: string) => new RingDb(path)) => {
  const clock = new FakeClock()
  clock.advance(60_000)
  return new StorageRig({ fs: nodeFs, dir, clock, openDb })
}
const rows = (rig: StorageRig) => rig.call('segments', 'cam', -8e15, 8e15) as SegmentRow[]
const gaps = (rig: StorageRig) => rig.call('gaps', 'cam', -8e15, 8e15) as Gap[]

/** Segment 1 sealed; 2 open with ten pictures, as a kill leaves it. */
function killed(): void {
  let db: RingDb | undefined
  const rig = start((path) => {
    db = new RingDb(path)
    return db
  })
  const first = rig.open({ epoch, seq: 1 })
  rig.append(first, ...pictures(0, 10))
  rig.seal(first)
  rig.append(rig.open({ epoch, seq: 2 }), ...pictures(10, 20))
  db?.[Symbol.dispose]() // The operating system lets go of its locks.
}

test('an open segment is sealed with all it holds; the gap of the crash begins at its end', () => {
  killed()
  const rig = start()
  expect(rows(rig)).toMatchObject([
    { seq: 1, units: 10 },
    { seq: 2, units: 10, from: epoch + 1000, to: epoch + 2000 },
  ])
  expect(gaps(rig)).toEqual([{ from: epoch + 2000, to: epoch + 60_000, cause: 'crash' }])
  expect(rig.of('ready')).toMatchObject([{ tails: [['cam', epoch + 2000]], recovery: { sealed: 1 } }])
})

test.each([
  ['a torn picture', 'h264.part', (size: number) => size - 10, 9],
  ['a torn record', 'idx.part', (size: number) => size - 10, 9],
  ['three lost records', 'idx.part', (size: number) => size - 48 * 3, 7],
  ['half of the pictures lost', 'h264.part', (size: number) => Math.floor(size / 2), 4],
])('A5: %s at the end costs what is torn and no more', async (_name, ext, cut, units) => {
  killed()
  const path = file(2, ext)
  await truncate(path, cut((await readFile(path)).length))
  const rig = start()
  expect(rows(rig).at(-1)).toMatchObject({ seq: 2, units })
  const media = await readFile(file(2, 'h264'))
  expect(readLabels(media)).toHaveLength(units)
  const { records, tail } = parseIndex(await readFile(file(2, 'idx')))
  expect({ records: records.length, tail }).toEqual({ records: units + 1, tail: undefined })
})

test('A6: a flipped bit in the middle costs its picture, in a gap; the others stay', async () => {
  killed()
  const bytes = await readFile(file(2, 'h264.part'))
  const middle = Math.floor(bytes.length * 0.45)
  bytes[middle] = (bytes[middle] ?? 0) ^ 4
  await writeFile(file(2, 'h264.part'), bytes)
  const rig = start()
  expect(rows(rig).at(-1)).toMatchObject({ seq: 2, units: 9 })
  const manifest = JSON.parse(await readFile(file(2, 'json'), 'utf8'))
  expect(manifest.gaps).toMatchObject([{ cause: 'damaged', units: 1 }])
  expect(gaps(rig).map(({ cause }) => cause)).toEqual(['damaged', 'crash'])
})

test('A6: a flipped bit in an index record ends it there', async () => {
  killed()
  const bytes = await readFile(file(2, 'idx.part'))
  const at = bytes.length - 48 * 4 + 20
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(file(2, 'idx.part'), bytes)
  expect(rows(start()).at(-1)).toMatchObject({ seq: 2, units: 6 })
})

test('A5: what cannot be a segment is set aside with a reason, and the others are not touched', async () => {
  killed()
  await writeFile(file(3, 'h264.part'), '')
  await writeFile(file(4, 'idx.part'), '')
  await writeFile(file(5, 'idx.part'), Buffer.alloc(5000, 7))
  await writeFile(file(6, 'h264'), 'no index')
  await writeFile(join(dir, 'ring/cam/notes.txt'), 'hello')
  await writeFile(join(dir, 'ring/stray.bin'), 'hello')
  const other = encodeIndexHeader(parseIndex(await readFile(file(1, 'idx'))).header)
  await writeFile(file(7, 'idx.part'), other)
  const rig = start()
  expect(rows(rig).map(({ seq, units }) => [seq, units])).toEqual([
    [1, 10],
    [2, 10],
  ])
  const quarantine = join(dir, 'ring/_quarantine')
  const set = (await readdir(quarantine)).filter((entry) => !entry.endsWith('.reason')).sort()
  expect(set).toEqual([
    `cam.${name(3)}.h264.part`,
    `cam.${name(4)}.idx.part`,
    `cam.${name(5)}.idx.part`,
    `cam.${name(6)}.h264`,
    `cam.${name(7)}.idx.part`,
    'cam.notes.txt',
    'stray.bin',
  ])
  const reason = await readFile(join(quarantine, `cam.${name(7)}.idx.part.reason`), 'utf8')
  expect(reason).toBe('the index is of another segment\n')
  expect(start().of('ready')).toMatchObject([{ recovery: { sealed: 0, adopted: 0, quarantined: [] } }])
})

test('a header without units leaves nothing behind', async () => {
  killed()
  await writeFile(file(2, 'h264.part'), '')
  start()
  expect((await readdir(join(dir, 'ring/cam'))).sort()).toEqual([
    `${name(1)}.h264`,
    `${name(1)}.idx`,
    `${name(1)}.json`,
  ])
})

test.each(['deleted', 'overwritten with garbage', 'cut in half', 'empty'])(
  'A7: agent.db %s while stopped is made again: segments, gaps, claims and what they want',
  async (damage) => {
    killed()
    const first = start()
    const claim = {
      version: 1,
      id: 'take',
      agent: 'lab',
      rev: 3,
      state: 'closed',
      labels: [],
      createdAt: epoch,
    }
    const stream = { name: 'cam', from: epoch, to: epoch + 1000, segments: [], gaps: [] }
    first.call('saveRecording', { ...claim, from: epoch, to: epoch + 1000, streams: [stream] })
    const before = { rows: rows(first), recordings: first.call('recordings') }
    first.storage[Symbol.dispose]()
    const database = join(dir, 'agent.db')
    const size = (await readFile(database)).length
    if (damage === 'deleted') await rm(database)
    else if (damage === 'empty') await truncate(database, 0)
    else if (damage === 'cut in half') await truncate(database, size / 2)
    else await writeFile(database, Buffer.alloc(size, 0x55))

    const rig = start()
    expect(rows(rig)).toEqual(before.rows)
    expect(rig.call('recordings')).toEqual(before.recordings)
    const { segments, recordings } = rig.call('pendingUploads', 10) as PendingUploads
    expect(segments.map(({ seq, files }) => [seq, files.map(({ ext }) => ext)])).toEqual([
      [1, ['h264', 'idx', 'json']],
    ])
    expect(recordings).toMatchObject([{ id: 'take', rev: 3 }])
    expect(rig.of('ready')).toMatchObject([{ epochs: [['cam', epoch]] }])
  },
)

test('a recording file that is damaged is written again from its row', async () => {
  const rig = start()
  const claim = {
    version: 1,
    id: 'take',
    agent: 'lab',
    rev: 1,
    state: 'open',
    labels: [],
    createdAt: epoch,
    from: epoch,
  }
  const stream = { name: 'cam', from: epoch, to: null, segments: [], gaps: [] }
  rig.call('saveRecording', { ...claim, to: null, streams: [stream] })
  rig.storage[Symbol.dispose]()
  await truncate(join(dir, 'recordings/take.json'), 0)
  const again = start()
  expect(again.call('recording', 'take')).toMatchObject({ rev: 1 })
  expect(JSON.parse(await readFile(join(dir, 'recordings/take.json'), 'utf8'))).toMatchObject({ id: 'take' })
})

test('an older revision does not take the place of a newer one', () => {
  const rig = start()
  const claim = {
    version: 1,
    id: 'take',
    agent: 'lab',
    state: 'open',
    labels: [],
    createdAt: epoch,
    from: epoch,
  }
  const stream = { name: 'cam', from: epoch, to: null, segments: [], gaps: [] }
  rig.call('saveRecording', { ...claim, rev: 2, to: null, streams: [stream] })
  const older = () => rig.call('saveRecording', { ...claim, rev: 1, to: null, streams: [stream] })
  expect(older).toThrow(/newer/)
  expect(() => rig.call('saveRecording', { ...claim, id: '../x', rev: 1 })).toThrow(/not a recording/)
})

test('a segment whose files vanished while the agent was stopped is a gap', async () => {
  killed()
  start().storage[Symbol.dispose]()
  for (const ext of ['h264', 'idx', 'json']) await rm(file(1, ext))
  const rig = start()
  expect(rows(rig).map(({ seq }) => seq)).toEqual([2])
  expect(rig.storage.report.lost).toMatchObject([
    { gap: { from: epoch, to: epoch + 1000, cause: 'disk-error', units: 10 } },
  ])
})

test('a manifest whose media was cut is not believed', async () => {
  killed()
  start().storage[Symbol.dispose]()
  await rm(join(dir, 'agent.db'))
  await truncate(file(1, 'h264'), 1000)
  const rig = start()
  expect(rows(rig)).toMatchObject([{ seq: 1 }, { seq: 2, units: 10 }])
  expect(rows(rig)[0]?.units).toBeLessThan(10)
  expect(existsSync(join(dir, `ring/_quarantine/cam.${name(1)}.json`))).toBe(true)
})

test.each([
  ['in the middle', 0.45, 9, [{ cause: 'damaged', units: 1 }]],
  ['at the end', 0.99, 9, [{ from: epoch + 900, to: epoch + 1000, cause: 'damaged', units: 1 }]],
])(
  'A6: a sealed segment with a flipped bit %s is sealed again without its picture',
  async (_name, share, units, lost) => {
    killed()
    const rig = start()
    const bytes = await readFile(file(1, 'h264'))
    const at = Math.floor(bytes.length * share)
    bytes[at] = (bytes[at] ?? 0) ^ 4
    await writeFile(file(1, 'h264'), bytes)
    expect(rig.call('repair', { stream: 'cam', epoch, seq: 1 })).toBe(true)
    expect(rows(rig)).toMatchObject([
      { seq: 1, units },
      { seq: 2, units: 10 },
    ])
    expect(rig.of('lost').map(({ gap }) => gap)).toMatchObject(lost)
    rig.storage[Symbol.dispose]()
    expect(rows(start())).toMatchObject([
      { seq: 1, units },
      { seq: 2, units: 10 },
    ])
  },
)

test('A6: nothing can be read of a sealed segment whose index is gone: it is a gap', async () => {
  killed()
  const rig = start()
  await writeFile(file(1, 'idx'), Buffer.alloc(500, 1))
  expect(rig.call('repair', { stream: 'cam', epoch, seq: 1 })).toBe(false)
  expect(rows(rig)).toMatchObject([{ seq: 2 }])
  expect(rig.of('lost')).toMatchObject([
    { gap: { from: epoch, to: epoch + 1000, cause: 'damaged', units: 10 } },
  ])
})

test('A15: the ring of another agent is refused, in words', async () => {
  start().storage[Symbol.dispose]()
  const owner = join(dir, 'ring/_agent.json')
  await writeFile(owner, JSON.stringify({ uuid: '00000000-0000-4000-8000-000000000002', name: 'garage' }))
  await expect(openHere(dir)).rejects.toMatchObject({ kind: 'FailedPrecondition', message: /garage/ })
  await rename(owner, `${owner}.old`)
  await using ring = await openHere(dir)
  expect(ring.stats().segments).toBe(0)
})
