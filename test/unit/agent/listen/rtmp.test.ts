import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MediaRequest, Principal } from '../../../../agent/control/auth.ts'
import { chunked } from '../../../../agent/protocol/rtmp/chunk-writer.ts'
import { command, messageType } from '../../../../agent/protocol/rtmp/message.ts'
import { AppError } from '../../../../shared/error.ts'
import { rtmpSetupMs, rtmpSilenceMs } from '../../../../shared/limits.ts'
import type { FlvTag } from '../../../../shared/media/flv.ts'
import { flvPicture, flvVideoConfig } from '../../../../shared/media/flv-video.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { RtmpClient } from '../../../support/rtmp-client.ts'
import { openRtmpRig, principalOf } from '../../../support/rtmp-rig.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

let rig: Awaited<ReturnType<typeof openRtmpRig>>
beforeEach(async () => {
  rig = await openRtmpRig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const tag = (kind: FlvTag['kind'], timestampMs: number, parts: readonly Uint8Array[]): FlvTag => ({
  kind,
  timestampMs,
  body: Buffer.concat(parts),
})
const config = tag('video', 0, flvVideoConfig(syntheticVideo))
const picture = (n: number, at = n * 40) => tag('video', at, flvPicture(syntheticPicture(n)))
const until = (condition: () => boolean) => expect.poll(condition, { timeout: 5000, interval: 5 }).toBe(true)

test('what one publishes, another plays: metadata, configuration, the GOP, then live, from time 0', async () => {
  await using publisher = await RtmpClient.open(rig.url('cam', 'publisher:cam'), 'publish')
  publisher.send({ ...config, timestampMs: 3_600_000 })
  for (const n of [0, 1, 2]) publisher.send(picture(n, 3_600_000 + n * 40))
  await until(() => rig.units.length === 3)
  await using player = await RtmpClient.open(rig.url('cam', 'viewer:cam'), 'play')
  await until(() => player.tags.length === 5)
  publisher.send(picture(3, 3_600_120))
  await until(() => player.tags.length === 6)
  expect(player.tags.map(({ kind, timestampMs, body }) => `${kind} ${timestampMs} ${body[1]}`)).toEqual([
    'script 0 0',
    'video 0 0',
    'video 0 1',
    'video 40 1',
    'video 80 1',
    'video 120 1',
  ])
  expect(player.tags[5]?.body).toEqual(picture(3).body)
  expect(rig.door.sessions()).toMatchObject([
    { role: 'publisher', app: 'live', stream: 'cam' },
    { role: 'viewer', app: 'live', stream: 'cam' },
  ])
})

test.each([
  ['simple', false],
  ['with digests', true],
])('handshake %s', async (_name, digest) => {
  await using client = await RtmpClient.open(rig.url('cam', 'publisher'), 'publish', { digest })
  expect(client.error).toBeUndefined()
})

describe('who may', () => {
  test.each([
    ['publish', undefined, /needs a token/],
    ['publish', 'wrong', /needs a token/],
    ['publish', 'viewer:cam', /does not allow/],
    ['publish', 'publisher:other', /does not allow/],
    ['play', undefined, /needs a token/],
    ['play', 'publisher:cam', /does not allow/],
    ['play', 'viewer:other', /does not allow/],
    ['play', 'viewer:cam', /no stream/],
  ] as const)('%s with the token %s is refused in words, and counted', async (mode, token, words) => {
    await using client = await RtmpClient.open(rig.url('cam', token), mode)
    expect(client.error?.message).toMatch(words)
    await until(() => client.closed && rig.door.ended.refused === 1)
    expect(rig.events[0]).toMatchObject({ type: 'refused', door: 'rtmp' })
    expect(rig.hub.stream('cam')).toBeUndefined()
  })

  test.each(['..%2fx', 'a/b', 'CON', 'x'.repeat(65), 'é'])('%s is no name', async (name) => {
    await using client = await RtmpClient.open(rig.url(name, 'admin'), 'publish')
    expect(client.error?.message).toMatch(/not a name/)
    expect(rig.hub.streams()).toEqual([])
  })
})

describe('one publisher for each stream', () => {
  test('another is refused', async () => {
    await using first = await RtmpClient.open(rig.url('cam', 'publisher:cam'), 'publish')
    await using second = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
    expect(second.error?.message).toMatch(/another publisher/)
    expect(first.closed).toBe(false)
  })

  test('the same takes over at once, and its viewers stay', async () => {
    await using first = await RtmpClient.open(rig.url('cam', 'publisher:cam'), 'publish')
    first.send(config)
    first.send(picture(0))
    await until(() => rig.units.length === 1)
    await using player = await RtmpClient.open(rig.url('cam', 'viewer:cam'), 'play')
    await using second = await RtmpClient.open(rig.url('cam', 'publisher:cam'), 'publish')
    await until(() => first.closed)
    second.send(config)
    second.send(picture(10, 0))
    await until(() => player.tags.length === 5)
    const times = player.tags.map(({ timestampMs }) => timestampMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(rig.door.ended).toEqual({ displaced: 1 })
    expect(player.closed).toBe(false)
  })

  test('one that was cut off comes back: a gap says so, and viewers’ times go on; one that said goodbye leaves none', async () => {
    const send = async (how: 'leave' | 'cut', n: number) => {
      const client = await RtmpClient.open(rig.url('cam', 'publisher:cam'), 'publish')
      client.send(config)
      client.send(picture(0, 5000))
      client.send(picture(1, 5040))
      await until(() => rig.units.length === n)
      if (how === 'leave') client.leave()
      else client.socket.resetAndDestroy()
      await until(() => rig.hub.stream('cam')?.state === 'waiting')
      await client[Symbol.asyncDispose]()
    }
    await send('cut', 2)
    await using player = await RtmpClient.open(rig.url('cam', 'viewer:cam'), 'play')
    await send('leave', 4)
    await send('leave', 6)
    await until(() => player.tags.length > 8)
    expect(rig.gaps).toEqual([
      { fromMs: rig.units[1]?.ptsMs, toMs: rig.units[2]?.ptsMs, cause: 'source-lost' },
    ])
    expect(rig.units.map(({ epoch }) => epoch)).toEqual([0, 0, 1, 1, 2, 2])
    const times = player.tags.slice(1).map(({ timestampMs }) => timestampMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('of a hundred at once exactly one wins', async () => {
    const clients = await Promise.all(
      Array.from({ length: 100 }, (_, n) => RtmpClient.open(rig.url('cam', `publisher:cam:${n}`), 'publish')),
    )
    expect(clients.filter(({ error }) => !error)).toHaveLength(1)
    for (const client of clients) await client[Symbol.asyncDispose]()
  })
})

test('viewers are told when the stream is over', async () => {
  await using short = await openRtmpRig({ graceMs: 20 })
  const publisher = await RtmpClient.open(short.url('cam', 'admin'), 'publish')
  publisher.send(config)
  publisher.send(picture(0))
  await until(() => short.units.length === 1)
  await using player = await RtmpClient.open(short.url('cam', 'admin'), 'play')
  publisher.leave()
  await until(() => player.ended === 'NetStream.Play.Stop')
  await until(() => player.closed)
  expect(short.door.ended).toMatchObject({ ended: 1 })
  await publisher[Symbol.asyncDispose]()
})

test('a player that leaves the stream may play again on the same connection; one that pauses goes on at a key frame', async () => {
  await using publisher = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
  publisher.send(config)
  publisher.send(picture(0))
  await until(() => rig.units.length === 1)
  await using player = await RtmpClient.open(rig.url('cam', 'admin'), 'play')
  const say = (name: string, ...values: (string | number | boolean | null)[]) =>
    player.socket.write(
      chunked({
        type: messageType.command,
        streamId: 1,
        timestampMs: 0,
        parts: [command(name, 9, ...values)],
      }),
    )
  await until(() => rig.play.figures.viewers.rtmp === 1)
  say('pause', null, true, 0)
  await until(() => rig.play.figures.viewers.rtmp === 0)
  say('pause', null, false, 0)
  await until(() => rig.play.figures.viewers.rtmp === 1)
  say('deleteStream', null, 1)
  await until(() => rig.play.figures.viewers.rtmp === 0)
  expect(player.closed).toBe(false)
  say('createStream', null)
  say('play', null, 'cam?token=admin')
  await until(() => rig.play.figures.viewers.rtmp === 1)
})

test('a player whose token was revoked while it paused does not go on', async () => {
  let isRevoked = false
  const admit = (request: MediaRequest): Principal => {
    if (isRevoked) throw new AppError('Unauthenticated', 'this needs a token')
    return { role: 'admin', subject: String(request.stream), via: 'query' }
  }
  await using revoking = await openRtmpRig({ admit })
  await using publisher = await RtmpClient.open(revoking.url('cam'), 'publish')
  publisher.send(config)
  publisher.send(picture(0))
  await using player = await RtmpClient.open(revoking.url('cam'), 'play')
  const pause = (paused: boolean) => {
    const parts = [command('pause', 9, null, paused, 0)]
    player.socket.write(chunked({ type: messageType.command, streamId: 1, timestampMs: 0, parts }))
  }
  await until(() => revoking.play.figures.viewers.rtmp === 1)
  pause(true)
  await until(() => revoking.play.figures.viewers.rtmp === 0)
  isRevoked = true
  pause(false)
  await until(() => player.closed)
  expect(revoking.door.ended).toMatchObject({ refused: 1 })
})

describe('deadlines', () => {
  test('half a handshake ends after ten seconds, an idle connection and a silent publisher too', async () => {
    const clock = new ManualClock()
    await using slow = await openRtmpRig({ clock })
    const half = connect(slow.door.port, '127.0.0.1')
    half.write(Uint8Array.of(3, 0, 0))
    const publisher = await RtmpClient.open(slow.url('cam', 'admin'), 'publish')
    await until(() => slow.door.sessions().length === 2)
    await clock.advance(rtmpSetupMs - 1000)
    expect(slow.door.ended).toEqual({})
    half.write(Uint8Array.of(0))
    await clock.advance(3000)
    expect(slow.door.ended).toEqual({ 'handshake-timeout': 1 })
    await clock.advance(rtmpSilenceMs)
    expect(slow.door.ended).toEqual({ 'handshake-timeout': 1, silent: 1 })
    await until(() => publisher.closed)
    expect(slow.door.sessions()).toEqual([])
  })
})

describe('hostile peers', () => {
  test.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'malformed'],
    ['RTMPE', Buffer.concat([Buffer.of(6), Buffer.alloc(1536)]), 'malformed'],
    [
      'noise behind the handshake',
      Buffer.concat([Buffer.of(3), Buffer.alloc(3072), Buffer.alloc(5000, 0xee)]),
      'malformed',
    ],
  ])('%s: closed and counted, the door stays open', async (_name, bytes, reason) => {
    const socket = connect(rig.door.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.write(bytes)
    await until(() => socket.closed)
    expect(rig.door.ended).toEqual({ [reason]: 1 })
    await using client = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
    expect(client.error).toBeUndefined()
  })

  test('a flood of questions whose answers nobody reads is cut', async () => {
    const socket = connect(rig.door.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.pause()
    socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(3072)]))
    const call = chunked({ type: 20, streamId: 0, timestampMs: 0, parts: [command('createStream', 5, null)] })
    const many = Buffer.concat(Array.from({ length: 30_000 }, () => call))
    socket.write(many)
    await until(() => rig.door.ended.flood === 1)
    socket.destroy()
  })
})

test.skipIf(!sharedPath('data/rtmp')).each([
  ['ffmpeg51_avc_aac', 100],
  ['gst122_rtmp2sink', 0],
])('the capture of %s, sent without waiting for answers', async (name, frames) => {
  await using open = await openRtmpRig({ admit: () => principalOf('publisher') })
  const socket = connect(open.door.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  socket.end(readFileSync(sharedPath('data/rtmp', `${name}.conn0.client.bin`) ?? ''))
  await until(() => open.door.ended.peer === 1)
  expect(open.units.filter(({ track }) => track === 'video').length).toBeGreaterThan(90)
  expect(open.units.filter(({ track }) => track === 'audio').length).toBeGreaterThanOrEqual(frames)
  expect(open.ingest.refused).toEqual({
    'bad-picture': 0,
    'bad-sound': 0,
    'no-configuration': 0,
    'bad-metadata': 0,
  })
  expect(open.events.filter(({ type }) => type === 'fault')).toEqual([])
})
