import { expect, test } from 'vitest'
import { PipedStreams } from '../../../../agent/viewer-worker/piped-streams.ts'
import { Tally } from '../../../../agent/viewer-worker/tally.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { fakeAudio, fakeUnit, fakeVideo } from '../../../support/live-units.ts'

const bare = ({ config: _, ...unit }: AccessUnit) => unit
const always = { type: 'unit', stream: 7, startedAtMs: 1000 } as const

function rig() {
  const streams = new PipedStreams(new FakeClock())
  const units: AccessUnit[] = []
  const ends: string[] = []
  streams.find(7).subscribe({ unit: (unit) => units.push(unit), end: (reason) => ends.push(reason) })
  return { streams, units, ends }
}

test('units bear the configuration that was sent last for their track, the same object', () => {
  const { streams, units } = rig()
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1000, key: true })), config: fakeVideo })
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1010, config: fakeAudio })), config: fakeAudio })
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1040 })) })
  expect(units.map(({ config }) => config)).toEqual([fakeVideo, fakeAudio, fakeVideo])
  expect(units[2]?.config).toBe(units[0]?.config)
  expect(streams.find(7).startedAtMs).toBe(1000)
})

test('who comes later is given the GOP; a new configuration waits for its key frame', () => {
  const { streams, units } = rig()
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1000, key: true })), config: fakeVideo })
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1040 })) })
  const late: AccessUnit[] = []
  streams.find(7).subscribe({ unit: (unit) => late.push(unit), end: () => undefined })
  expect(late).toEqual(units)
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1080 })), config: { ...fakeVideo, width: 320 } })
  expect(late).toHaveLength(2)
})

test('a viewer may come before its stream, and after its end', () => {
  const streams = new PipedStreams(new FakeClock())
  streams.begin(7, 500)
  expect(streams.find(7).startedAtMs).toBe(500)
  expect(streams.isOver(7)).toBe(false)
  streams.take({ type: 'end', stream: 7 })
  expect(streams.isOver(7)).toBe(true)
  streams.take({ type: 'drop', stream: 7 })
  expect(streams.isOver(7)).toBe(false)
})

test('a unit without any configuration is nobody’s', () => {
  const { streams, units } = rig()
  streams.take({ ...always, unit: bare(fakeUnit({ ms: 1000, key: true })) })
  expect(units).toEqual([])
})

test('times are told once, to two digits', () => {
  const tally = new Tally()
  tally.observe(1.234, 500)
  tally.observe(1.198)
  tally.observe(123)
  expect(tally.take()).toEqual([
    [1.2, 501],
    [120, 1],
  ])
  expect(tally.take()).toEqual([])
})
