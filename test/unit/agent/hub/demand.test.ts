import { beforeEach, expect, test } from 'vitest'
import { Demand } from '../../../../agent/hub/demand.ts'
import { createHub } from '../../../../agent/hub/hub.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

let clock: ManualClock
let log: string[]
let demand: Demand
beforeEach(() => {
  clock = new ManualClock()
  log = []
  const [onWanted, onUnwanted] = [() => void log.push('wanted'), () => void log.push('unwanted')]
  demand = new Demand({ clock, lingerMs: 1000, onWanted, onUnwanted })
})

test('begins with the first and ends a while after the last', async () => {
  const [one, two] = [demand.hold(), demand.hold()]
  one[Symbol.dispose]()
  one[Symbol.dispose]()
  await clock.advance(5000)
  expect([demand.count, log]).toEqual([1, ['wanted']])
  two[Symbol.dispose]()
  await clock.advance(999)
  expect(log).toEqual(['wanted'])
  await clock.advance(1)
  expect([demand.wanted, log]).toEqual([false, ['wanted', 'unwanted']])
})

test('whoever comes back in time finds it running', async () => {
  demand.hold()[Symbol.dispose]()
  await clock.advance(900)
  const held = demand.hold()
  await clock.advance(5000)
  expect(log).toEqual(['wanted'])
  held[Symbol.dispose]()
  demand[Symbol.dispose]()
  await clock.advance(5000)
  expect(log).toEqual(['wanted', 'unwanted'])
})

test('the hub tells who watches a stream, also one that nobody publishes yet', () => {
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const onViewers = (stream: string, viewers: number) => log.push(`${stream} ${viewers}`)
  using hub = createHub({ clock, onEvent: () => undefined, openSink: () => sink, onViewers })
  const stream = hub.expect('door')
  expect(hub.expect('DOOR')).toBe(stream)
  expect(stream.state).toBe('waiting')
  stream.viewers += 1
  stream.viewers -= 1
  expect(log).toEqual(['door 1', 'door 0'])
  const request = { name: 'door', kind: 'rtsp', identity: 'source:door', onDisplaced: () => undefined }
  expect(hub.publish(request).stream).toBe(stream)
})
