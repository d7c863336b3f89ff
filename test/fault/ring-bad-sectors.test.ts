import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RingDb } from '../../agent/ring/ring-db.ts'
import { nodeFs } from '../../agent/ring/ring-fs.ts'
import type { SegmentRow } from '../../agent/ring/types.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { BadSectors } from '../support/bad-sectors.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { StorageRig } from '../support/storage-rig.ts'
import { syntheticPicture } from '../support/synthetic.ts'

// RELIABILITY.md A6, on a disk that says so: sectors that cannot be read (EIO) cost what was in them, and no more.

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-sectors-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const epoch = new FakeClock().nowMs()
const file = (seq: number, ext: string) => join(dir, 'ring/cam', `${epoch}-00000${seq}.${ext}`)
const pictures = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => syntheticPicture(from + i, { startMs: epoch, bytes: 3000 }))
const rows = (rig: StorageRig) => rig.call('segments', 'cam', -8e15, 8e15) as SegmentRow[]
const gaps = (rig: StorageRig) => rig.call('gaps', 'cam', -8e15, 8e15) as Gap[]

function start(fs = nodeFs, openDb = (path: string) => new RingDb(path)): StorageRig {
  const clock = new FakeClock()
  clock.advance(60_000)
  return new StorageRig({ fs, dir, clock, openDb })
}

/** Segment 1 sealed; 2 open with twenty pictures, as a kill leaves it. */
function killed(): void {
  let db: RingDb | undefined
  const rig = start(nodeFs, (path) => {
    db = new RingDb(path)
    return db
  })
  const first = rig.open({ epoch, seq: 1 })
  rig.append(first, ...pictures(0, 20))
  rig.seal(first)
  rig.append(rig.open({ epoch, seq: 2 }), ...pictures(20, 40))
  db?.[Symbol.dispose]()
}

test('in the pictures of a segment that was open: the agent starts, without those pictures', async () => {
  killed()
  const disk = new BadSectors()
  disk.add(file(2, 'h264.part'), 30_000)
  const rig = start(disk.fs)
  const [, second] = rows(rig)
  expect(second?.units).toBeGreaterThanOrEqual(17)
  expect(second?.units).toBeLessThan(20)
  expect(gaps(rig)).toMatchObject([
    { cause: 'damaged', units: 20 - (second?.units ?? 0) },
    { cause: 'crash' },
  ])
  expect(disk.count).toBe(0)
})

test('in the head of its index: it is set aside, and what it held is a gap', () => {
  killed()
  const disk = new BadSectors()
  disk.add(file(2, 'idx.part'), 0)
  const rig = start(disk.fs)
  expect(rows(rig)).toMatchObject([{ seq: 1, units: 20 }])
  expect(gaps(rig)).toEqual([{ from: epoch + 2000, to: epoch + 60_000, cause: 'crash' }])
  expect(rig.of('ready')[0]?.recovery.quarantined.map(({ name }) => name)).toEqual(
    expect.arrayContaining([`cam.${epoch}-000002.h264.part`]),
  )
})

test('in a sealed segment: its upload says so, and the repair keeps the rest', async () => {
  killed()
  const disk = new BadSectors()
  const rig = start(disk.fs)
  disk.add(file(1, 'h264'), 30_000)
  const place = { stream: 'cam', epoch, seq: 1 }
  const { size } = await stat(file(1, 'h264'))
  expect(() => rig.call('read', place, 'h264', 0, size)).toThrow(
    expect.objectContaining({ kind: 'DataLoss' }),
  )
  expect(rig.call('repair', place)).toBe(true)
  const [first] = rows(rig)
  expect(first?.units).toBeGreaterThanOrEqual(17)
  expect(rig.of('lost').map(({ gap }) => gap)).toMatchObject([
    { cause: 'damaged', units: 20 - (first?.units ?? 0) },
  ])
  expect(rig.call('read', place, 'h264', 0, size)).toHaveLength(size)
})

test('in the manifests, when the index has to be made again', async () => {
  killed()
  await rm(join(dir, 'agent.db'))
  const disk = new BadSectors()
  disk.add(file(1, 'json'), 0)
  const rig = start(disk.fs)
  expect(rows(rig)).toMatchObject([
    { seq: 1, units: 20 },
    { seq: 2, units: 20 },
  ])
})

test('in the file of a recording: it is written again from the index', async () => {
  const stream = { name: 'cam', from: epoch, to: null, segments: [], gaps: [] }
  const about = { version: 1, id: 'take', agent: 'lab', rev: 1, state: 'open', labels: [], createdAt: epoch }
  const first = start()
  first.call('saveRecording', { ...about, from: epoch, to: null, streams: [stream] })
  first.storage[Symbol.dispose]()
  const disk = new BadSectors()
  const path = join(dir, 'recordings/take.json')
  disk.add(path, 0)
  const rig = start(disk.fs)
  expect(rig.call('recording', 'take')).toMatchObject({ id: 'take', state: 'open' })
  expect(JSON.parse((await readFile(path)).toString())).toMatchObject({ id: 'take' })
})

test('in agent.db: it is made again from the files', () => {
  killed()
  let tries = 0
  const rig = start(nodeFs, (path) => {
    tries += 1
    const unread = { code: 'ERR_SQLITE_ERROR', errcode: 266, errstr: 'disk I/O error' }
    if (tries === 1) throw Object.assign(new Error('disk I/O error'), unread)
    return new RingDb(path)
  })
  expect(existsSync(join(dir, 'agent.db.damaged'))).toBe(true)
  expect(rows(rig)).toMatchObject([{ seq: 1 }, { seq: 2 }])
})

test('a disk that takes no write in their place either is a failure of the disk, and nothing is thrown away', () => {
  killed()
  const disk = new BadSectors()
  disk.add(file(2, 'h264.part'), 30_000)
  const dead = () => {
    throw Object.assign(new Error('EIO: write'), { code: 'EIO' })
  }
  expect(() => start({ ...disk.fs, write: dead })).toThrow(/EIO/)
  expect(rows(start())).toMatchObject([
    { seq: 1, units: 20 },
    { seq: 2, units: 20 },
  ])
})
