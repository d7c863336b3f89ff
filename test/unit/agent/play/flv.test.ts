import { expect, test } from 'vitest'
import { createHub } from '../../../../agent/hub/hub.ts'
import { createFlvPlay } from '../../../../agent/play/flv.ts'
import { keyFrameWaitMs } from '../../../../shared/limits.ts'
import { FlvParser } from '../../../../shared/media/flv.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeViewer, idle, unchunk } from '../../../support/fake-viewer.ts'
import { fakeUnit } from '../../../support/live-units.ts'

function rig() {
  const clock = new FakeClock()
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = createHub({ openSink: () => sink, clock, onEvent: () => undefined })
  const play = createFlvPlay({ findStream: (name) => hub.stream(name), clock, soundAheadMs: 0 })
  const publisher = hub.publish({ name: 'cam', kind: 'phone', identity: 'a', onDisplaced: () => undefined })
  return { clock, hub, play, publisher }
}

test('viewers of both transports see the stream and are counted', async () => {
  const { hub, play, publisher } = rig()
  publisher.push(fakeUnit({ ms: 0, key: true }))
  const http = new FakeViewer()
  const ws = new FakeViewer()
  const first = play.find('cam').join('http', http)
  play.find('cam').join('ws', ws)
  await idle()
  expect(play.figures.viewers).toEqual({ http: 1, ws: 1, rtmp: 0 })
  expect(hub.stream('cam')?.viewers).toBe(2)
  expect(new FlvParser().push(unchunk(http.bytes)).map(({ kind }) => kind)).toEqual([
    'script',
    'video',
    'video',
  ])
  expect(ws.bytes[0]).toBe(0x82)

  first.gone()
  first.gone()
  play[Symbol.dispose]()
  expect(play.figures).toMatchObject({ viewers: { http: 0, ws: 0 }, ended: { gone: 1, shutdown: 1 } })
  expect(hub.stream('cam')?.viewers).toBe(0)
})

test('a viewer is held until the first key frame', async () => {
  const { clock, play, publisher } = rig()
  const viewer = new FakeViewer()
  play.find('cam').join('http', viewer)
  clock.advance(keyFrameWaitMs - 1)
  publisher.push(fakeUnit({ ms: 0 }))
  await idle()
  expect(viewer.writes).toBe(0)
  publisher.push(fakeUnit({ ms: 40, key: true }))
  await idle()
  clock.advance(keyFrameWaitMs)
  await idle()
  expect(viewer.bytes.length).toBeGreaterThan(0)
  expect(viewer.ended).toBeUndefined()
})

test('… or until a deadline, with a reason', async () => {
  const { clock, play } = rig()
  const viewer = new FakeViewer()
  play.find('cam').join('ws', viewer)
  clock.advance(keyFrameWaitMs)
  await idle()
  expect(viewer.ended).toBe('no-key-frame')
  expect(play.figures.ended['no-key-frame']).toBe(1)
})

test('who waits for a source that may take its time is held longer, and told when it did not come', async () => {
  const { clock, hub } = rig()
  const waitMs = (stream: string) => (stream === 'vehicle' ? keyFrameWaitMs * 2 : undefined)
  const play = createFlvPlay({ findStream: (name) => hub.expect(name), waitMs, clock, soundAheadMs: 0 })
  const [vehicle, camera] = [new FakeViewer(), new FakeViewer()]
  play.find('vehicle').join('http', vehicle)
  play.find('camera').join('http', camera)
  clock.advance(keyFrameWaitMs)
  await idle()
  expect([vehicle.ended, camera.ended]).toEqual([undefined, 'no-source'])
  clock.advance(keyFrameWaitMs)
  await idle()
  expect(vehicle.ended).toBe('no-source')
})

test('viewers stay while the publisher is away for a moment, and leave when it does not come back', async () => {
  const { clock, hub, play, publisher } = rig()
  publisher.push(fakeUnit({ ms: 0, key: true }))
  const viewer = new FakeViewer()
  play.find('cam').join('http', viewer)
  publisher.end('lost')
  await idle()
  const next = hub.publish({ name: 'cam', kind: 'phone', identity: 'a', onDisplaced: () => undefined })
  next.push(fakeUnit({ ms: 8000, key: true, epoch: 1 }))
  await idle()
  const times = new FlvParser()
    .push(unchunk(viewer.bytes))
    .filter(({ kind, body }) => kind === 'video' && body[1] === 1)
  expect(times.map(({ timestampMs }) => timestampMs)).toEqual([0, 8000])
  next.end('lost')
  clock.advance(30_000)
  await idle()
  expect(viewer.ended).toBe('ended')
})

test.each([
  ['nobody', 'NotFound'],
  ['..%2fetc', 'InvalidArgument'],
  ['a'.repeat(65), 'InvalidArgument'],
])('%s is not found', (name, kind) => {
  const { play } = rig()
  expect(() => play.find(name)).toThrow(expect.objectContaining({ kind }))
})

test('when the last viewer leaves, nothing is framed any more', () => {
  const { play, publisher } = rig()
  publisher.push(fakeUnit({ ms: 0, key: true }))
  const viewer = new FakeViewer()
  play.find('cam').join('http', viewer).gone()
  const { bytes } = play.figures
  publisher.push(fakeUnit({ ms: 40, key: true }))
  expect(play.figures.bytes).toBe(bytes)
})
