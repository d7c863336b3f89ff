import { expect, test } from 'vitest'
import { schedule } from '../../../../agent/play/flush-timer.ts'
import { FlvFeed } from '../../../../agent/play/flv-feed.ts'
import { packings } from '../../../../agent/play/packing.ts'
import { ChunkReader } from '../../../../agent/protocol/rtmp/chunk-reader.ts'
import { setChunkSize } from '../../../../agent/protocol/rtmp/chunk-writer.ts'
import type { RtmpMessage } from '../../../../agent/protocol/rtmp/message.ts'
import { rtmpChunkBytesSent } from '../../../../shared/limits.ts'
import { FakeViewer, idle } from '../../../support/fake-viewer.ts'
import { fakeAudio, fakeUnit, fakeVideo } from '../../../support/live-units.ts'

function openFeed(startedAtMs = 0) {
  return new FlvFeed({
    packing: packings.rtmp,
    startedAtMs,
    now: () => 0,
    schedule,
    mergeMs: 0,
    soundAheadMs: 0,
    figures: { bytes: 0, skips: 0, skippedBytes: 0 },
    onViewerEnd: () => undefined,
  })
}

function messagesOf(...pieces: Uint8Array[]): RtmpMessage[] {
  const reader = new ChunkReader()
  const messages: RtmpMessage[] = []
  for (const piece of [setChunkSize(rtmpChunkBytesSent), ...pieces])
    reader.push(piece, (m) => messages.push(m))
  return messages
}
const shown = (messages: readonly RtmpMessage[]) =>
  messages.map(
    ({ type, streamId, timestampMs, payload }) =>
      `${type} ${streamId} ${timestampMs} ${payload[0]}/${payload[1]}`,
  )

test('metadata, configuration, the GOP and live, all on the stream that createStream names', async () => {
  const feed = openFeed(1000)
  feed.write(fakeUnit({ ms: 1000, key: true }))
  feed.write(fakeUnit({ ms: 1005, config: fakeAudio }))
  feed.write(fakeUnit({ ms: 3000, key: true, bytes: 200_000 }))
  const viewer = new FakeViewer()
  feed.join(viewer)
  await idle()
  feed.write(fakeUnit({ ms: 3040 }))
  await idle()
  expect(shown(messagesOf(viewer.bytes))).toEqual([
    '18 1 0 2/0',
    '9 1 2000 23/0',
    '8 1 2000 175/0',
    '9 1 2000 23/1',
    '9 1 2040 39/1',
  ])
})

test('each write is whole messages: control messages may stand between any two', async () => {
  const feed = openFeed()
  const writes: Buffer[] = []
  feed.join({
    write: (chunks, done) => {
      writes.push(Buffer.concat(chunks))
      setImmediate(done)
      return false
    },
    end: () => undefined,
  })
  for (let n = 0; n < 200; n += 1) {
    feed.write(fakeUnit({ ms: n * 40, key: n % 25 === 0, bytes: 10_000 + n * 997 }))
    if (n % 3 === 0) await idle(2)
  }
  await idle(100)
  expect(writes.length).toBeGreaterThan(10)
  for (const write of writes) expect(messagesOf(write).length).toBeGreaterThan(0)
  expect(messagesOf(...writes)).toHaveLength(202)
})

test('past 0xffffff ms the time is extended, in every chunk', async () => {
  const feed = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  for (const ms of [0xfffffe, 0xffffff, 0x1000000]) {
    feed.write(fakeUnit({ ms, key: true, bytes: 70_000 }))
    await idle()
  }
  expect(
    messagesOf(viewer.bytes)
      .slice(2)
      .map(({ timestampMs }) => timestampMs),
  ).toEqual([0xfffffe, 0xffffff, 0x1000000])
})

test.each(['g711a', 'opus', 'mp3'] as const)('players take %s', async (codec) => {
  const feed = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  feed.write(fakeUnit({ key: true }))
  feed.write(fakeUnit({ ms: 5, config: { ...fakeAudio, codec } }))
  await idle()
  expect(messagesOf(viewer.bytes).at(-1)?.type).toBe(8)
})

test.each([
  ['av1', '9061763031', '9161763031'],
  ['vp9', '9076703039', '9176703039'],
] as const)('%s is passed on as Enhanced', async (codec, config, picture) => {
  const feed = openFeed()
  const viewer = new FakeViewer()
  feed.join(viewer)
  feed.write(fakeUnit({ key: true, config: { ...fakeVideo, codec, parameterSets: [Uint8Array.of(0x81)] } }))
  await idle()
  const heads = messagesOf(viewer.bytes)
    .slice(1)
    .map(({ payload }) => Buffer.from(payload.subarray(0, 5)).toString('hex'))
  expect(heads).toEqual([config, picture])
})
