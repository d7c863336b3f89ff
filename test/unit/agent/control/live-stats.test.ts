import { expect, test } from 'vitest'
import { liveStats, liveTimes } from '../../../../agent/control/live-stats.ts'
import { Histogram, Metrics } from '../../../../agent/control/metrics.ts'
import { createHub } from '../../../../agent/hub/hub.ts'
import { createFlvPlay } from '../../../../agent/play/flv.ts'
import { stats } from '../../../../shared/contract/agent-api.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeViewer } from '../../../support/fake-viewer.ts'
import { fakeUnit } from '../../../support/live-units.ts'

test.each([
  [[], 0.5, 0],
  [[1], 0.5, 1],
  [[0.4, 0.6, 5, 7], 0.5, 1],
  [[0.4, 0.6, 5, 7], 0.99, 10],
  [[1e9], 0.5, 10],
])('the quantile of %o at %d is the bound %d', (values, share, bound) => {
  const histogram = new Histogram([0.5, 1, 10])
  for (const value of values) histogram.observe(value)
  expect(histogram.quantile(share)).toBe(bound)
})

function rig() {
  const clock = new FakeClock()
  const metrics = new Metrics()
  const times = liveTimes(metrics)
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = createHub({ openSink: () => sink, clock, onEvent: () => undefined })
  const flushes: (() => void)[] = []
  const play = createFlvPlay({
    soundAheadMs: 0,
    findStream: (name) => hub.stream(name),
    clock,
    timing: times,
    schedule: (flush) => {
      flushes.push(flush)
      return () => undefined
    },
  })
  const publisher = hub.publish({ name: 'cam', kind: 'rtmp', identity: 'x', onDisplaced: () => undefined })
  const read = () =>
    liveStats({
      ...{ hub, play: play.figures, times },
      hooks: () => ({ queued: 0, delivered: 0, failed: 0, dropped: 0 }),
      forwards: () => [],
      rtmpConnections: () => 1,
      grpcViewers: () => 3,
    })
  const push = (ms: number, key = false) =>
    publisher.push(fakeUnit({ ms, key, arrivalMs: clock.monotonicMs() }))
  const flush = () => {
    for (const each of flushes.splice(0)) each()
  }
  return { clock, metrics, play, hub, read, push, flush }
}

test('latency: from arrival to the socket, of every viewer that runs; joining is counted by itself', () => {
  const { clock, metrics, play, read, push, flush } = rig()
  const viewers = [new FakeViewer(), new FakeViewer()]
  for (const viewer of viewers) play.find('cam').join('http', viewer)
  clock.advance(80)
  push(0, true)
  flush()
  expect(read()).toMatchObject({ joinMs: { p50: 100, p99: 100 }, latencyMs: { p50: 0, p99: 0 } })
  for (const viewer of viewers) viewer.take()
  push(40)
  clock.advance(4)
  flush()
  expect(read()).toMatchObject({
    latencyMs: { p50: 5, p99: 5 },
    publishers: { rtmp: 1 },
    viewers: { http: 2, grpc: 3 },
  })
  expect(metrics.text()).toMatch(/^edgereel_viewer_latency_seconds_bucket\{le="0.005"\} 2$/m)
  expect(metrics.text()).toMatch(/^edgereel_viewer_latency_seconds_sum 0.008$/m)
})

test('what waits for the write before it is late by that wait', () => {
  const { clock, play, read, push, flush } = rig()
  push(0, true)
  const viewer = new FakeViewer({ reading: false })
  play.find('cam').join('ws', viewer)
  push(40)
  flush()
  clock.advance(200)
  push(80)
  flush()
  expect(read().latencyMs).toEqual({ p50: 0, p99: 0 })
  viewer.take()
  expect(read().latencyMs).toEqual({ p50: 250, p99: 250 })
})

test('the shape is that of the contract', () => {
  const live = stats.shape.live.unwrap()
  expect(live.parse(rig().read())).toEqual(rig().read())
})
