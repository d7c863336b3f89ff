import { expect, test } from 'vitest'
import { VehicleCalls } from '../../../../agent/ingest/vehicle-command.ts'
import {
  closeHistory,
  closeLive,
  controlHistory,
  openHistory,
  openLive,
  queryHistory,
} from '../../../../agent/ingest/vehicle-command-words.ts'
import { FakeVehicles } from '../../../support/fake-vehicles.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

const stream = '06495940943803'
const address = { stream, sim: '064959409438', channel: 3 }
const place = { host: 'video.example.com', livePort: 9501, historyPort: 9502 }

function rig() {
  const clock = new ManualClock()
  const vehicles = new FakeVehicles()
  const said: string[] = []
  const stuck = { now: false }
  const calls = new VehicleCalls({
    clock,
    vehicles,
    push: ({ id, channel }) => {
      said.push(`${id} ${channel}`)
      return { waiting: stuck.now }
    },
    open: (vehicle, door) => (door === 'live' ? openLive(vehicle, place) : undefined),
    close: (vehicle, door) => (door === 'live' ? closeLive(vehicle, place) : closeHistory(vehicle)),
  })
  return { clock, vehicles, said, calls, stuck }
}

test('the seed’s JSON to the letter: all values strings, no leading zero, in its order', () => {
  const { json: open } = openLive(address, place)
  expect(open).toBe(
    '{"port":"9501","ip":"video.example.com","iccid":"064959409438","channelNo":"3","dataType":"0","codeStreamType":"1","commandId":"9101"}',
  )
  expect(closeLive(address, place).json).toBe(open.replace('9101', '9102'))
  expect(closeHistory(address).json).toBe('{"iccid":"064959409438","channelNo":"3","commandId":"9202"}')
})

test('what the seed left open, in its manner', () => {
  const range = { from: '261118100000', to: '261118101500' }
  expect(JSON.parse(openHistory(address, place, range).json)).toMatchObject({
    ...{ port: '9502', ip: 'video.example.com', commandId: '9201', playbackMode: '0' },
    ...{ startTime: '261118100000', endTime: '261118101500' },
  })
  const seek = controlHistory(address, 'seek', { time: '261118101000' })
  expect(JSON.parse(seek.json)).toMatchObject({ control: '5', time: '261118101000', commandId: '9202' })
  expect(JSON.parse(controlHistory(address, 'fast', { speed: 4 }).json)).toMatchObject({ speed: '3' })
  expect(JSON.parse(queryHistory(address, range).json)).toMatchObject({ commandId: '9205', alarm: '0' })
  for (const { json } of [openHistory(address, place, range), seek, queryHistory(address, range)]) {
    expect(Object.values(JSON.parse(json)).every((value) => typeof value === 'string')).toBe(true)
  }
})

test('one open at the first, one close after the last and a while', async () => {
  const { clock, said, calls } = rig()
  const holders = Array.from({ length: 500 }, () => calls.hold(stream, { calls: true }))
  expect(said).toEqual([`9101 ${stream}`])
  for (const holder of holders.slice(1)) holder[Symbol.dispose]()
  holders[1]?.[Symbol.dispose]() // Twice is once.
  await clock.advance(20_000)
  expect(calls.list()).toMatchObject([{ holders: 1, callers: 1, opened: true }])
  holders[0]?.[Symbol.dispose]()
  await clock.advance(9000)
  expect(said).toHaveLength(1)
  await clock.advance(1001)
  expect(said).toEqual([`9101 ${stream}`, `9102 ${stream}`])
  expect(calls.list()).toEqual([])
})

test('who comes back within the while costs no command', async () => {
  const { clock, said, calls } = rig()
  for (let i = 0; i < 100; i += 1) {
    calls.hold(stream, { calls: true })[Symbol.dispose]()
    await clock.advance(500)
  }
  expect(said.filter((text) => text.startsWith('9102'))).toEqual([])
})

test('the open is repeated while the vehicle does not come, ever less often', async () => {
  const { clock, said, calls, vehicles } = rig()
  calls.setWanted(stream, 'watched', true)
  await clock.advance(29_000)
  expect(said).toHaveLength(1)
  await clock.advance(1001)
  expect(said).toHaveLength(2)
  await clock.advance(60_000 + 120_000 + 240_000)
  expect(said).toHaveLength(5)
  await clock.advance(300_000)
  expect(said).toHaveLength(6)
  vehicles.connect(stream)
  await clock.advance(1_000_000)
  expect(said).toHaveLength(6)
  vehicles.disconnect(stream)
  await clock.advance(30_001)
  expect(said).toHaveLength(7)
})

test('somebody who reloads every ten seconds does not put the repetition off', async () => {
  const { clock, said, calls } = rig()
  for (let i = 0; i < 5; i += 1) {
    const held = calls.hold(stream, { calls: true })
    await clock.advance(9000)
    held[Symbol.dispose]()
    await clock.advance(100)
  }
  expect(said).toHaveLength(2)
})

test('an open that still waits for Redis is not repeated', async () => {
  const { clock, said, calls, stuck } = rig()
  stuck.now = true
  calls.setWanted(stream, 'watched', true)
  await clock.advance(400_000)
  expect(said).toHaveLength(1)
})

test('a vehicle that is killed a hundred times while it is wanted is called once', async () => {
  const { clock, said, calls, vehicles } = rig()
  const holders = Array.from({ length: 50 }, () => calls.hold(stream, { calls: true }))
  for (let i = 0; i < 100; i += 1) {
    vehicles.connect(stream)
    await clock.advance(100)
    vehicles.disconnect(stream)
    await clock.advance(1000)
  }
  vehicles.connect(stream)
  for (const holder of holders) holder[Symbol.dispose]()
  await clock.advance(60_000)
  expect(said).toEqual([`9101 ${stream}`, `9102 ${stream}`])
  expect(vehicles.ended).toEqual([stream]) // It went on after the close.
})

test('who calls the vehicle himself pushes nothing, and keeps it when the others go', async () => {
  const { clock, said, calls, vehicles } = rig()
  const srs = calls.hold(stream, { calls: false })
  vehicles.connect(stream)
  const browser = calls.hold(stream, { calls: true })
  expect(said).toEqual([]) // It sends already for the one who called it.
  vehicles.disconnect(stream)
  expect(said).toEqual([`9101 ${stream}`])
  vehicles.connect(stream)
  browser[Symbol.dispose]()
  await clock.advance(60_000)
  expect(said).toHaveLength(1)
  srs[Symbol.dispose]()
  await clock.advance(11_000)
  expect(said).toEqual([`9101 ${stream}`, `9102 ${stream}`])
})

test('only those who call themselves: no command at all', async () => {
  const { clock, said, calls, vehicles } = rig()
  const held = calls.hold(stream, { calls: false })
  await clock.advance(60_000)
  vehicles.connect(stream)
  vehicles.disconnect(stream)
  held[Symbol.dispose]()
  await clock.advance(60_000)
  expect(said).toEqual([])
})

test('a history is not opened by a subscription, and closed after the last one as in the seed', async () => {
  const { clock, said, calls } = rig()
  const held = calls.hold(`replay-${stream}`, { calls: true })
  await clock.advance(100_000)
  held[Symbol.dispose]()
  await clock.advance(11_000)
  expect(said).toEqual([`9202 replay-${stream}`])
})

test('the one who comes after the close is not hung up on', async () => {
  const { clock, said, calls, vehicles } = rig()
  const first = calls.hold(stream, { calls: true })
  vehicles.connect(stream)
  first[Symbol.dispose]()
  await clock.advance(11_000)
  calls.hold(stream, { calls: true })
  await clock.advance(10_000)
  expect(vehicles.ended).toEqual([])
  expect(said).toEqual([`9101 ${stream}`, `9102 ${stream}`, `9101 ${stream}`])
})

test('names of other streams are not called', () => {
  const { calls, said } = rig()
  for (const name of ['door', '0649594094380', '../../etc/passwd', 'replay-xyz', `${stream}00`]) {
    calls.setWanted(name, 'watched', true)
    expect(() => calls.hold(name, { calls: true })).toThrow(
      expect.objectContaining({ kind: 'InvalidArgument' }),
    )
  }
  expect(said).toEqual([])
  expect(calls.list()).toEqual([])
})

test('a stop closes what was opened, and leaves no listener and no timer', async () => {
  const { clock, calls, said, vehicles } = rig()
  calls.setWanted(stream, 'watched', true)
  calls.setWanted(stream, 'recorded', true)
  vehicles.connect(stream)
  calls[Symbol.dispose]()
  expect(said).toEqual([`9101 ${stream}`, `9102 ${stream}`])
  expect(vehicles.listeners).toBe(0)
  await clock.advance(1_000_000)
  expect(said).toHaveLength(2)
})
