import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layoutOf, type SegmentPlace } from '../../agent/ring/names.ts'
import { RingDb, type StoredSegment } from '../../agent/ring/ring-db.ts'
import { sumOf } from '../../agent/ring/write-durably.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { parseIndex } from '../../shared/media/index.ts'
import { CrashFs, PowerCut } from '../support/crash-fs.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { StorageRig } from '../support/storage-rig.ts'
import { readLabels, syntheticPicture } from '../support/synthetic.ts'

/**
 * RELIABILITY.md A3, A4: a power cut before any operation on files or the index, in any state that the file system
 * may legally leave; then another one during recovery. Afterwards names, files and rows agree, and nothing that had
 * been promised is gone.
 */

/** Commits are steps like any other; what was committed is durable (WAL, synchronous=FULL). */
class SteppedDb extends RingDb {
  readonly #step: { now: () => void }
  constructor(step: { now: () => void }) {
    super(':memory:')
    this.#step = step
  }
  override transaction<T>(work: () => T): T {
    this.#step.now()
    return super.transaction(work)
  }
  override setDeleting(place: SegmentPlace): void {
    this.#step.now()
    super.setDeleting(place)
  }
  override setGone(place: SegmentPlace): void {
    this.#step.now()
    super.setGone(place)
  }
  override removeSegment(place: SegmentPlace): void {
    this.#step.now()
    super.removeSegment(place)
  }
}

type Promised = {
  /** Numbers of pictures by stream that a sync has covered. */
  durable: Map<string, Set<number>>
  written: Map<string, Set<number>>
  uploaded: Map<string, StoredSegment>
  /** Revision of each recording whose save was answered. */
  saved: Map<string, number>
}

const streams = ['door', 'yard']
const layout = layoutOf('/data')
const nameOf = ({ stream, epoch, seq }: SegmentPlace) => `${stream} ${epoch}-${seq}`

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      stream: fc.nat(1),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('seal' as const), stream: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('sync' as const, 'upload' as const, 'fill' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('claim' as const), id: fc.nat(1), closed: fc.boolean() }),
  },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const startMs = new FakeClock().nowMs()

/** Runs until the power goes. What was promised before is in `promised`. */
function work(fs: CrashFs, rig: StorageRig, operations: readonly Operation[], promised: Promised): void {
  const open = new Map<string, number>()
  const numbers = new Map<number, number[]>()
  const next = new Map(streams.map((stream) => [stream, 0]))
  const seqs = new Map(streams.map((stream) => [stream, 0]))
  const syncAll = () => {
    for (const stream of streams) {
      const durable = promised.durable.get(stream)
      for (const n of promised.written.get(stream) ?? []) durable?.add(n)
    }
  }
  for (const op of operations) {
    const stream = streams['stream' in op ? op.stream : 0] ?? 'door'
    if (op.do === 'append') {
      const slot = open.get(stream) ?? rig.open({ stream, epoch: startMs, seq: bump(seqs, stream) })
      open.set(stream, slot)
      const written = promised.written.get(stream)
      const own = numbers.get(slot) ?? []
      numbers.set(slot, own)
      for (let i = 0; i < op.count; i += 1) {
        const n = bump(next, stream)
        rig.append(slot, syntheticPicture(n, { stream, bytes: 60, startMs }))
        own.push(n)
        written?.add(n)
      }
      const failed = rig.of('failed').find((message) => message.slot === slot)
      if (!failed) continue
      for (const n of own.slice(failed.failure.written)) written?.delete(n)
      open.delete(stream)
      rig.seal(slot)
    } else if (op.do === 'seal') {
      const slot = open.get(stream)
      if (slot === undefined) continue
      open.delete(stream)
      rig.seal(slot)
    } else if (op.do === 'sync') {
      rig.settle()
      fs.mustRun()
      syncAll()
    } else if (op.do === 'upload') {
      const places = streams.flatMap((name) => rig.call('segments', name, -8e15, 8e15) as StoredSegment[])
      const some = places.slice(0, 2).map(({ stream: of, epoch, seq }) => ({ stream: of, epoch, seq }))
      rig.call('markUploaded', some, [])
      fs.mustRun()
      for (const place of places.slice(0, 2)) promised.uploaded.set(nameOf(place), place)
    } else if (op.do === 'claim') {
      const id = `take-${op.id}`
      const rev = (promised.saved.get(id) ?? 0) + 1
      rig.call('saveRecording', recordingOf(id, rev, op.closed))
      fs.mustRun()
      promised.saved.set(id, rev)
    }
    // `fill` is only a pressure on the quota, which is small.
  }
}

function bump(counts: Map<string, number>, key: string): number {
  const value = (counts.get(key) ?? 0) + 1
  counts.set(key, value)
  return value
}

function recordingOf(id: string, rev: number, closed: boolean): Recording {
  const to = closed ? startMs + 1000 : null
  const state = closed ? 'closed' : 'open'
  const list = [{ name: 'door', from: startMs, to, segments: [], gaps: [] }]
  return {
    version: 1,
    id,
    agent: 'lab',
    rev,
    state,
    labels: [],
    createdAt: startMs,
    from: startMs,
    to,
    streams: list,
  }
}

/** A rig whose calls throw PowerCut instead of answering with an error. */
function start(fs: CrashFs, db: RingDb, quotaBytes: number): StorageRig {
  const clock = new FakeClock()
  clock.advance(100_000)
  return new StorageRig({ fs, openDb: () => db, clock, quotaBytes })
}

function untilCut(run: () => void): boolean {
  try {
    run()
    return false
  } catch (error) {
    if (error instanceof PowerCut || (error instanceof Error && error.message.startsWith('step ')))
      return true
    throw error
  }
}

function readAll(fs: CrashFs, path: string): Uint8Array {
  const fd = fs.open(path, 'read')
  const bytes = new Uint8Array(fs.size(fd))
  fs.read(fd, bytes, 0)
  fs.close(fd)
  return bytes
}

/** Names, files and rows agree; returns the pictures that are there. */
function inspect(fs: CrashFs, db: RingDb): Map<string, number[]> {
  const found = new Map<string, number[]>()
  const rows = streams.flatMap((stream) => db.segments(stream, -8e15, 8e15))
  const expected = new Set(rows.flatMap((row) => namesOfRow(row)))
  for (const stream of streams) {
    for (const { name } of fs.list(layout.stream(stream))) expect(expected).toContain(`${stream}/${name}`)
  }
  expect(fs.list(layout.recordings).filter(({ name }) => name.endsWith('.tmp'))).toEqual([])
  for (const row of rows.filter(({ local }) => local)) {
    for (const file of row.files) {
      const { sizeBytes, sha256 } = sumOf(readAll(fs, layout.segment(row, file.ext)))
      expect({ ...file, sizeBytes, sha256 }).toEqual(file)
    }
    const index = parseIndex(readAll(fs, layout.segment(row, 'idx')))
    const pictures = readLabels(readAll(fs, layout.segment(row, 'h264')))
    expect(pictures.length).toBe([...index.records].filter(({ kind }) => kind === 'unit').length)
    found.set(row.stream, [...(found.get(row.stream) ?? []), ...pictures.map(({ n }) => n)])
  }
  return found
}

function namesOfRow(row: StoredSegment): string[] {
  const name = layout.segment(row, '').slice(layout.ring.length + 1)
  return row.local ? row.files.map(({ ext }) => `${name}${ext}`) : [`${name}gone`]
}

const parameters = fc.record({
  operations: fc.array(operation, { minLength: 5, maxLength: 40, size: 'max' }),
  cut: fc.nat(400),
  cutInRecovery: fc.option(fc.nat(40), { nil: undefined }),
  draws: fc.infiniteStream(fc.nat(1_000_000)),
  smallQuota: fc.boolean(),
  loseIndex: fc.boolean(),
})

test('no power cut breaks a promise', () => {
  let cuts = 0
  fc.assert(
    fc.property(parameters, ({ operations, cut, cutInRecovery, draws, smallQuota, loseIndex }) => {
      const choose = (n: number) => (draws.next().value ?? 0) % n
      const quotaBytes = smallQuota ? 9000 : 1e9
      const promised: Promised = {
        durable: new Map(streams.map((stream) => [stream, new Set()])),
        written: new Map(streams.map((stream) => [stream, new Set()])),
        ...{ uploaded: new Map(), saved: new Map() },
      }
      let fs = new CrashFs()
      const step = { now: () => fs.step() }
      fs.mkdir('/data')
      let db: RingDb = new SteppedDb(step)
      fs.cutAt = cut
      let rig: StorageRig | undefined
      const wasCut = untilCut(() => {
        rig = start(fs, db, quotaBytes)
        fs.mustRun()
        work(fs, rig, operations, promised)
      })
      if (wasCut) cuts += 1
      const lost = rig?.of('lost').map(({ stream, gap }) => ({ stream, gap })) ?? []
      fs = fs.crashed(choose)
      if (loseIndex) db = new SteppedDb(step)
      if (cutInRecovery !== undefined) {
        fs.cutAt = cutInRecovery
        const recover = () => {
          start(fs, db, quotaBytes)
          fs.mustRun()
        }
        if (untilCut(recover)) fs = fs.crashed(choose)
        fs.cutAt = Number.POSITIVE_INFINITY
      }
      start(fs, db, quotaBytes)

      const found = inspect(fs, db)
      for (const stream of streams) {
        const numbers = found.get(stream) ?? []
        expect(new Set(numbers).size).toBe(numbers.length)
        const recycled = db.gaps(stream, -8e15, 8e15).filter(({ cause }) => cause === 'recycled')
        for (const n of promised.durable.get(stream) ?? []) {
          if (numbers.includes(n)) continue
          const at = startMs + n * 100
          const inGap = [
            ...recycled,
            ...lost.filter((other) => other.stream === stream).map(({ gap }) => gap),
          ]
          const told = inGap.some(({ from, to }) => from <= at && at <= to)
          const gone = [...promised.uploaded.values()].some(
            (row) => row.stream === stream && row.from <= at && at < row.to,
          )
          expect({ stream, n, told: told || gone }).toEqual({ stream, n, told: true })
        }
      }
      if (!loseIndex) {
        for (const row of streams.flatMap((stream) => db.segments(stream, -8e15, 8e15))) {
          // A claim that came behind the upload asks for it again.
          if (promised.uploaded.has(nameOf(row))) expect(row.uploaded || row.doubted).toBe(true)
        }
      }
      const after = start(fs, db, quotaBytes)
      for (const [id, rev] of promised.saved) {
        expect((after.call('recording', id) as Recording | undefined)?.rev ?? 0).toBeGreaterThanOrEqual(rev)
      }
    }),
    { numRuns: Number(process.env.EDGEREEL_CUTS ?? 400) },
  )
  expect(cuts).toBeGreaterThan(50)
})
