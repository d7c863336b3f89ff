import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StreamRecorder } from '../../../../agent/record/recorder.ts'
import type { Gap } from '../../../../shared/contract/segment.ts'
import { type AccessUnit, gapCauses } from '../../../../shared/media/access-unit.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRecorderRing } from '../../../support/fake-recorder-ring.ts'
import { syntheticPicture, syntheticSound, syntheticVideo } from '../../../support/synthetic.ts'

function rig({ segmentMs = 60_000, tail }: { segmentMs?: number; tail?: number } = {}) {
  const ring = new FakeRecorderRing()
  ring.tail = tail
  const clock = new FakeClock()
  const startMs = clock.nowMs()
  const gaps: Gap[] = []
  const recorder = new StreamRecorder('cam', {
    ring,
    clock,
    segmentMs,
    onGap: (_stream, gap) => gaps.push(gap),
  })
  const picture = (n: number, more: Partial<AccessUnit> = {}) => ({
    ...syntheticPicture(n, { startMs }),
    ...more,
  })
  /** Arrives when it was taken, after `clock` has come that far. */
  const write = (unit: AccessUnit) => {
    if (unit.arrivalMs > clock.monotonicMs()) clock.advance(unit.arrivalMs - clock.monotonicMs())
    recorder.write(unit)
  }
  const seqs = () => ring.segments.map(({ header, units }) => `${header.seq}:${units.length}`)
  return { ring, clock, recorder, gaps, picture, write, seqs, startMs }
}

test('cuts at the IDR after the length, and counts', async () => {
  const { ring, recorder, picture, write, startMs } = rig({ segmentMs: 2500 })
  for (let n = 0; n < 70; n += 1) write(picture(n))
  recorder.end('over')
  await recorder.flushNow()
  expect(ring.segments.map(({ units }) => units.length)).toEqual([30, 30, 10])
  expect(ring.segments.map(({ header }) => header.seq)).toEqual([1, 2, 3])
  expect(new Set(ring.segments.map(({ header }) => header.epoch))).toEqual(new Set([startMs]))
  expect(ring.segments.every(({ header }) => !header.continues && !header.gapBefore)).toBe(true)
  expect(ring.segments[0]?.end).toMatchObject({ reason: 'length', endMs: startMs + 3000 })
  expect(recorder.stats).toEqual({ accepted: 70, written: 70, writing: 0, waiting: 0, lost: 0, segments: 3 })
})

test('a stream with one IDR is cut at a recovery point, one with neither after the limit, in mid-GOP', () => {
  const first = rig({ segmentMs: 2500 })
  for (let n = 0; n < 70; n += 1) {
    first.write(first.picture(n, { idr: n === 0 }))
  }
  expect(first.seqs()).toEqual(['1:30', '2:30', '3:10'])

  const second = rig()
  for (let n = 0; n < 1500; n += 1) second.write(second.picture(n, { idr: n === 0, randomAccess: n === 0 }))
  expect(second.seqs()).toEqual(['1:1200', '2:300'])
  expect(second.ring.segments[1]?.header).toMatchObject({ continues: true })
  expect(second.ring.segments[1]?.copies).toEqual([])
})

test.each([
  ['configuration', { config: { ...syntheticVideo } }, { reason: 'configuration', epochs: 1 }],
  ['epoch', { epoch: 1 }, { reason: 'epoch', epochs: 2 }],
  ['time source', { timeSource: 'arrival' as const }, { reason: 'time source', epochs: 1 }],
])('another %s begins a segment in mid-GOP and loses nothing', (_name, change, { reason, epochs }) => {
  const { ring, recorder, picture, write, seqs } = rig()
  for (let n = 0; n < 5; n += 1) write(picture(n))
  for (let n = 5; n < 10; n += 1) write(picture(n, change))
  recorder.end('over')
  expect(seqs()).toEqual(epochs === 2 ? ['1:5', '1:5'] : ['1:5', '2:5'])
  expect(ring.segments[0]?.end?.reason).toBe(reason)
  expect(ring.segments[1]?.header.continues).toBe(true)
  expect(new Set(ring.segments.map(({ header }) => header.epoch)).size).toBe(epochs)
})

test('another configuration of the sound in mid-GOP: the next segment begins with copies of the GOP', () => {
  const { ring, picture, write, seqs, startMs } = rig()
  const sound = (n: number, more: Partial<AccessUnit> = {}) => ({
    ...syntheticSound(n, { startMs }),
    ...more,
  })
  const config = { ...sound(0).config } as AccessUnit['config']
  for (let n = 0; n < 4; n += 1) for (const unit of [picture(n), sound(n * 4)]) write(unit)
  for (let n = 4; n < 8; n += 1) for (const unit of [picture(n), sound(n * 4, { config })]) write(unit)
  expect(seqs()).toEqual(['1:9', '2:7'])
  const [first, second] = ring.segments
  expect(first?.end?.reason).toBe('configuration')
  expect(second?.header.continues).toBe(false)
  expect(second?.copies.map(({ ptsMs }) => ptsMs - startMs)).toEqual([0, 100, 200, 300, 400])
  expect(second?.units.map(({ track }) => track).slice(0, 3)).toEqual(['audio', 'video', 'audio'])
})

test('sound waits for the first picture and goes into its segment; sound alone is recorded alone', () => {
  const both = rig()
  for (let n = 0; n < 3; n += 1) both.write(syntheticSound(n, { startMs: both.startMs }))
  both.write(both.picture(0))
  expect(both.seqs()).toEqual(['1:4'])
  expect(both.ring.segments[0]?.header).toMatchObject({ video: {}, audio: { codec: 'aac' } })

  const alone = rig()
  for (let n = 0; n < 60; n += 1) alone.write(syntheticSound(n, { startMs: alone.startMs }))
  expect(alone.seqs()).toEqual(['1:60'])
  alone.write(alone.picture(20))
  expect(alone.seqs()).toEqual(['1:60', '2:1'])

  const short = rig()
  short.write(syntheticSound(0, { startMs: short.startMs }))
  short.recorder.end('over')
  expect(short.seqs()).toEqual(['1:1'])
})

test('pictures before the first key frame are a counted gap', () => {
  const { ring, gaps, picture, write, seqs, startMs } = rig()
  for (let n = 7; n < 15; n += 1) write(picture(n))
  expect(seqs()).toEqual(['1:5'])
  const gap = { from: startMs + 700, to: startMs + 1000, cause: 'source-lost', units: 3 }
  expect(ring.segments[0]?.header.gapBefore).toEqual(gap)
  expect(gaps).toEqual([gap])
})

test('a lost source ends the segment; the gap stands before the next one, in a new epoch', () => {
  const { ring, recorder, picture, write, startMs } = rig()
  for (let n = 0; n < 5; n += 1) write(picture(n))
  recorder.gap({ fromMs: startMs + 500, toMs: startMs + 2000, cause: 'source-lost' })
  for (let n = 18; n < 25; n += 1) write(picture(n))
  const [first, second] = ring.segments
  expect(first?.end?.reason).toBe('source-lost')
  expect(second?.units).toHaveLength(5)
  expect(second?.header.gapBefore).toEqual({
    from: startMs + 500,
    to: startMs + 2000,
    cause: 'source-lost',
    units: 2,
  })
  expect(second?.header.epoch).toBeGreaterThan(first?.header.epoch ?? 0)
})

test('missing sequence numbers are a gap inside of the segment', () => {
  const { ring, recorder, gaps, picture, write, startMs } = rig()
  for (let n = 0; n < 3; n += 1) write(picture(n))
  recorder.gap({ fromMs: startMs + 200, toMs: startMs + 500, cause: 'sequence', units: 2 })
  for (let n = 5; n < 8; n += 1) write(picture(n))
  expect(ring.segments).toHaveLength(1)
  expect(ring.segments[0]?.gaps).toMatchObject([{ cause: 'sequence', units: 2 }])
  expect(gaps).toEqual([{ from: startMs + 200, to: startMs + 500, cause: 'sequence', units: 2 }])
})

test('the gap of a crash stands before the first segment of the next run', () => {
  const tail = new FakeClock().nowMs() - 5000
  const { ring, picture, write, startMs } = rig({ tail })
  write(picture(0))
  expect(ring.segments[0]?.header.gapBefore).toEqual({ from: tail, to: startMs, cause: 'crash' })
})

test('a full queue drops the rest of the GOP, and whole GOPs until there is room', async () => {
  const { ring, recorder, picture, write, seqs, startMs } = rig()
  for (let n = 0; n < 15; n += 1) write(picture(n))
  ring.full = true
  ring.hasRoom = false
  write(picture(15))
  ring.full = false
  for (let n = 16; n < 25; n += 1) write(picture(n)) // Still more than half full: not even the key frame 20.
  ring.hasRoom = true
  for (let n = 25; n < 40; n += 1) write(picture(n))
  expect(seqs()).toEqual(['1:15', '2:10'])
  expect(ring.segments[1]?.header).toMatchObject({
    continues: false,
    gapBefore: { from: startMs + 1500, to: startMs + 3000, cause: 'disk-slow', units: 15 },
  })
  recorder.end('over')
  await recorder.flushNow()
  expect(recorder.stats).toMatchObject({ accepted: 40, written: 25, lost: 15 })
})

test('after a full disk it goes on with copies of the GOP, and what the disk had not kept is in the gap', async () => {
  const { ring, recorder, gaps, picture, write, startMs } = rig()
  for (let n = 0; n < 15; n += 1) write(picture(n))
  ring.failOpen('disk-full', 12)
  for (let n = 15; n < 18; n += 1) write(picture(n))
  await recorder.flushNow() // The short segment's manifest tells of 12.
  ring.blocked = undefined
  for (let n = 18; n < 22; n += 1) write(picture(n))
  const second = ring.segments[1]
  expect(second?.copies.map(({ ptsMs }) => (ptsMs - startMs) / 100)).toEqual([10, 11, 12, 13, 14, 15, 16, 17])
  expect(second?.header).toMatchObject({ continues: false, gapBefore: { cause: 'disk-full', units: 6 } })
  recorder.end('over')
  await recorder.flushNow()
  expect(gaps).toHaveLength(1)
  expect(recorder.stats).toMatchObject({ accepted: 22, written: 16, lost: 6 })
})

test('the end of a claim is sealed at the next key frame', async () => {
  const { ring, recorder, picture, write, startMs } = rig()
  for (let n = 0; n < 15; n += 1) write(picture(n))
  let done = false
  const flushed = recorder.flushAt(startMs + 1500).then(() => {
    done = true
  })
  for (let n = 15; n < 20; n += 1) write(picture(n))
  await Promise.resolve()
  expect({ done, segments: ring.segments.length }).toEqual({ done: false, segments: 1 })
  write(picture(20))
  await flushed
  expect(ring.segments.map(({ units }) => units.length)).toEqual([20, 1])
})

test('or after three seconds in mid-GOP, and the next segment begins with copies', async () => {
  const { ring, recorder, picture, write } = rig()
  const long = (n: number) => picture(n, { idr: n === 0, randomAccess: n === 0 })
  for (let n = 0; n < 10; n += 1) write(long(n))
  const flushed = recorder.flushAt(0)
  for (let n = 10; n < 50; n += 1) write(long(n))
  await flushed
  const [first, second] = ring.segments
  expect(first?.units).toHaveLength(39)
  expect(second?.copies).toHaveLength(39)
  expect(second?.header.continues).toBe(false)
  expect(second?.units).toHaveLength(11)
})

test('a source that stalls does not keep a claim waiting', async () => {
  const { clock, recorder, ring, picture, write } = rig()
  write(picture(0))
  const flushed = recorder.flushAt(clock.nowMs())
  clock.advance(3000)
  await flushed
  expect(ring.segments[0]?.end?.reason).toBe('claim end')
})

test('a stream that is off is recorded while a claim is open, from the GOP that is under way', async () => {
  const { ring, recorder, picture, write } = rig()
  recorder.setPolicy('off')
  for (let n = 0; n < 13; n += 1) write(picture(n))
  recorder.setClaimed(1)
  for (let n = 13; n < 16; n += 1) write(picture(n))
  recorder.setClaimed(0)
  write(picture(16))
  recorder.setClaimed(1)
  write(picture(17))
  expect(ring.segments.map(({ units }) => units.map(({ ptsMs }) => (ptsMs / 100) % 100))).toEqual([
    [10, 11, 12, 13, 14, 15],
    [16, 17],
  ])
  expect(ring.segments[1]?.copies).toHaveLength(6)
  expect(recorder.stats.accepted).toBe(8)
})

const operation = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ do: fc.constant('picture' as const), key: fc.boolean(), epoch: fc.nat(1) }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('sound' as const), big: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('gap' as const), cause: fc.constantFrom(...gapCauses) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'flush' as const, 'tick' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('queue' as const), full: fc.boolean(), room: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('disk' as const), kept: fc.nat(20), fails: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('claims' as const), claims: fc.nat(1), off: fc.boolean() }),
  },
)

test('whatever happens, each accepted unit is written once or counted in a gap', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 150, size: 'max' }), async (operations) => {
      const { ring, clock, recorder, gaps, picture, write, startMs } = rig({ segmentMs: 1000 })
      let n = 0
      for (const op of operations) {
        n += 1
        if (op.do === 'picture') write(picture(n, { randomAccess: op.key, idr: op.key, epoch: op.epoch }))
        else if (op.do === 'sound') {
          const sound = syntheticSound(0, { startMs: startMs + n * 100, startMonotonicMs: n * 100 })
          write({ ...sound, ...(op.big && { sizeBytes: 9000 }) })
        } else if (op.do === 'gap') {
          // Without a count, so that the sums of all gaps are those of the recorder.
          recorder.gap({ fromMs: startMs + n * 100, toMs: startMs + n * 100 + 50, cause: op.cause })
        } else if (op.do === 'end') recorder.end('over')
        else if (op.do === 'flush') recorder.flushAt(clock.nowMs()).catch(() => {})
        else if (op.do === 'tick') clock.advance(3000)
        else if (op.do === 'queue') {
          ring.full = op.full
          ring.hasRoom = op.room
        } else if (op.do === 'disk' && op.fails) ring.failOpen('disk-full', op.kept)
        else if (op.do === 'disk') ring.blocked = undefined
        else if (op.do === 'claims') {
          recorder.setPolicy(op.off ? 'off' : 'on-demand')
          recorder.setClaimed(op.claims)
        }
        await Promise.resolve()
      }
      recorder.end('over')
      await recorder.flushNow()
      recorder.end('over')
      const { accepted, written, lost, writing, waiting } = recorder.stats
      expect({ writing, waiting }).toEqual({ writing: 0, waiting: 0 })
      expect(accepted).toBe(written + lost)
      const kept = ring.segments.flatMap(({ units }) => units)
      expect(kept.length).toBe(written)
      expect(new Set(kept).size).toBe(kept.length)
      const told = gaps.reduce((sum, gap) => sum + (gap.units ?? 0), 0)
      expect(told).toBe(lost)
      for (const { header, copies, units } of ring.segments) {
        const [first] = [...copies, ...units.filter((unit) => unit.track === 'video')]
        if (header.video && first && !header.continues) expect(first.randomAccess).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('a source that knows when its pictures were taken: segments bear that time, each run its own', async () => {
  const { ring, recorder, picture, write, startMs } = rig({ segmentMs: 2500 })
  const taken = startMs - 86_400_000
  recorder.setWallOffset({ wallOffsetMs: taken - startMs, wallBoundMs: 10_000 })
  for (let n = 0; n < 40; n += 1) write(picture(n))
  recorder.setWallOffset({ wallOffsetMs: taken - startMs + 600_000, wallBoundMs: 10_000 })
  for (let n = 40; n < 50; n += 1) write(picture(n, { epoch: 1 }))
  recorder.end('over')
  await recorder.flushNow()
  expect(ring.segments.map(({ units }) => units.length)).toEqual([30, 10, 10])
  expect(ring.segments.map(({ end }) => [end?.wallOffsetMs, end?.wallBoundMs])).toEqual([
    [taken - startMs, 10_000],
    [taken - startMs, 10_000],
    [taken - startMs + 600_000, 10_000],
  ])
  expect(recorder.stats).toMatchObject({ accepted: 50, written: 50, lost: 0 })
})
