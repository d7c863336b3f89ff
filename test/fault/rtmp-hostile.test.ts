import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { rtmpSetupMs } from '../../shared/limits.ts'
import type { FlvTag } from '../../shared/media/flv.ts'
import { flvPicture, flvVideoConfig } from '../../shared/media/flv-video.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { RtmpClient } from '../support/rtmp-client.ts'
import { openRtmpRig } from '../support/rtmp-rig.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'

// RELIABILITY.md C5, D1 and D6 through the door, the hub and the players' side; C1–C4, C9–C11 and C16 are in the unit
// and fuzz tests of the layers.

const until = (condition: () => boolean) =>
  expect.poll(condition, { timeout: 20_000, interval: 5 }).toBe(true)
const wrap = 2 ** 32

/** `stampMs` wraps as it does on the wire; `compositionMs` is signed. */
function picture(n: number, stampMs: number, compositionMs = 0): FlvTag {
  const unit = syntheticPicture(n, { startMs: 0 })
  const body = Buffer.concat(flvPicture({ ...unit, ptsMs: unit.dtsMs + compositionMs }))
  return { kind: 'video', timestampMs: ((stampMs % wrap) + wrap) % wrap, body }
}

const config: FlvTag = { kind: 'video', timestampMs: 0, body: Buffer.concat(flvVideoConfig(syntheticVideo)) }
const stampsOf = (player: RtmpClient) =>
  player.tags.filter(({ kind, body }) => kind === 'video' && body[1] === 1).map((tag) => tag.timestampMs)
const steps = (times: readonly number[]) => times.slice(1).map((ms, i) => ms - (times[i] ?? 0))

test('a thousand peers that shake hands for ever are closed and counted, and meanwhile all others are served (C5)', async () => {
  const clock = new ManualClock()
  await using rig = await openRtmpRig({ clock })
  const half = Array.from({ length: 1000 }, () => {
    const socket = connect(rig.door.port, '127.0.0.1').on('error', () => undefined)
    socket.write(Uint8Array.of(3))
    return socket
  })
  await until(() => rig.door.sessions().length === 1000)
  for (let ms = 0; ms < rtmpSetupMs; ms += 1000) {
    await clock.advance(1000)
    for (const socket of half) socket.write(Uint8Array.of(0))
    await using client = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
    expect(client.error).toBeUndefined()
    await client[Symbol.asyncDispose]()
    await until(() => rig.door.sessions().length === 1000)
  }
  await clock.advance(1000)
  expect(rig.door.ended['handshake-timeout']).toBe(1000)
  expect(rig.door.sessions()).toEqual([])
  for (const socket of half) socket.destroy()
})

describe('stamps (D1): viewers and the recorder see one timeline', () => {
  test.each([
    ['around 49.7 days', wrap - 400],
    ['around 24 bits', 0xfffffe - 400],
    ['at 0xfffffe, 0xffffff and 0x1000000', 0xfffffe],
    ['from 2³¹ on', 2 ** 31 - 400],
  ])('%s', async (name, startMs) => {
    await using rig = await openRtmpRig()
    await using publisher = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
    const step = name.startsWith('at') ? 1 : 40
    publisher.send({ ...config, timestampMs: startMs })
    publisher.send(picture(0, startMs))
    await until(() => rig.units.length === 1)
    await using player = await RtmpClient.open(rig.url('cam', 'admin'), 'play')
    await until(() => rig.play.figures.viewers.rtmp === 1)
    for (let n = 1; n < 30; n += 1) publisher.send(picture(n, startMs + n * step))
    await until(() => stampsOf(player).length === 30)
    expect(steps(rig.units.map(({ dtsMs }) => dtsMs))).toEqual(Array(29).fill(step))
    expect(stampsOf(player)).toEqual(Array.from({ length: 30 }, (_, n) => n * step))
    expect(new Set(rig.units.map(({ epoch }) => epoch)).size).toBe(1)
  })
})

describe('clocks that misbehave (D6): recording never stops, and viewers’ times never step back', () => {
  const tenHours = 36_000_000
  test.each([
    ['PTS before DTS', (n: number) => n * 40, -40],
    ['the same stamp again and again', (n: number) => Math.floor(n / 3) * 120, 0],
    ['a jump of ten hours', (n: number) => n * 40 + (n >= 10 ? tenHours : 0), 0],
    ['ten hours back', (n: number) => tenHours + n * 40 - (n >= 10 ? tenHours : 0), 0],
    ['jitter of two seconds', (n: number) => 10_000 + n * 40 + (n % 2 ? 1900 : 0), 0],
    ['two seconds to and fro', (n: number) => 10_000 + n * 40 + (n % 4 < 2 ? 2100 : 0), 0],
    ['leaps that never end', (n: number) => (n % 2 ? tenHours : 0) + n * 40, 0],
    ['noise', (n: number) => (n * 2_654_435_761) % wrap, 0],
  ])('%s', async (_name, stampOf, compositionMs) => {
    await using rig = await openRtmpRig()
    await using publisher = await RtmpClient.open(rig.url('cam', 'admin'), 'publish')
    publisher.send({ ...config, timestampMs: stampOf(0) })
    publisher.send(picture(0, stampOf(0), compositionMs))
    await until(() => rig.units.length === 1)
    await using player = await RtmpClient.open(rig.url('cam', 'admin'), 'play')
    await until(() => rig.play.figures.viewers.rtmp === 1)
    for (let n = 1; n < 60; n += 1) publisher.send(picture(n, stampOf(n), compositionMs))
    await until(() => rig.units.length === 60)
    await until(() => stampsOf(player).length === 60)
    const dts = rig.units.map(({ dtsMs }) => dtsMs)
    expect(dts).toEqual(dts.toSorted((a, b) => a - b))
    expect(stampsOf(player)).toEqual(stampsOf(player).toSorted((a, b) => a - b))
    expect(rig.units.every(({ ptsMs }) => Number.isSafeInteger(ptsMs))).toBe(true)
    expect(rig.door.ended).toEqual({})
    expect(publisher.closed).toBe(false)
  })
})
