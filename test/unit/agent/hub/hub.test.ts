import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHub, type HubEvent } from '../../../../agent/hub/hub.ts'
import { AppError } from '../../../../shared/error.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { fakeAudio, fakeUnit, fakeVideo } from '../../../support/live-units.ts'

function rig({ streamsMax = 10, failing = false } = {}) {
  const clock = new FakeClock()
  const log: string[] = []
  const events: HubEvent[] = []
  const hub = createHub({
    openSink: (name) => ({
      write: (unit) => {
        log.push(`${name} record ${unit.dtsMs}`)
        if (failing) throw new Error('broken recorder')
      },
      gap: (gap) => log.push(`${name} gap ${gap.cause}`),
      end: (reason) => log.push(`${name} end ${reason}`),
    }),
    clock,
    onEvent: (event) => events.push(event),
    streamsMax,
    graceMs: 30_000,
  })
  const publish = (name: string, identity = 'a') =>
    hub.publish({
      name,
      kind: 'phone',
      identity,
      onDisplaced: () => log.push(`${name} displaced ${identity}`),
    })
  const watch = (name: string) => {
    const seen: (number | string)[] = []
    const subscription = hub.stream(name)?.subscribe({
      unit: (unit: AccessUnit) => {
        log.push(`${name} view ${unit.dtsMs}`)
        seen.push(unit.dtsMs)
      },
      end: (reason) => seen.push(reason),
    })
    return { seen, subscription }
  }
  return { clock, log, events, hub, publish, watch }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('the recorder is called first, and with every unit; viewers begin at a key frame', () => {
  const { log, publish, watch } = rig()
  const publisher = publish('cam')
  watch('cam')
  publisher.push(fakeUnit({ ms: 1 }))
  publisher.push(fakeUnit({ ms: 2, key: true }))
  publisher.gap({ fromMs: 2, toMs: 3, cause: 'sequence' })
  publisher.push(fakeUnit({ ms: 3 }))
  expect(log).toEqual([
    'cam record 1',
    'cam record 2',
    'cam view 2',
    'cam gap sequence',
    'cam record 3',
    'cam view 3',
  ])
})

test('who joins late is given the newest GOP, then what comes', () => {
  const { publish, watch } = rig()
  const publisher = publish('cam')
  for (const ms of [0, 40, 80, 120, 160]) publisher.push(fakeUnit({ ms, key: ms % 80 === 0 }))
  const { seen, subscription } = watch('CAM')
  publisher.push(fakeUnit({ ms: 200 }))
  subscription?.[Symbol.dispose]()
  publisher.push(fakeUnit({ ms: 240 }))
  expect(seen).toEqual([160, 200])
})

test('a new configuration and a new publisher are passed on from their key frame', () => {
  const { publish, watch } = rig()
  const first = publish('cam')
  first.push(fakeUnit({ ms: 0, key: true }))
  const { seen } = watch('cam')
  const other = { ...fakeVideo, width: 320 }
  first.push(fakeUnit({ ms: 40, config: other }))
  first.push(fakeUnit({ ms: 50, config: fakeAudio }))
  first.push(fakeUnit({ ms: 80, config: other, key: true }))
  const second = publish('cam')
  second.push(fakeUnit({ ms: 120, config: other }))
  second.push(fakeUnit({ ms: 160, config: other, key: true }))
  expect(seen).toEqual([0, 80, 160])
})

test('sound alone opens a stream when no video came for a second', () => {
  const { clock, publish, watch } = rig()
  const publisher = publish('radio')
  const { seen } = watch('radio')
  for (let ms = 0; ms <= 1200; ms += 400) {
    publisher.push(fakeUnit({ ms, config: fakeAudio, arrivalMs: clock.monotonicMs() }))
    clock.advance(400)
  }
  expect(seen).toEqual([1200])
})

test('the same identity takes over at once; the old connection can do nothing any more', () => {
  const { log, publish } = rig()
  const old = publish('cam')
  old.push(fakeUnit({ ms: 0, key: true }))
  const next = publish('cam')
  old.push(fakeUnit({ ms: 40 }))
  old.end('late')
  next.push(fakeUnit({ ms: 80, key: true }))
  expect(log).toEqual(['cam record 0', 'cam end displaced', 'cam displaced a', 'cam record 80'])
})

test.each([
  ['another identity', 'cam', 'b', 'AlreadyExists'],
  ['a name that differs in case', 'Cam', 'a', 'AlreadyExists'],
  ['a path', '../cam', 'a', 'InvalidArgument'],
  ['a Windows device', 'CON', 'a', 'InvalidArgument'],
])('%s is refused', (_what, name, identity, kind) => {
  const { publish } = rig()
  publish('cam')
  expect(() => publish(name, identity)).toThrow(expect.objectContaining({ kind }))
})

test('of a hundred publishers at once exactly one wins', () => {
  const { publish } = rig()
  const results = Array.from({ length: 100 }, (_, i) => {
    try {
      return publish('cam', `identity-${i}`)
    } catch (error) {
      return AppError.from(error).kind
    }
  })
  expect(results.filter((result) => result === 'AlreadyExists')).toHaveLength(99)
})

test('a publisher that comes back within the grace finds its viewers; its name is held for it', async () => {
  const { clock, hub, publish, watch } = rig()
  const first = publish('cam')
  first.push(fakeUnit({ ms: 0, key: true }))
  const { seen } = watch('cam')
  first.end('connection lost')
  expect(hub.stream('cam')?.state).toBe('waiting')
  clock.advance(29_000)
  await settled()
  expect(() => publish('cam', 'b')).toThrow(/another publisher/)
  publish('cam').push(fakeUnit({ ms: 29_000, key: true }))
  clock.advance(60_000)
  await settled()
  expect(seen).toEqual([0, 29_000])
})

test('after the grace viewers leave, nobody is given old pictures, and the name is free', async () => {
  const { clock, events, publish, watch } = rig()
  const publisher = publish('cam')
  publisher.push(fakeUnit({ ms: 0, key: true }))
  const { seen } = watch('cam')
  publisher.end('connection lost')
  clock.advance(30_000)
  await settled()
  expect(seen).toEqual([0, 'source gone'])
  expect(watch('cam').seen).toEqual([])
  publish('cam', 'b')
  expect(events.map(({ type }) => type)).toEqual(['published', 'unpublished', 'expired', 'published'])
})

test('when all places are taken, a stream that nobody publishes gives way; a live one never', async () => {
  const { clock, hub, publish } = rig({ streamsMax: 2 })
  publish('live')
  publish('old').end('gone')
  expect(() => publish('more')).toThrow(expect.objectContaining({ kind: 'ResourceExhausted' }))
  clock.advance(30_000)
  await settled()
  publish('more')
  expect(hub.streams().map(({ name }) => name)).toEqual(['live', 'more'])
})

test('a recorder or a viewer that throws harms nobody else', () => {
  const { events, hub, publish, watch } = rig({ failing: true })
  const publisher = publish('cam')
  hub.stream('cam')?.subscribe({
    unit: () => {
      throw new Error('broken viewer')
    },
    end: () => undefined,
  })
  const { seen } = watch('cam')
  for (let ms = 0; ms < 3; ms += 1) publisher.push(fakeUnit({ ms, key: true }))
  expect(seen).toEqual([0, 1, 2])
  expect(events.filter(({ type }) => type === 'fault')).toHaveLength(1)
})

test('counts units, bytes, gaps and rates', () => {
  const { clock, hub, publish } = rig()
  const publisher = publish('cam')
  for (let i = 0; i < 50; i += 1) {
    publisher.push(fakeUnit({ ms: i * 40, key: i % 25 === 0, bytes: 996, arrivalMs: clock.monotonicMs() }))
    clock.advance(40)
  }
  expect(hub.stream('cam')?.stats).toMatchObject({
    units: 50,
    bytes: 50_000,
    fps: 25,
    bitsPerSecond: 200_000,
  })
  clock.advance(10_000)
  expect(hub.stream('cam')?.stats).toMatchObject({ fps: 0, bitsPerSecond: 0 })
})

test('any text is a stream of that name or is refused', () => {
  const { publish } = rig({ streamsMax: 100_000 })
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom(
      '../../x',
      '..%2f',
      '%5c',
      'C:\\',
      'a\0b',
      'x'.repeat(4096),
      '\u202Ecam',
      'сam',
      'nul.txt',
      '',
      'a.',
    ),
  )
  fc.assert(
    fc.property(nasty, (name) => {
      try {
        expect(publish(name).stream.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
      } catch (error) {
        expect(error).toMatchObject({ kind: expect.stringMatching(/InvalidArgument|AlreadyExists/) })
      }
    }),
  )
})
