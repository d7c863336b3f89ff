import { beforeEach, expect, test } from 'vitest'
import { type Schedule, schedule } from '../../../../agent/play/flush-timer.ts'
import { FlvFeed } from '../../../../agent/play/flv-feed.ts'
import { packings, type Transport } from '../../../../agent/play/packing.ts'
import {
  flvTimeMsMax,
  keyFrameWaitMs,
  soundWaitMs,
  viewerLagBytesMax,
  viewerStallMs,
} from '../../../../shared/limits.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { decodeAmf0 } from '../../../../shared/media/amf0.ts'
import { FlvParser, type FlvTag } from '../../../../shared/media/flv.ts'
import { FakeViewer, idle, unchunk } from '../../../support/fake-viewer.ts'
import { fakeAudio, fakeUnit, fakeVideo } from '../../../support/live-units.ts'

let nowMs = 0
beforeEach(() => {
  nowMs = 0
})

type Opened = {
  startedAtMs?: number
  mergeMs?: number
  schedule?: Schedule
  soundAheadMs?: number
  hasSound?: () => boolean
}

function openFeed(transport: Transport = 'http', opened: Opened = {}) {
  const figures = { bytes: 0, skips: 0, skippedBytes: 0 }
  const left: string[] = []
  const feed = new FlvFeed({
    packing: packings[transport],
    startedAtMs: 0,
    now: () => nowMs,
    schedule,
    mergeMs: 0,
    soundAheadMs: 0,
    ...opened,
    figures,
    onViewerEnd: (_viewer, reason) => left.push(reason),
  })
  return { feed, figures, left }
}

const tagsOf = (viewer: FakeViewer): FlvTag[] => new FlvParser().push(unchunk(viewer.bytes))
const shown = (tags: FlvTag[]) =>
  tags.map(({ kind, timestampMs, body }) => `${kind} ${timestampMs} ${body[0]}/${body[1]}`)
const write = (feed: FlvFeed, ...units: AccessUnit[]) => units.map((unit) => feed.write(unit))

test('a viewer gets header, metadata, configuration, the GOP and what comes, stamped with the stream’s time', async () => {
  const { feed } = openFeed('http', { startedAtMs: 1000 })
  write(feed, fakeUnit({ ms: 1000, key: true }), fakeUnit({ ms: 1005, config: fakeAudio }))
  write(feed, fakeUnit({ ms: 3000, key: true }), fakeUnit({ ms: 3005, config: fakeAudio }))
  const viewer = new FakeViewer()
  feed.join(viewer)
  await idle()
  write(feed, fakeUnit({ ms: 3040, ptsMs: 3000 }))
  await idle()

  expect(unchunk(viewer.bytes).subarray(0, 9).toString('hex')).toBe('464c56010500000009')
  const tags = tagsOf(viewer)
  expect(shown(tags)).toEqual([
    'script 0 2/0',
    'video 2000 23/0',
    'audio 2000 175/0',
    'video 2000 23/1',
    'audio 2005 175/1',
    'video 2040 39/1',
  ])
  expect(decodeAmf0(tags[0]?.body ?? new Uint8Array())[1]).toMatchObject({
    width: 640,
    height: 480,
    videocodecid: 7,
  })
  expect(Buffer.from(tags[5]?.body ?? []).readIntBE(2, 3)).toBe(-40)
})

const tracksOf = (viewer: FakeViewer) => unchunk(viewer.bytes)[4]
const sound = (ms: number, epoch = 0) => fakeUnit({ ms, epoch, config: fakeAudio })

test('sound that came behind the key frame is in the header of who begins there', async () => {
  const { feed } = openFeed()
  write(feed, fakeUnit({ key: true }), sound(5), fakeUnit({ ms: 40 }))
  const viewer = new FakeViewer()
  feed.join(viewer)
  await idle()
  expect(tracksOf(viewer)).toBe(5)
  expect(shown(tagsOf(viewer)).slice(0, 4)).toEqual([
    'script 0 2/0',
    'video 0 23/0',
    'audio 0 175/0',
    'video 0 23/1',
  ])
})

test('who waits for a stream begins when its sound is known, or will not come', async () => {
  const held = heldSchedule()
  const { feed } = openFeed('http', { schedule: held.schedule, soundAheadMs: 250 })
  const [first, second] = [new FakeViewer(), new FakeViewer()]
  feed.join(first)
  write(feed, fakeUnit({ key: true }))
  held.run()
  expect(first.writes).toBe(0)
  nowMs = 20
  write(feed, sound(20))
  held.run()
  await idle()
  expect(tracksOf(first)).toBe(5)

  nowMs = 1000
  write(feed, fakeUnit({ ms: 1000, epoch: 1, key: true })) // Its publisher came back without sound.
  held.run()
  feed.join(second)
  expect(second.writes).toBe(0)
  nowMs = 1250
  held.run()
  await idle()
  expect(tracksOf(second)).toBe(1)
})

test('nobody waits for the sound of a stream that has run for a while without any', () => {
  const { feed } = openFeed('http', { startedAtMs: -1000, soundAheadMs: 250, hasSound: () => false })
  write(feed, fakeUnit({ key: true }))
  const viewer = new FakeViewer()
  feed.join(viewer)
  expect(viewer.writes).toBe(1)
})

test('units that arrive together leave in one write', async () => {
  const { feed } = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }), fakeUnit({ ms: 5, config: fakeAudio }), fakeUnit({ ms: 40 }))
  await idle()
  expect(viewer.writes).toBe(1)
})

/** Runs what was put off when it is told to. */
function heldSchedule() {
  const waits = new Map<() => void, number>()
  const hold: Schedule = (flush, delayMs) => {
    waits.set(flush, delayMs)
    return () => void waits.delete(flush)
  }
  const run = () => {
    for (const flush of [...waits.keys()]) {
      waits.delete(flush)
      flush()
    }
  }
  return { schedule: hold, run, delays: () => [...waits.values()] }
}

test.each([
  [0, [soundWaitMs], [0]],
  [20, [soundWaitMs], [20]],
  [100, [100], [100]],
])(
  'merging %d ms: sound waits for its picture, a picture for as long as was asked',
  async (mergeMs, sound, picture) => {
    const held = heldSchedule()
    const { feed } = openFeed('http', { mergeMs, schedule: held.schedule })
    const viewer = new FakeViewer()
    feed.join(viewer)
    write(feed, fakeUnit({ key: true }))
    held.run()
    await idle()
    write(feed, fakeUnit({ ms: 20, config: fakeAudio }))
    expect(held.delays()).toEqual(sound)
    write(feed, fakeUnit({ ms: 40 }))
    expect(held.delays()).toEqual(picture)
    await idle()
    expect(viewer.writes).toBe(1)
    held.run()
    await idle()
    expect(viewer.writes).toBe(2)
    expect(tagsOf(viewer)).toHaveLength(6)
  },
)

test('a stream of sound alone does not wait', () => {
  const held = heldSchedule()
  const { feed } = openFeed('http', held)
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ config: fakeAudio }))
  expect(held.delays()).toEqual([0])
  held.run()
  expect(viewer.writes).toBe(1)
})

test('a viewer whose write took long is not sent at once what may wait for more', async () => {
  const held = heldSchedule()
  const { feed } = openFeed('http', { mergeMs: 100, schedule: held.schedule })
  const viewer = new FakeViewer({ reading: false })
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }))
  held.run()
  write(feed, fakeUnit({ ms: 40 }))
  viewer.take()
  expect(viewer.writes).toBe(1)
  viewer.take()
  held.run()
  expect(viewer.writes).toBe(2)
})

test('when all are gone nothing is put off any more', () => {
  const held = heldSchedule()
  const { feed } = openFeed('http', held)
  feed.join(new FakeViewer())
  write(feed, fakeUnit({ key: true }))
  feed.end('ended')
  expect(held.delays()).toEqual([])
})

test('what waits for more when the stream ends is sent before the end', async () => {
  const held = heldSchedule()
  const { feed } = openFeed('http', { mergeMs: 100, schedule: held.schedule })
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }))
  held.run()
  await idle()
  write(feed, fakeUnit({ ms: 40 }))
  feed.end('ended')
  await idle()
  expect(shown(tagsOf(viewer)).at(-1)).toBe('video 40 39/1')
  expect(viewer.ended).toBe('ended')
  expect(held.delays()).toEqual([])
})

test('H.265 leaves as Enhanced hvc1', async () => {
  const { feed } = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  const hevc = {
    ...fakeVideo,
    codec: 'h265' as const,
    parameterSets: [
      Buffer.from('40010c01ffff01600000030000030000030000030099ac09', 'hex'),
      Buffer.from(
        '420101016000000300000300000300000300 99a00f080107cb965d2908bb02000003000200000300610a'.replace(
          ' ',
          '',
        ),
        'hex',
      ),
      Buffer.from('4401c172b46240', 'hex'),
    ],
  }
  write(feed, fakeUnit({ key: true, config: hevc, ptsMs: 7 }), fakeUnit({ ms: 40, config: hevc }))
  await idle()
  const video = tagsOf(viewer).filter(({ kind }) => kind === 'video')
  expect(video.map(({ body }) => Buffer.from(body.subarray(0, 8)).toString('hex'))).toEqual([
    expect.stringMatching(/^9068766331/),
    '9168766331000007',
    'a168766331000000',
  ])
})

test('sound that browsers cannot play is left out', async () => {
  const { feed } = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }), fakeUnit({ ms: 5, config: { ...fakeAudio, codec: 'g711a' } }))
  await idle()
  expect(unchunk(viewer.bytes)[4]).toBe(1)
  expect(tagsOf(viewer).every(({ kind }) => kind !== 'audio')).toBe(true)
})

test('a change of configuration is passed on before the first picture that needs it', async () => {
  const { feed } = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }))
  await idle()
  write(feed, fakeUnit({ ms: 40, key: true, config: { ...fakeVideo, width: 320 } }))
  await idle()
  expect(shown(tagsOf(viewer)).slice(1)).toEqual([
    'video 0 23/0',
    'video 0 23/1',
    'video 40 23/0',
    'video 40 23/1',
  ])
})

test('time goes on when the source’s clock starts anew, and shows a true gap', async () => {
  const { feed } = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  write(feed, fakeUnit({ ms: 0, key: true }), fakeUnit({ ms: 5000 }))
  await idle()
  write(feed, fakeUnit({ ms: 3000, key: true, epoch: 1 }), fakeUnit({ ms: 3040, epoch: 1 }))
  write(feed, fakeUnit({ ms: 9000, key: true, epoch: 2 }))
  await idle()
  expect(
    tagsOf(viewer)
      .slice(2)
      .map(({ timestampMs }) => timestampMs),
  ).toEqual([0, 5000, 5001, 5041, 11_001])
})

test('ends when players could not read the time any more', () => {
  const { feed } = openFeed()
  expect(write(feed, fakeUnit({ ms: 0, key: true }), fakeUnit({ ms: flvTimeMsMax })).at(-1)).toBe(false)
})

test('WebSocket: each write is whole frames, and the frames hold the same FLV', async () => {
  const { feed } = openFeed('ws')
  const viewer = new FakeViewer()
  feed.join(viewer)
  for (const bytes of [10, 100, 200, 70_000]) write(feed, fakeUnit({ key: bytes === 10, bytes }))
  await idle()
  const payloads: Buffer[] = []
  for (let at = 0; at < viewer.bytes.length; ) {
    expect(viewer.bytes[at]).toBe(0x82)
    const short = viewer.bytes[at + 1] ?? 0
    const size =
      short < 126
        ? short
        : short === 126
          ? viewer.bytes.readUInt16BE(at + 2)
          : viewer.bytes.readUInt32BE(at + 6)
    at += short < 126 ? 2 : short === 126 ? 4 : 10
    payloads.push(viewer.bytes.subarray(at, at + size))
    at += size
  }
  expect(new FlvParser().push(Buffer.concat(payloads)).filter(({ kind }) => kind === 'video')).toHaveLength(5)
})

test('a viewer that stops reading holds a bounded number of bytes, hurts nobody, and is ended and counted', async () => {
  const { feed, figures, left } = openFeed()
  const stalled = new FakeViewer({ reading: false })
  const good = new FakeViewer()
  feed.join(stalled)
  feed.join(good)
  for (let i = 0; i < 500; i += 1) {
    nowMs = i * 40
    write(feed, fakeUnit({ ms: nowMs, key: i % 25 === 0, bytes: 20_000 }))
    await idle(3)
    expect(stalled.heldBytes).toBeLessThanOrEqual(viewerLagBytesMax)
  }
  await idle()
  expect(tagsOf(good).filter(({ kind }) => kind === 'video')).toHaveLength(501)
  expect(stalled.ended).toBe('stalled')
  expect(left).toEqual(['stalled'])
  expect(figures.skips).toBeGreaterThan(0)
  expect(nowMs).toBeGreaterThan(viewerStallMs)
})

test('a slow viewer loses whole GOPs: after a skip it goes on at a key frame, with the configuration if it changed', async () => {
  const { feed, figures } = openFeed()
  const slow = new FakeViewer({ reading: false })
  feed.join(slow)
  for (let i = 0; i < 200; i += 1) {
    nowMs = i * 40
    const config = i < 100 ? fakeVideo : wide
    write(feed, fakeUnit({ ms: nowMs, key: i % 25 === 0, bytes: 20_000, config }))
    await idle(3)
    if (i % 60 === 59) slow.take()
  }
  slow.reading = true
  slow.take()
  await idle()
  const tags = tagsOf(slow).filter(({ kind }) => kind === 'video')
  const pictures = tags.filter(({ body }) => body[1] === 1)
  const jumps = pictures.filter(
    ({ timestampMs }, i) => i > 0 && timestampMs - (pictures[i - 1]?.timestampMs ?? 0) > 40,
  )
  expect(jumps.length).toBeGreaterThan(0)
  expect(jumps.every(({ body }) => body[0] === 0x17)).toBe(true)
  expect(figures.skips).toBe(jumps.length)
  expect(tags.filter(({ body }) => body[1] === 0).length).toBe(2)
  expect(pictures.at(-1)?.timestampMs).toBe(199 * 40)
})
const wide = { ...fakeVideo, width: 1280 }

test('joining inside of a large GOP is not lagging', async () => {
  const { feed, figures } = openFeed()
  write(feed, fakeUnit({ key: true, bytes: 3_000_000 }))
  for (let i = 1; i < 100; i += 1) write(feed, fakeUnit({ ms: i * 40, bytes: 50_000 }))
  const viewer = new FakeViewer()
  feed.join(viewer)
  nowMs = 5000
  for (let i = 100; i < 110; i += 1) {
    write(feed, fakeUnit({ ms: i * 40, bytes: 50_000 }))
    await idle(2)
  }
  await idle(100)
  expect(tagsOf(viewer).filter(({ kind }) => kind === 'video')).toHaveLength(111)
  expect(figures.skips).toBe(0)
})

test('a GOP without end is not kept: who comes waits for the next key frame', async () => {
  const { feed } = openFeed()
  write(feed, fakeUnit({ key: true }))
  for (let i = 1; i < 5000; i += 1) write(feed, fakeUnit({ ms: i }))
  const viewer = new FakeViewer()
  expect(feed.join(viewer).started).toBe(false)
  write(feed, fakeUnit({ ms: 5000, key: true }))
  await idle()
  expect(tagsOf(viewer).map(({ timestampMs }) => timestampMs)).toEqual([0, 5000, 5000])
})

test('a viewer that skipped does not wait for ever for a key frame that never comes', async () => {
  const { feed, left, figures } = openFeed()
  const slow = new FakeViewer({ reading: false })
  feed.join(slow)
  write(feed, fakeUnit({ key: true }))
  await idle()
  nowMs = 4000
  for (let i = 1; i < 5000; i += 1) write(feed, fakeUnit({ ms: i }))
  await idle()
  expect(figures.skips).toBe(1)
  slow.take()
  for (const [atMs, expected] of [
    [4000 + keyFrameWaitMs, []],
    [4001 + keyFrameWaitMs, ['no-key-frame']],
  ] as const) {
    nowMs = atMs
    write(feed, fakeUnit({ ms: atMs }))
    await idle()
    expect(left).toEqual(expected)
  }
})

test('a socket that fails ends its viewer', async () => {
  const { feed, left } = openFeed()
  const viewer = new FakeViewer({ reading: false })
  feed.join(viewer)
  write(feed, fakeUnit({ key: true }))
  await idle()
  viewer.fail()
  expect(left).toEqual(['gone'])
})
