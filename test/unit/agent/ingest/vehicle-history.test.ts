import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VehicleHistory } from '../../../../agent/ingest/vehicle-history.ts'
import type { HistoryItem } from '../../../../agent/ingest/vehicle-history-lists.ts'
import { historyChannelOf } from '../../../../agent/ingest/vehicle-history-request.ts'
import { fromVehicleTime, parseZone, toVehicleTime } from '../../../../agent/ingest/vehicle-history-time.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { FakeVehicles } from '../../../support/fake-vehicles.ts'
import { fakeUnit } from '../../../support/live-units.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

const device = '06495940943803'
const channel = `replay-${device}`
const zoneMs = parseZone('+08:00')
const place = { host: 'video.example.com', livePort: 9501, historyPort: 9502 }

function rig() {
  const clock = new ManualClock(Date.parse('2026-11-20T04:00:00Z'))
  const vehicles = new FakeVehicles()
  const log: string[] = []
  const pushed: AccessUnit[] = []
  const state = { diskFails: false }
  const history = new VehicleHistory({
    clock,
    vehicles,
    commands: {
      place,
      push: ({ json }) => {
        const { commandId, startTime = '', endTime = '', control = '', time = '' } = JSON.parse(json)
        log.push([commandId, startTime, endTime, control, time].filter((text) => text !== '').join(' '))
      },
    },
    zoneOf: () => zoneMs,
    hub: {
      publish: ({ name }) => {
        log.push(`publish ${name}`)
        return {
          push: (unit) => void pushed.push(unit),
          gap: ({ cause }) => log.push(`gap ${cause}`),
          end: (reason) => log.push(`end ${reason}`),
        }
      },
    },
    keeper: {
      begin: ({ streams, from }) => {
        log.push(`claim ${streams} ${toVehicleTime(from, zoneMs)}`)
        const saved = state.diskFails ? Promise.reject(new Error('disk')) : Promise.resolve({} as never)
        return { id: 'take-1', saved }
      },
      endStream: async (id, _stream, { to }) => void log.push(`close ${id} ${toVehicleTime(to, zoneMs)}`),
      setWallOffset: (_stream, { wallOffsetMs }) => log.push(`offset ${wallOffsetMs}`),
      keepNothing: () => undefined,
      addGap: (_stream, { from, to, cause }) =>
        log.push(`lost ${toVehicleTime(from, zoneMs)} ${toVehicleTime(to, zoneMs)} ${cause}`),
      forget: (stream) => log.push(`forget ${stream}`),
    },
    onEvent: () => undefined,
    onFault: (message) => log.push(message),
  })
  const publish = (name = channel) =>
    history.hub.publish({
      name,
      kind: 'vehicle',
      identity: 'v',
      client: {} as never,
      onDisplaced: () => undefined,
    })
  /** What was said since the last time. */
  const said = () => log.splice(0)
  return { clock, vehicles, history, publish, pushed, said, state }
}

const at = (text: string) => Date.parse(`2026-11-18T${text}+08:00`)
const range = { from: at('10:00:00'), to: at('10:15:00') }
const stampMs = 5_000_000 // Of a vehicle's own origin.

/** So many seconds of pictures from there, four a second. */
function feed(
  publisher: ReturnType<ReturnType<typeof rig>['publish']>,
  fromS: number,
  seconds: number,
  epoch = 0,
) {
  for (let n = 0; n <= seconds * 4; n += 1) {
    publisher.push(fakeUnit({ ms: stampMs + fromS * 1000 + n * 250, key: n % 8 === 0, epoch }))
  }
}

test('times in BCD, local to the vehicle, to the second', () => {
  expect(toVehicleTime(Date.parse('2026-11-18T02:03:04.999Z'), zoneMs)).toBe('261118100304')
  expect(fromVehicleTime('261118100304', zoneMs)).toBe(Date.parse('2026-11-18T02:03:04Z'))
  expect(toVehicleTime(fromVehicleTime('251231235959', parseZone('-03:30')), 0)).toBe('260101032959')
  for (const text of ['', '26111810030', '261318100304', '260230100304', '261118250304', 'x61118100304']) {
    expect(() => fromVehicleTime(text, 0)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  }
  for (const text of ['8', '+8:00', '+15:00', 'Asia/Shanghai']) expect(() => parseZone(text)).toThrow()
  fc.assert(
    fc.property(fc.integer({ min: 1_000_000_000, max: 4_000_000_000 }), (second) => {
      expect(fromVehicleTime(toVehicleTime(second * 1000, zoneMs), zoneMs)).toBe(second * 1000)
    }),
  )
})

test('names of streams that show history', () => {
  expect(historyChannelOf(channel)).toBe(channel)
  expect(historyChannelOf(`${channel}-tmqk41`)).toBe(channel)
  for (const name of [device, 'replay-door', `${channel}-`, `${channel}-A_`])
    expect(historyChannelOf(name)).toBeUndefined()
})

test('asks for a range in the vehicle’s time, shows it under its own name, ends when it is through', async () => {
  const { history, publish, said, clock, pushed } = rig()
  const { stream, state } = await history.play(device.toUpperCase(), { ...range, record: false })
  expect(state).toBe('waiting')
  expect(historyChannelOf(stream)).toBe(channel)
  expect(said()).toEqual(['9201 261118100000 261118101500'])
  history.setWatched(stream, 1)
  const publisher = publish()
  feed(publisher, 0, 600)
  await clock.advance(20_000)
  expect(history.get(device)).toMatchObject({ state: 'playing', position: at('10:10:00') })
  feed(publisher, 600, 300)
  publisher.end('peer')
  await settle()
  expect(history.get(channel)).toMatchObject({ state: 'over', end: 'complete', position: at('10:15:00') })
  expect(said()).toEqual([`publish ${stream}`, 'end peer', `forget ${stream}`])
  expect(pushed).toHaveLength(3602)
})

test('recorded: the claim first, wall times from the range, closed when it is through', async () => {
  const { history, publish, said } = rig()
  const { stream, recording } = await history.play(device, { ...range, record: true, title: 'crossing' })
  expect(recording).toBe('take-1')
  expect(history.recordingOf(stream)).toBe('take-1')
  const publisher = publish()
  feed(publisher, 0, 900)
  publisher.end('peer')
  await settle()
  expect(history.recordingOf(stream)).toBeUndefined()
  expect(said()).toEqual([
    `claim ${stream} 261118100000`,
    '9201 261118100000 261118101500',
    `publish ${stream}`,
    `offset ${range.from - stampMs}`,
    'end peer',
    'close take-1 261118101500',
    `forget ${stream}`,
  ])
})

test('recorded: speed, pauses and jumps are refused, another one too; a stop closes it where it is', async () => {
  const { history, publish, said } = rig()
  await history.play(device, { ...range, record: true })
  feed(publish(), 0, 60)
  for (const action of [
    { action: 'pause' as const },
    { action: 'seek' as const, at: at('10:05:00') },
    { action: 'fast' as const, speed: 4 as const },
  ]) {
    expect(() => history.control(device, action)).toThrow(
      expect.objectContaining({ kind: 'FailedPrecondition' }),
    )
  }
  await expect(history.play(device, { ...range, record: false })).rejects.toMatchObject({
    kind: 'AlreadyExists',
  })
  said()
  expect(history.control(device, { action: 'stop' })).toMatchObject({ state: 'over', end: 'stopped' })
  await settle()
  expect(said()).toMatchObject([
    'end stopped',
    '9202',
    'close take-1 261118100100',
    expect.stringMatching(/^forget/),
  ])
})

test('a vehicle that goes away in the middle is asked again from where it was; what never comes is a gap', async () => {
  const { history, publish, said, clock } = rig()
  await history.play(device, { ...range, record: true })
  const first = publish()
  feed(first, 0, 300)
  said()
  first.end('peer')
  await clock.advance(6000)
  expect(said()).toEqual(['end peer', '9201 261118100500 261118101500'])
  const second = publish() // Its clock begins anew.
  second.gap({ fromMs: 0, toMs: 1, cause: 'source-lost' })
  for (let n = 0; n <= 240; n += 1) second.push(fakeUnit({ ms: 777_000 + n * 250, epoch: 1 }))
  expect(said().slice(1)).toEqual(['gap source-lost', `offset ${at('10:05:00') - 777_000}`])
  second.end('peer')
  await clock.advance(300_000)
  const log = said()
  expect(log.filter((text) => text.startsWith('9201'))).toHaveLength(2) // Asked again, and once more.
  expect(log.slice(-4)).toEqual([
    '9202',
    'lost 261118100600 261118101500 source-lost',
    'close take-1 261118101500',
    expect.stringMatching(/^forget/),
  ])
  expect(history.get(device)).toMatchObject({ state: 'over', end: 'vehicle-lost' })
})

test('a vehicle that does not come at all: asked twice, then over, with the whole range as a gap', async () => {
  const { history, said, clock } = rig()
  await history.play(device, { ...range, record: true })
  await clock.advance(61_000)
  expect(said().slice(1)).toEqual([
    '9201 261118100000 261118101500',
    '9201 261118100000 261118101500',
    '9202',
    'lost 261118100000 261118101500 source-lost',
    'close take-1 261118101500',
    expect.stringMatching(/^forget/),
  ])
  expect(history.get(device).end).toBe('vehicle-away')
})

test('pause, go on, faster, to another time; who pauses for so long that the vehicle leaves goes on all the same', async () => {
  const { history, publish, said, clock } = rig()
  const { stream } = await history.play(device, { ...range, record: false })
  history.setWatched(stream, 2)
  const publisher = publish()
  feed(publisher, 0, 10)
  said()
  expect(history.control(device, { action: 'pause' })).toMatchObject({ state: 'paused' })
  expect(history.control(device, { action: 'resume' })).toMatchObject({ state: 'playing' })
  history.control(device, { action: 'fast', speed: 2 })
  expect(history.control(device, { action: 'seek', at: at('10:05:00') }).position).toBe(at('10:05:00'))
  for (const elsewhere of [at('09:59:59'), at('10:15:01')]) {
    expect(() => history.control(device, { action: 'seek', at: elsewhere })).toThrow(/not in the range/)
  }
  history.control(device, { action: 'keyFrames' })
  expect(said()).toEqual([
    '9202 1 000000000000',
    '9202 0 000000000000',
    '9202 3 000000000000',
    '9202 5 261118100500',
    '9202 6 000000000000',
  ])
  feed(publisher, 10, 60)
  expect(history.get(device).position).toBe(at('10:06:00'))
  await clock.advance(6000)
  feed(publisher, 70, 0)
  expect(history.get(device).position).toBe(at('10:06:00'))
  history.control(device, { action: 'pause' })
  publisher.end('silent')
  await clock.advance(3_600_000)
  expect(history.get(device).state).toBe('paused')
  said()
  expect(history.control(device, { action: 'resume' }).state).toBe('waiting')
  expect(said()).toEqual(['9201 261118100600 261118101500'])
})

/** Key frames of the recording, seconds from its beginning, each in an epoch of its own, as rewinding makes them. */
function rewind(publisher: ReturnType<ReturnType<typeof rig>['publish']>, seconds: number[], epoch: number) {
  for (const [i, second] of seconds.entries()) {
    const ms = stampMs + 10_000_000 + epoch * 1000 + i * 500
    publisher.push(fakeUnit({ ms, key: true, epoch: epoch + i, sourceMs: stampMs + second * 1000 }))
  }
}

test('backwards the place goes back, and forward from there, whatever list is known', async () => {
  const { history, publish, clock } = rig()
  const asked = history.query(device, range)
  history.lists.answer(device, [item('10:00:00', '10:05:00'), item('10:05:00', '10:15:00')])
  await asked
  await history.play(device, { ...range, record: false })
  const publisher = publish()
  rewind(publisher, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20], 0)
  expect(history.get(device).position).toBe(at('10:00:20'))
  history.control(device, { action: 'back', speed: 2 })
  rewind(publisher, [22, 20, 18, 14, 10], 20) // One was on its way.
  expect(history.get(device).position).toBe(at('10:00:10'))
  history.control(device, { action: 'resume' })
  rewind(publisher, [11, 12], 40)
  expect(history.get(device).position).toBe(at('10:00:12'))
  history.control(device, { action: 'seek', at: at('10:08:00') })
  rewind(publisher, [13], 50)
  await clock.advance(1000)
  rewind(publisher, [479, 480, 481], 60)
  expect(history.get(device).position).toBe(at('10:08:01'))
  history.control(device, { action: 'back', speed: 16 })
  rewind(publisher, [450, 400, 350, 300, 250, 200, 150, 100, 50, 0, -10], 80)
  expect(history.get(device).position).toBe(at('10:00:00'))
})

test('a vehicle that is lost now and then in a long range is asked again each time', async () => {
  const { history, publish, said, clock } = rig()
  await history.play(device, { ...range, record: true })
  for (let loss = 0; loss < 6; loss += 1) {
    const publisher = publish()
    for (let part = 0; part < 4; part += 1) {
      feed(publisher, loss * 80 + part * 20, 20, loss)
      await clock.advance(20_000)
    }
    publisher.end('peer')
    await clock.advance(6000)
    expect(history.get(device).state).toBe('waiting')
  }
  expect(said().filter((text) => text.startsWith('9201'))).toHaveLength(7)
})

test('nobody watches it and it is not recorded: it is ended', async () => {
  const { history, publish, said, clock, vehicles } = rig()
  const { stream } = await history.play(device, { ...range, record: false })
  history.setWatched(stream, 1)
  vehicles.connect(channel)
  feed(publish(), 0, 10)
  await clock.advance(25_000)
  history.setWatched(stream, 0)
  await clock.advance(32_000)
  expect(history.get(device)).toMatchObject({ state: 'over', end: 'unwatched' })
  expect(said()).toContain('9202')
  expect(vehicles.ended).toContain(channel)
  expect(() => history.control(device, { action: 'pause' })).toThrow(/over/)
})

test('another range of the same channel replaces the first; the old connection gives it nothing', async () => {
  const { history, publish, said, pushed } = rig()
  const first = await history.play(device, { ...range, record: false })
  const old = publish()
  const second = await history.play(device, { from: at('12:00:00'), to: at('12:01:00'), record: false })
  expect(second.stream).not.toBe(first.stream)
  said()
  feed(old, 0, 1)
  old.end('peer')
  expect(pushed).toEqual([])
  feed(publish(), 0, 60)
  expect(said()).toEqual(['end peer', `publish ${second.stream}`])
  expect(history.get(device).position).toBe(at('12:01:00'))
  expect(history.streamOf(channel)).toBe(second.stream)
})

test('history that nobody asked for here keeps the vehicle’s own name', () => {
  const { publish, said, history } = rig()
  publish()
  expect(said()).toEqual([`publish ${channel}`])
  expect(history.streamOf(channel)).toBe(channel)
  expect(() => history.get(device)).toThrow(expect.objectContaining({ kind: 'NotFound' }))
})

const item = (from: string, to: string): HistoryItem => ({
  ...{ from: at(from), to: at(to), media: 'av', stream: 'main', memory: 'main', sizeBytes: 1000, alarm: '0' },
})

test('the list: asked for, answered when the platform passes it back, or not in time', async () => {
  const { history, said, clock } = rig()
  const day = { from: at('00:00:00'), to: at('12:00:00') }
  const [one, two] = [history.query(device, day), history.query(device, day)]
  expect(said()).toEqual(['9205 261118000000 261118120000', '9205 261118000000 261118120000'])
  const items = [item('10:05:00', '10:10:00'), item('10:00:30', '10:05:00'), item('23:00:00', '23:30:00')]
  expect(history.lists.answer(device, items)).toBe(true)
  expect(await one).toEqual([items[1], items[0]])
  expect(await two).toEqual(await one)
  expect(history.lists.answer(device, items)).toBe(false)
  const late = history.query(device, day)
  late.catch(() => undefined)
  await clock.advance(31_000)
  await expect(late).rejects.toMatchObject({ kind: 'DeadlineExceeded' })
})

test('what the vehicle says it holds decides the true times: of the beginning, and after a jump of its clock', async () => {
  const { history, publish, said } = rig()
  const asked = history.query(device, { from: at('09:00:00'), to: at('12:00:00') })
  history.lists.answer(device, [item('10:00:30', '10:01:00'), item('10:05:00', '10:06:00')])
  await asked
  const { from, to } = await history.play(device, { ...range, record: true })
  expect([from, to]).toEqual([at('10:00:30'), at('10:06:00')])
  const publisher = publish()
  feed(publisher, 0, 30)
  feed(publisher, 900, 60, 1)
  publisher.end('peer')
  await settle()
  expect(said().filter((text) => text.startsWith('offset'))).toEqual([
    `offset ${at('10:00:30') - stampMs}`,
    `offset ${at('10:05:00') - stampMs - 900_000}`,
  ])
  expect(history.get(device)).toMatchObject({ end: 'complete', position: at('10:06:00') })
  await expect(
    history.play(device, { from: at('11:00:00'), to: at('11:10:00'), record: false }),
  ).rejects.toMatchObject({ kind: 'NotFound' })
})

test('a list says nothing of what was recorded after it', async () => {
  const { history, clock } = rig()
  const now = clock.nowMs()
  const asked = history.query(device, { from: now - 7_200_000, to: now + 7_200_000 })
  const file = { ...item('10:00:00', '10:05:00'), from: now - 4_000_000, to: now - 3_000_000 }
  history.lists.answer(device, [file])
  expect(await asked).toHaveLength(1)
  const play = (from: number, to: number) => history.play(device, { from, to, record: false })
  await expect(play(now - 7_000_000, now - 5_000_000)).rejects.toMatchObject({ kind: 'NotFound' })
  expect(await play(file.from - 100_000, file.to)).toMatchObject({ from: file.from })
  await clock.advance(3_600_000)
  expect(await play(now + 1_000_000, now + 2_000_000)).toMatchObject({ from: now + 1_000_000 })
  expect(await play(now - 2_000_000, now - 1_000_000)).toMatchObject({ state: 'waiting' })
})

test('what is still to come is not asked for', async () => {
  const { history, said, clock } = rig()
  await clock.advance(250)
  const now = clock.nowMs()
  const { to } = await history.play(device, { from: now - 60_000, to: now + 3_600_000, record: true })
  expect(to).toBe(now + 750)
  expect(said().at(-1)).toBe('9201 261120115900 261120120001')
})

test.each([
  ['the next file begins where the first ended, and a little before', 300_040, 1, '10:05:00.040'],
  ['the next file begins after a hole that the stamps do not know', 300_000, 1, '10:07:00'],
  ['a clock that is set back in the middle of a file', 100_000, 70_000, '10:01:40'],
  ['a clock that leaps in the middle of a file', 100_000, 9_000_000, '10:01:40'],
  ['half a minute that was not recorded in the middle of a file', 100_000, 130_000, '10:02:10'],
])('the true times of a recording go on: %s', async (_name, lastMs, nextMs, expected) => {
  const { history, publish, said } = rig()
  const asked = history.query(device, { from: at('09:00:00'), to: at('12:00:00') })
  const second = expected === '10:07:00' ? '10:07:00' : '10:05:00'
  history.lists.answer(device, [item('10:00:00', '10:05:00'), item(second, '10:15:00')])
  await asked
  await history.play(device, { ...range, record: true })
  const publisher = publish()
  const push = (ms: number, epoch: number, sourceMs: number) =>
    publisher.push(fakeUnit({ ms: stampMs + ms, epoch, sourceMs: stampMs + sourceMs }))
  push(0, 0, 0)
  push(lastMs, 0, lastMs)
  push(lastMs + 40, 1, nextMs) // Another epoch, put on the timeline by its arrival.
  expect(said().at(-1)).toBe(`offset ${at(expected) - stampMs - lastMs - 40}`)
})

test('requests that mean nothing', async () => {
  const { history, said, state } = rig()
  for (const [from, to] of [
    ['10:00:00', '10:00:00'],
    ['10:00:00', '09:00:00'],
  ] as const) {
    await expect(history.play(device, { from: at(from), to: at(to), record: false })).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
  }
  const long = { from: at('00:00:00'), to: at('00:00:00') + 25 * 3_600_000 }
  await expect(history.play(device, { ...long, record: false })).rejects.toMatchObject({
    kind: 'InvalidArgument',
  })
  await expect(history.play('door', { ...range, record: false })).rejects.toMatchObject({
    kind: 'InvalidArgument',
  })
  expect(said()).toEqual([])
  state.diskFails = true
  await expect(history.play(device, { ...range, record: true })).rejects.toThrow('disk')
  expect(said().some((text) => text.startsWith('9201'))).toBe(false)
})

test('a stop of the agent ends it and tells the vehicle', async () => {
  const { history, publish, said } = rig()
  await history.play(device, { ...range, record: true })
  feed(publish(), 0, 60)
  said()
  await history[Symbol.asyncDispose]()
  expect(said()).toEqual([
    'end shutdown',
    '9202',
    'lost 261118100100 261118101500 source-lost',
    'close take-1 261118101500',
    expect.stringMatching(/^forget/),
  ])
})
