import { beforeEach, describe, expect, test } from 'vitest'
import { Recordings } from '../../../../agent/record/recordings.ts'
import type { SegmentRow } from '../../../../agent/ring/types.ts'
import { type Recording, recording as recordingSchema } from '../../../../shared/contract/recording.ts'
import type { Gap } from '../../../../shared/contract/segment.ts'
import { AppError } from '../../../../shared/error.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

/** The ring as far as claims see it: files by id, segments, gaps, and a disk that may be full. */
class FakeRing {
  files = new Map<string, Recording>()
  rows: SegmentRow[] = []
  lost: (Gap & { stream: string })[] = []
  full = false
  saves: string[] = []

  async saveRecording(recording: Recording): Promise<void> {
    await settle()
    if (this.full) throw new AppError('ResourceExhausted', 'no space')
    recordingSchema.parse(recording)
    this.saves.push(`${recording.rev} ${recording.state}`)
    this.files.set(recording.id, structuredClone(recording))
  }
  recordings = async () => [...this.files.values()]
  recording = async (id: string) => this.files.get(id)
  segments = async (range: { stream: string; from?: number; to?: number }) =>
    this.rows.filter((row) => row.stream === range.stream && overlaps(row, range))
  gaps = async (range: { stream: string; from?: number; to?: number }) =>
    this.lost
      .filter((gap) => gap.stream === range.stream && overlaps(gap, range))
      .map(({ stream: _, ...gap }) => gap)

  add(stream: string, seq: number, from: number, to: number) {
    this.rows.push({
      stream,
      epoch: 1,
      seq,
      from,
      to,
      units: 1,
      sizeBytes: 1,
      continues: false,
      uploaded: false,
      local: true,
    })
  }
}

function overlaps(
  row: { from: number; to: number },
  { from = -Infinity, to = Infinity }: { from?: number; to?: number },
) {
  return row.to > from && row.from < to
}

let clock: ManualClock
let ring: FakeRing
let log: string[]
let claimed: Map<string, number>
let openSince: number | undefined
let recordings: Recordings
const make = () =>
  new Recordings({
    agent: 'lab',
    ring,
    clock,
    recorder: {
      flush: async (stream, { ended }) => {
        log.push(`flush ${stream}${ended ? ' ended' : ''}`)
      },
      openSince: () => openSince,
      setClaimed: (stream, claims) => (claims > 0 ? claimed.set(stream, claims) : claimed.delete(stream)),
      newest: (stream) => ring.rows.filter((row) => row.stream === stream).at(-1),
    },
    onFault: (message) => log.push(message),
  })

beforeEach(() => {
  clock = new ManualClock()
  ring = new FakeRing()
  log = []
  claimed = new Map()
  openSince = undefined
  recordings = make()
})

describe('a recording from now', () => {
  test('is durable before the start is answered, and closed with its segments and gaps', async () => {
    const started = await recordings.start({ streams: ['door'], title: 'take 1', labels: ['lab'] })
    expect(ring.saves).toEqual(['1 open'])
    expect(started.id).toMatch(/^20261120T053000Z-[0-9a-z]{4}$/)
    expect(recordings.of('door')).toEqual([started.id])
    expect([...claimed]).toEqual([['door', 1]])

    const from = clock.nowMs()
    ring.add('door', 7, from - 5000, from - 1000)
    ring.add('door', 8, from - 1000, from + 4000)
    ring.add('door', 9, from + 4000, from + 9000)
    ring.add('door', 10, from + 10_000, from + 20_000)
    ring.lost.push({ stream: 'door', from: from - 500, to: from + 500, cause: 'sequence', units: 3 })
    await clock.advance(9500)
    const closed = await recordings.stop(started.id)

    expect(log).toEqual(['flush door'])
    expect(closed).toMatchObject({
      state: 'closed',
      rev: 2,
      title: 'take 1',
      labels: ['lab'],
      from,
      to: from + 9500,
    })
    expect(closed.streams).toEqual([
      {
        name: 'door',
        from,
        to: from + 9500,
        segments: [
          { epoch: 1, seq: 8 },
          { epoch: 1, seq: 9 },
        ],
        gaps: [{ from, to: from + 500, cause: 'sequence', units: 3 }],
      },
    ])
    expect(ring.files.get(started.id)).toEqual(closed)
    expect(recordings.of('door')).toEqual([])
    expect(claimed.size).toBe(0)
  })

  test('ends by itself after its duration', async () => {
    const { id, from } = await recordings.start({ streams: ['door'], durationMs: 60_000 })
    await clock.advance(59_999)
    expect(ring.files.get(id)?.state).toBe('open')
    await clock.advance(1)
    expect(ring.files.get(id)).toMatchObject({ state: 'closed', to: from + 60_000 })
    expect(ring.files.get(id)).not.toHaveProperty('until')
  })

  test('is not answered when the disk refuses', async () => {
    ring.full = true
    await expect(recordings.start({ streams: ['door'] })).rejects.toMatchObject({ kind: 'Unavailable' })
    expect(recordings.of('door')).toEqual([])
    expect((await recordings.list({ limit: 10 })).recordings).toEqual([])
  })

  test.each([
    [{ streams: [] }, /Name 1 to 64 streams/],
    [{ streams: ['../x'] }, /Name 1 to 64 streams/],
    [{ streams: ['a'], id: 'a/b' }, /not an id/],
    [{ streams: ['a'], durationMs: 0 }, /end after it begins/],
    [{ streams: ['a'], from: 2000, to: 1000 }, /end after it begins/],
    [{ streams: ['a'], durationMs: 1e15 }, /within a year/],
  ])('refuses %j', async (request, message) => {
    openSince = 0
    await expect(recordings.start(request)).rejects.toThrow(message)
  })
})

describe('stopping', () => {
  test('twice, at once and later, gives one close and the same answer', async () => {
    const { id } = await recordings.start({ streams: ['door', 'gate'] })
    const [first, second] = await Promise.all([recordings.stop(id), recordings.stop(id)])
    await clock.advance(5000)
    expect(second).toEqual(first)
    expect(await recordings.stop(id)).toEqual(first)
    expect(ring.saves).toEqual(['1 open', '2 closed'])
  })

  test('races with the start', async () => {
    const { id, saved } = recordings.begin({ streams: ['door'] })
    const [opened, closed] = await Promise.all([saved, recordings.stop(id)])
    expect(opened.id).toBe(closed.id)
    expect(ring.files.get(id)?.state).toBe('closed')
  })

  test('closes while the disk is full, and the file follows when there is room', async () => {
    const { id } = await recordings.start({ streams: ['door'] })
    ring.full = true
    expect(await recordings.stop(id)).toMatchObject({ state: 'closed' })
    expect(ring.files.get(id)?.state).toBe('open')
    await clock.advance(12_000)
    ring.full = false
    await clock.advance(5000)
    expect(ring.files.get(id)?.state).toBe('closed')
  })

  test('does not wait for ever for a recorder that hangs', async () => {
    recordings = new Recordings({
      agent: 'lab',
      ring,
      clock,
      recorder: {
        flush: () => new Promise(() => undefined),
        openSince: () => undefined,
        newest: () => undefined,
        setClaimed: () => undefined,
      },
      onFault: (message) => log.push(message),
    })
    const { id } = await recordings.start({ streams: ['door'] })
    const stopped = recordings.stop(id)
    await clock.advance(10_000)
    expect(await stopped).toMatchObject({ state: 'closed' })
    expect(log).toEqual(['the end of door is not sealed'])
  })

  test('a recording that never was is NotFound', async () => {
    await expect(recordings.stop('nothing')).rejects.toMatchObject({ kind: 'NotFound' })
  })

  test('tells who films before the segments are cut', async () => {
    recordings.onStop((recording) => log.push(`stop ${recording.streams.map((s) => s.name)}`))
    const { id } = await recordings.start({ streams: ['a', 'b'] })
    await recordings.stop(id)
    expect(log).toEqual(['stop a,b', 'flush a', 'flush b'])
  })
})

describe('the same id', () => {
  test('answers the recording that there is, open or closed', async () => {
    const first = recordings.start({ streams: ['door'], id: 'take-1' })
    const second = recordings.start({ streams: ['door'], id: 'take-1' })
    expect(await second).toEqual(await first)
    await recordings.stop('take-1')
    expect(await recordings.start({ streams: ['door'], id: 'take-1' })).toMatchObject({
      state: 'closed',
      rev: 2,
    })
    expect(ring.saves).toEqual(['1 open', '2 closed'])
  })
})

describe('the past', () => {
  test('is recorded as far as the ring reaches', async () => {
    const now = clock.nowMs()
    ring.add('door', 1, now - 20_000, now - 5000)
    const { id, from } = await recordings.start({ streams: ['door'], from: now - 30_000 })
    expect(from).toBe(now - 30_000)
    expect((await recordings.stop(id)).streams[0]?.segments).toEqual([{ epoch: 1, seq: 1 }])
  })

  test('closes at once when its end has passed too', async () => {
    const now = clock.nowMs()
    ring.add('door', 1, now - 20_000, now - 5000)
    const closed = await recordings.start({ streams: ['door'], from: now - 15_000, to: now - 10_000 })
    expect(closed).toMatchObject({ state: 'closed', to: now - 10_000 })
  })

  test('of which the ring holds only the later part says so, once its first segment is known', async () => {
    const now = clock.nowMs()
    openSince = now - 20_000
    const { id } = await recordings.start({ streams: ['door'], from: now - 30_000 })
    const missing = { from: now - 30_000, to: now - 20_000, cause: 'source-lost' } // It had not come yet.
    expect(ring.files.get(id)?.streams[0]?.gaps).toEqual([missing])
    ring.add('door', 1, now - 20_003, now) // The estimate of the wall time got better meanwhile.
    const { streams } = await recordings.stop(id)
    expect(streams[0]?.gaps).toEqual([{ ...missing, to: now - 20_003 }])
  })

  test('of which the ring has recycled a part says that', async () => {
    const now = clock.nowMs()
    openSince = now - 20_000
    ring.lost.push({ stream: 'door', from: now - 29_000, to: now - 20_000, cause: 'recycled' })
    const { id } = await recordings.start({ streams: ['door'], from: now - 30_000 })
    expect(ring.files.get(id)?.streams[0]?.gaps).toEqual([
      { from: now - 30_000, to: now - 20_000, cause: 'recycled' },
    ])
  })

  test('that is explained by a gap of the ring is not explained twice', async () => {
    const now = clock.nowMs()
    ring.add('door', 1, now - 20_000, now - 5000)
    ring.lost.push({ stream: 'door', from: now - 40_000, to: now - 20_000, cause: 'source-lost' })
    const { id } = await recordings.start({ streams: ['door'], from: now - 30_000 })
    const { streams } = await recordings.stop(id)
    expect(streams[0]?.gaps).toEqual([{ from: now - 30_000, to: now - 20_000, cause: 'source-lost' }])
  })

  test('that ended before anything that is held is refused', async () => {
    const now = clock.nowMs()
    openSince = now - 5000
    const request = { streams: ['door'], from: now - 30_000, durationMs: 10_000 }
    await expect(recordings.start(request)).rejects.toThrow(/what is held begins at 2026-11-20T05:29:55.000Z/)
  })

  test('that is in the segment being written needs no sealed one', async () => {
    openSince = clock.nowMs() - 4000
    expect(await recordings.start({ streams: ['door'], from: clock.nowMs() - 30_000 })).toMatchObject({
      state: 'open',
    })
  })

  test('that the ring does not hold is refused with what it holds', async () => {
    const now = clock.nowMs()
    await expect(recordings.start({ streams: ['door'], from: now - 30_000 })).rejects.toThrow(
      /nothing of it is kept/,
    )
    ring.add('door', 1, now - 90_000, now - 60_000)
    await expect(recordings.start({ streams: ['door'], from: now - 30_000 })).rejects.toThrow(
      expect.objectContaining({
        kind: 'FailedPrecondition',
        message: expect.stringContaining('2026-11-20T05:29:00'),
      }),
    )
  })
})

describe('the future', () => {
  test('a group is armed for one time, opens then, and ends', async () => {
    const at = clock.nowMs() + 3 * 3_600_000
    const { id, state } = await recordings.start({ streams: ['a', 'b'], from: at, durationMs: 1000 })
    expect(state).toBe('armed')
    expect(claimed.size).toBe(0)
    await clock.advance(3 * 3_600_000 - 15_000) // So that a camera is connected, and has sent a key frame.
    expect(claimed.size).toBe(2)
    expect(ring.files.get(id)).toMatchObject({ state: 'armed' })
    await clock.advance(15_000)
    expect(ring.files.get(id)).toMatchObject({ state: 'open', from: at })
    expect(claimed.size).toBe(2)
    await clock.advance(1000)
    expect(ring.files.get(id)).toMatchObject({ state: 'closed', from: at, to: at + 1000 })
  })

  test.each([
    ['slept for it', 50],
    ['had its clock set', 1],
  ])('a machine that %s opens it in time all the same', async (_name, minutes) => {
    const from = clock.nowMs() + minutes * 60_000
    const { id } = await recordings.start({ streams: ['door'], from })
    await clock.advance(1000)
    clock.stepWall(minutes * 60_000) // Timers do not see it: CLOCK_MONOTONIC stands still while a machine sleeps.
    await clock.advance(10_000)
    expect(ring.files.get(id)).toMatchObject({ state: 'open' })
  })

  test('an armed one that is stopped closes with nothing in it', async () => {
    const at = clock.nowMs() + 60_000
    const { id } = await recordings.start({ streams: ['a'], from: at })
    const closed = await recordings.stop(id)
    expect(closed).toMatchObject({ state: 'closed', from: at, to: at })
    expect(log).toEqual([])
    await clock.advance(120_000)
    expect(claimed.size).toBe(0)
    expect(ring.saves).toEqual(['1 armed', '2 closed'])
  })
})

describe('a session of phones', () => {
  test('runs from its first picture to its last, wherever the claim said', async () => {
    const now = clock.nowMs()
    const { id, saved } = recordings.begin({ streams: ['left', 'right', 'silent'], session: true })
    await saved
    ring.add('left', 1, now - 12, now + 5040)
    ring.add('right', 1, now + 300, now + 4100)
    await clock.advance(5100)
    await recordings.endStream(id, 'left', { to: now + 5000, fps: { value: 25, source: 'arrival' } })
    expect(ring.files.get(id)?.state).toBe('open')
    await recordings.endStream(id, 'right', { to: now + 4000 })
    await recordings.endStream(id, 'silent', { to: now })

    const closed = ring.files.get(id)
    expect(log).toEqual(['flush left ended', 'flush right ended', 'flush silent ended'])
    expect(closed).toMatchObject({ state: 'closed', from: now - 12, to: now + 5040 })
    expect(closed?.streams.map(({ name, from, to }) => ({ name, from, to }))).toEqual([
      { name: 'left', from: now - 12, to: now + 5040 },
      { name: 'right', from: now - 12, to: now + 4100 },
    ])
    expect(closed?.streams[0]?.fps).toEqual({ value: 25, source: 'arrival' })
  })

  test('of a sender that plays faster than time is whole, and leaves the session before it alone', async () => {
    const now = clock.nowMs()
    ring.add('left', 1, now - 40_000, now - 10)
    const { id, saved } = recordings.begin({ streams: ['left'], session: true })
    await saved
    expect(ring.files.get(id)).toMatchObject({ marks: { left: { after: { epoch: 1, seq: 1 } } } })
    ring.add('left', 2, now - 54_000, now + 6000)
    ring.add('left', 3, now - 30_000, now + 9000)
    await clock.advance(9000)
    const ending = recordings.endStream(id, 'left', { to: now + 8900 })
    ring.add('left', 4, now + 8950, now + 9500) // The next session has begun.
    await ending
    expect(ring.files.get(id)).toMatchObject({
      from: now - 54_000,
      to: now + 9000,
      streams: [{ segments: [{ seq: 2 }, { seq: 3 }] }],
    })
    expect(ring.files.get(id)).not.toHaveProperty('marks')
  })

  test('of a phone whose only round trip took ten seconds is whole, though its pictures seem to be older than it', async () => {
    const now = clock.nowMs()
    const { id, saved } = recordings.begin({ streams: ['left'], session: true })
    await saved
    ring.add('left', 1, now - 5900, now - 4900) // Half of it was on the wire, as far as anybody knows.
    await clock.advance(1100)
    await recordings.endStream(id, 'left', { to: now + 100 })
    expect(ring.files.get(id)).toMatchObject({ from: now - 5900, streams: [{ segments: [{ seq: 1 }] }] })
  })

  test('takes in a phone that starts late', async () => {
    const { id, saved } = recordings.begin({ streams: ['left'], session: true })
    await saved
    recordings.join(id, 'right', clock.nowMs())
    recordings.join(id, 'right', clock.nowMs())
    await clock.advance(1)
    expect(ring.saves).toEqual(['1 open', '2 open'])
    expect(ring.files.get(id)?.streams.map((stream) => stream.name)).toEqual(['left', 'right'])
    expect(recordings.of('right')).toEqual([id])
  })

  test('with no picture at all still closes', async () => {
    const { id, saved } = recordings.begin({ streams: ['left'], session: true })
    await saved
    await recordings.endStream(id, 'left', { to: clock.nowMs() })
    await recordings.endStream(id, 'left', { to: clock.nowMs() })
    expect(ring.files.get(id)).toMatchObject({ state: 'closed', streams: [{ name: 'left', segments: [] }] })
  })
})

describe('after a restart', () => {
  test('an open claim is resumed, and its gap says that the agent crashed', async () => {
    const { id, from } = await recordings.start({ streams: ['door'], durationMs: 60_000 })
    ring.add('door', 1, from, from + 10_000)
    await clock.advance(12_000)

    recordings = make()
    expect(await recordings.resume()).toEqual([])
    expect(ring.files.get(id)).toMatchObject({
      rev: 2,
      state: 'open',
      pauses: [{ at: from + 12_000, cause: 'crash' }],
    })
    ring.add('door', 2, from + 15_000, from + 60_000)
    await clock.advance(48_000)
    expect(ring.files.get(id)).toMatchObject({
      state: 'closed',
      to: from + 60_000,
      streams: [
        {
          segments: [{ seq: 1 }, { seq: 2 }],
          gaps: [{ from: from + 10_000, to: from + 15_000, cause: 'crash' }],
        },
      ],
    })
  })

  test('a gap that the ring has explained is not told twice', async () => {
    const { id, from } = await recordings.start({ streams: ['door'] })
    ring.add('door', 1, from, from + 10_000)
    await clock.advance(12_000)
    recordings = make()
    await recordings.resume()
    ring.add('door', 2, from + 15_000, from + 60_000)
    ring.lost.push({ stream: 'door', from: from + 10_000, to: from + 15_000, cause: 'crash' })
    await clock.advance(48_000)
    expect((await recordings.stop(id)).streams[0]?.gaps).toEqual([
      { from: from + 10_000, to: from + 15_000, cause: 'crash' },
    ])
  })

  test('a stop in good order is no crash', async () => {
    const { id } = await recordings.start({ streams: ['door'] })
    await recordings[Symbol.asyncDispose]()
    const { pausedAt } = ring.files.get(id) as { pausedAt?: number }
    expect(pausedAt).toBe(clock.nowMs())
    recordings = make()
    await recordings.resume()
    expect(ring.files.get(id)).toMatchObject({ rev: 3, pauses: [{ cause: 'source-lost' }] })
    expect(ring.files.get(id)).not.toHaveProperty('pausedAt')
  })

  test('a session of phones is handed back, and an armed claim waits again', async () => {
    const session = recordings.begin({ streams: ['left'], session: true })
    const armed = await recordings.start({ streams: ['door'], from: clock.nowMs() + 60_000 })
    await session.saved
    recordings = make()
    expect((await recordings.resume()).map(({ id }) => id)).toEqual([session.id])
    await clock.advance(60_000)
    expect(ring.files.get(armed.id)?.state).toBe('open')
  })
})

test('lists newest first, page by page, those that are open as they stand', async () => {
  const ids: string[] = []
  for (let i = 0; i < 5; i += 1) {
    ids.unshift((await recordings.start({ streams: ['door'], id: `take-${i}` })).id)
    await clock.advance(1000)
  }
  await recordings.stop('take-2')
  const first = await recordings.list({ limit: 3 })
  expect(first.recordings.map(({ id, state }) => `${id} ${state}`)).toEqual([
    'take-4 open',
    'take-3 open',
    'take-2 closed',
  ])
  const second = await recordings.list({ limit: 3, ...(first.cursor ? { cursor: first.cursor } : {}) })
  expect(second).toEqual({
    recordings: [expect.objectContaining({ id: 'take-1' }), expect.objectContaining({ id: 'take-0' })],
  })
})

test('segments that cannot be listed are a gap of the recording, not nothing', async () => {
  const { id } = await recordings.start({ streams: ['door'] })
  const from = clock.nowMs()
  await clock.advance(5000)
  ring.segments = async () => {
    throw new AppError('Internal', 'disk I/O error')
  }
  const { streams } = await recordings.stop(id)
  expect(streams[0]?.gaps).toEqual([{ from, to: from + 5000, cause: 'disk-error' }])
})
