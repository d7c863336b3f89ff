import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StreamRecorder } from '../../agent/record/recorder.ts'
import { RingDb } from '../../agent/ring/ring-db.ts'
import type { SegmentRow } from '../../agent/ring/types.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { parseIndex } from '../../shared/media/index.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { FaultyFs } from '../support/faulty-fs.ts'
import { openHere, picturesIn } from '../support/killed-recorder.ts'
import { StorageRig } from '../support/storage-rig.ts'
import { syntheticPicture } from '../support/synthetic.ts'

let dir = ''
let mounted = false
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-disk-'))
  mounted = false
})
afterEach(async () => {
  if (mounted) execFileSync('umount', ['-l', dir])
  await rm(dir, { recursive: true, force: true })
})

const epoch = 1_772_366_400_000
const pictures = (from: number, to: number, bytes = 200) =>
  Array.from({ length: to - from }, (_, i) => syntheticPicture(from + i, { bytes }))
const speech: AudioConfig = {
  ...{ track: 'audio', codec: 'g711a', specificConfig: new Uint8Array(0), sampleRate: 8000, channels: 1 },
  ...{ frameSamples: 0, codecString: 'g711a' },
}
const spoken: AccessUnit = {
  ...{ track: 'audio', config: speech, nalUnits: [new Uint8Array(160)], sizeBytes: 160, idr: false },
  ...{ randomAccess: true, dtsMs: epoch, ptsMs: epoch, arrivalMs: 1500, epoch: 0, timeSource: 'device' },
}
const rows = (rig: StorageRig) => rig.call('segments', 'cam', -8e15, 8e15) as SegmentRow[]

test('A10: a failed sync is fatal for what it was to cover, and never asked again', () => {
  const faulty = new FaultyFs()
  const rig = new StorageRig({ fs: faulty.fs, dir })
  const slot = rig.open({ epoch, seq: 1 })
  rig.append(slot, ...pictures(0, 10))
  rig.settle()
  rig.append(slot, ...pictures(10, 15))
  faulty.failing.set('datasync', 'EIO')
  rig.settle()
  expect(rig.of('failed')).toEqual([
    { type: 'failed', slot, failure: { cause: 'disk-error', written: 10, keptToMs: epoch + 1000 } },
  ])
  expect(rig.of('alarm').at(-1)?.alarm).toBe('the disk failed: EIO')
  faulty.failing.clear()
  rig.append(slot, ...pictures(15, 16)) // On its way when the sync failed.
  rig.seal(slot)
  expect(rows(rig)).toMatchObject([{ seq: 1, units: 10 }])
  rig.settle(1001)
  expect(rig.of('blocked').map(({ cause }) => cause)).toEqual(['disk-error', undefined])
  expect(rig.of('alarm').at(-1)?.alarm).toBeUndefined()
})

test('A10: a disk that becomes read-only, and comes back', () => {
  const faulty = new FaultyFs()
  const rig = new StorageRig({ fs: faulty.fs, dir })
  const slot = rig.open({ epoch, seq: 1 })
  rig.append(slot, ...pictures(0, 10))
  for (const operation of ['open', 'write', 'truncate', 'rename', 'unlink'] as const) {
    faulty.failing.set(operation, 'EROFS')
  }
  rig.append(slot, ...pictures(10, 11))
  rig.seal(slot)
  expect(rig.of('failed')).toMatchObject([{ failure: { cause: 'disk-error', written: 10 } }])
  expect(rig.of('alarm').at(-1)?.alarm).toBe('the disk is read-only')
  rig.settle(1001)
  expect(rig.of('sealed')).toEqual([])
  faulty.failing.clear()
  rig.settle(1001)
  rig.settle(1001)
  expect(rig.of('sealed')).toMatchObject([{ manifest: { video: { units: 10 } } }])
  expect(rig.of('alarm').at(-1)?.alarm).toBeUndefined()
})

test('a sync that fails while sealing keeps what was synced before', () => {
  const faulty = new FaultyFs()
  const rig = new StorageRig({ fs: faulty.fs, dir })
  const slot = rig.open({ epoch, seq: 1 })
  rig.append(slot, ...pictures(0, 10))
  rig.settle()
  rig.append(slot, ...pictures(10, 15))
  faulty.failing.set('sync', 'EIO')
  rig.seal(slot)
  expect(rig.of('sealed')).toEqual([])
  faulty.failing.clear()
  rig.settle(1001)
  rig.settle(1001)
  expect(rig.of('sealed')).toMatchObject([{ slot, manifest: { video: { units: 10 } } }])
})

test.each([
  ['names', 'syncDirectory', 0, 'EIO'],
  ['the index', 'datasync', 1, 'EIO'],
] as const)(
  'A10: a sync that fails at %s: files and manifest say the same',
  async (_name, operation, spare, code) => {
    const faulty = new FaultyFs()
    const rig = new StorageRig({ fs: faulty.fs, dir })
    const first = rig.open({ epoch, seq: 1, audio: speech })
    rig.append(first, ...pictures(0, 10))
    rig.settle()
    rig.append(first, ...pictures(10, 15), spoken) // The first sound: a file with a new name.
    faulty.spare = spare
    faulty.failing.set(operation, code)
    rig.settle()
    faulty.failing.clear()
    rig.seal(first)
    const manifest = rig.of('sealed').find(({ slot }) => slot === first)?.manifest
    expect(rig.of('failed')).toMatchObject([{ failure: { written: manifest?.video?.units } }])
    const index = parseIndex(await readFile(join(dir, `ring/cam/${epoch}-000001.idx`)))
    expect(index.records.length).toBe(manifest?.index.records)
  },
)

test('A8: no space, but something may be recycled: nothing is lost', () => {
  const faulty = new FaultyFs()
  const rig = new StorageRig({ fs: faulty.fs, dir })
  const old = rig.open({ epoch, seq: 1 })
  rig.append(old, ...pictures(0, 10))
  rig.seal(old)
  const slot = rig.open({ epoch, seq: 2 })
  // The second operation of this append finds no space; what was recycled makes some.
  faulty.failing.set('write', 'ENOSPC')
  const unlink = faulty.fs.unlink
  faulty.fs.unlink = (path) => {
    unlink(path)
    faulty.failing.clear()
  }
  faulty.spare = 1
  rig.append(slot, ...pictures(10, 20))
  rig.seal(slot)
  expect(rig.of('failed')).toEqual([])
  expect(rows(rig)).toMatchObject([{ seq: 2, units: 10 }])
  expect(rig.of('lost')).toMatchObject([{ gap: { cause: 'recycled', units: 10 } }])
})

test('A8: the quota is used up and the policy is to stop', () => {
  const rig = new StorageRig({ fs: new FaultyFs().fs, dir, quotaBytes: 30_000, whenFull: 'stop' })
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
  for (let seq = 1; seq < 6; seq += 1) {
    const slot = rig.open({ epoch, seq })
    rig.append(slot, ...pictures(seq * 20, seq * 20 + 20))
    rig.seal(slot)
  }
  expect(rows(rig).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  expect(rig.of('failed')).toMatchObject([{ failure: { cause: 'disk-full', written: 0 } }])
  expect(rig.of('alarm').at(-1)?.alarm).toBe('the quota of the ring is used up')
  rig.settle(1001)
  expect(rig.of('blocked').map(({ cause }) => cause)).toEqual(['disk-full'])
  const place = { stream: 'cam', epoch, seq: 1 }
  rig.call('markUploaded', [place], [])
  rig.settle(1001)
  expect(rig.of('blocked').at(-1)?.cause).toBeUndefined()
  const slot = rig.open({ epoch, seq: 6 })
  rig.append(slot, ...pictures(200, 210))
  rig.seal(slot)
  // The first is in the store: its row stays for the claim, its bytes are gone, and nothing is lost.
  expect(rows(rig).map(({ seq, local }) => ({ seq, local }))).toMatchObject([
    { seq: 1, local: false },
    { seq: 2, local: true },
    { seq: 3, local: true },
    { seq: 4, local: true },
    { seq: 6, local: true },
  ])
  expect(rig.of('lost')).toEqual([])
})

test('what is recycled first: uploaded, unclaimed, and claimed only if told to, with an alarm', () => {
  const rig = new StorageRig({ fs: new FaultyFs().fs, dir, quotaBytes: 30_000, db: new RingDb(':memory:') })
  const stream = { name: 'cam', from: epoch, to: epoch + 4000, segments: [], gaps: [] }
  const claim = {
    version: 1,
    id: 'take',
    agent: 'lab',
    rev: 1,
    state: 'closed',
    labels: [],
    createdAt: epoch,
  }
  rig.call('saveRecording', { ...claim, from: epoch, to: epoch + 4000, streams: [stream] })
  const record = (seq: number) => {
    const slot = rig.open({ epoch, seq })
    rig.append(slot, ...pictures(seq * 20, seq * 20 + 20))
    rig.seal(slot)
  }
  for (const seq of [0, 1, 2]) record(seq) // 0 and 1 are claimed, 2 is not.
  record(3)
  expect(rows(rig).map(({ seq }) => seq)).toEqual([0, 1, 3])
  rig.call('markUploaded', [{ stream: 'cam', epoch, seq: 1 }], [])
  record(4)
  expect(
    rows(rig)
      .filter(({ local }) => local)
      .map(({ seq }) => seq),
  ).toEqual([0, 3, 4])
  record(5)
  record(6)
  record(7)
  rig.settle(1001)
  expect(rig.of('alarm')).toEqual([])
  rig.call('setPolicy', 'cam', 'always') // Now all are wanted.
  record(8)
  rig.settle(1001)
  expect(rig.of('alarm').at(-1)?.alarm).toMatch(/overwritten/)
  expect(rig.of('lost').map(({ gap }) => gap.cause)).toEqual(Array(rig.of('lost').length).fill('recycled'))
})

/** A small disk that can be filled: tmpfs, which only root may mount. */
function mount(options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir], { stdio: 'ignore' })
    mounted = true
  } catch {
    mounted = false
  }
  return mounted
}

/** Records until told; the recorder is never asked to wait. */
async function recordWhile(work: (recorder: StreamRecorder, gaps: Gap[], alarms: string[]) => Promise<void>) {
  await using ring = await openHere(dir)
  const alarms: string[] = []
  ring.onAlarm((alarm) => alarms.push(alarm ?? 'well'))
  const gaps: Gap[] = []
  const clock = systemClock
  const recorder = new StreamRecorder('cam', {
    ring,
    clock,
    segmentMs: 500,
    onGap: (_stream, gap) => gaps.push(gap),
  })
  const over = new AbortController()
  const startMs = clock.nowMs()
  const startMonotonicMs = clock.monotonicMs()
  const writing = (async () => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      recorder.write(syntheticPicture(n, { startMs, startMonotonicMs, frameMs: 10, bytes: 2000 }))
      await clock.sleep(10)
    }
  })()
  await work(recorder, gaps, alarms)
  over.abort()
  await writing
  recorder.end('over')
  await recorder.flushNow()
  const { accepted, written, lost } = recorder.stats
  expect(accepted).toBe(written + lost)
  // A look at the disk between the filling and the next write makes room by the policy.
  const recycled = (await ring.gaps({ stream: 'cam' })).filter(({ cause }) => cause === 'recycled')
  const gone = recycled.reduce((sum, gap) => sum + (gap.units ?? 0), 0)
  expect((await picturesIn(ring, 'cam')).length).toBe(written - gone)
  expect(gaps.reduce((sum, gap) => sum + (gap.units ?? 0), 0)).toBe(lost)
  return { gaps, alarms, lost }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(20)
}

test('A8: a disk that others fill, and free again', async ({ skip }) => {
  if (!mount('size=8m')) skip('only root can mount a small disk')
  const { gaps, alarms } = await recordWhile(async (recorder, _gaps, told) => {
    await until(() => recorder.stats.segments >= 2)
    const filler = join(dir, 'filler')
    await writeFile(filler, new Uint8Array(8 * 1024 * 1024)).catch(() => {})
    await until(() => told.some((alarm) => alarm.startsWith('disk full')))
    await rm(filler)
    const before = recorder.stats.segments
    const freed = systemClock.monotonicMs()
    await until(() => recorder.stats.segments > before + 1)
    expect(systemClock.monotonicMs() - freed).toBeLessThan(8000)
  })
  expect(gaps.some(({ cause }) => cause === 'disk-full' || cause === 'recycled')).toBe(true)
  expect(alarms.at(-1)).toBe('well')
})

test('A9: no inodes left, though there is space', async ({ skip }) => {
  if (!mount('size=64m,nr_inodes=300')) skip('only root can mount a small disk')
  const { alarms } = await recordWhile(async (recorder, _gaps, told) => {
    await until(() => recorder.stats.segments >= 2)
    const names = Array.from({ length: 300 }, (_, i) => join(dir, `filler-${i}`))
    await Promise.allSettled(names.map((name) => writeFile(name, '')))
    await until(() => told.includes('disk full: inodes'))
    await Promise.allSettled(names.map((name) => rm(name, { force: true })))
    await until(() => told.at(-1) === 'well')
    const before = recorder.stats.segments
    await until(() => recorder.stats.segments > before + 1)
  })
  expect(alarms).toEqual(['disk full: inodes', 'well'])
})
