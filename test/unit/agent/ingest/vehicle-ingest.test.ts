import { expect, test } from 'vitest'
import type { VehicleDoor } from '../../../../agent/ingest/vehicle.ts'
import { createVehicleIngest, type VehicleData } from '../../../../agent/ingest/vehicle-ingest.ts'
import type { Jt1078Packet } from '../../../../agent/protocol/jt1078.ts'
import { AppError } from '../../../../shared/error.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { bytesOf, sim, VehicleLine } from '../../../support/vehicle-packets.ts'

const device = `${sim}01`

function rig({ full = false, unwanted = false } = {}) {
  const log: string[] = []
  let closePublisher: () => void = () => undefined
  const told: VehicleData[] = []
  const clock = new FakeClock()
  clock.advance(1000)
  const ingest = createVehicleIngest({
    clock,
    isUnwanted: () => unwanted,
    onData: (data) => told.push(data),
    onFault: (error) => log.push(`fault ${error}`),
    hub: {
      publish: ({ name, kind, identity, close }) => {
        closePublisher = () => close?.()
        if (full) throw new AppError('ResourceExhausted', 'full')
        log.push(`publish ${name} ${kind} ${identity}`)
        return {
          push: ({ track }) => log.push(`${name} ${track}`),
          gap: ({ cause, fromMs, toMs }) => log.push(`${name} gap ${cause} ${toMs - fromMs}`),
          end: (reason) => log.push(`${name} end ${reason}`),
        }
      },
    },
  })
  const connect = (address = '10.0.0.1', door: VehicleDoor = 'live') => {
    const closed: string[] = []
    const session = ingest.connect({
      ...{ door, address, allows: (_sim: string, from: string) => !from.startsWith('6.') },
      close: (reason) => {
        closed.push(reason)
        session.ended(reason)
      },
    })
    const send = (packets: readonly Jt1078Packet[]) => session.receive(bytesOf(packets))
    return { session, send, closed }
  }
  return { log, told, clock, ingest, connect, closePublisher: () => closePublisher() }
}

/** Two packets tell the version. */
const start = (line: VehicleLine, atMs = 0) => [...line.key(atMs), ...line.picture(atMs + 40)]

test('a channel is a stream by its device id; several on one connection; history beside live', () => {
  const { ingest, connect, log } = rig()
  const { send } = connect()
  send([...start(new VehicleLine()), ...start(new VehicleLine({ channel: 31 }))])
  connect('10.0.0.1', 'history').send(start(new VehicleLine()))
  connect().send(start(new VehicleLine({ version: 2019, sim: '0000000001380013abcd' })))
  expect(ingest.vehicles.channels().map(({ stream }) => stream)).toEqual([
    device,
    `${sim}1f`,
    `replay-${device}`,
    '0000000001380013abcd01',
  ])
  expect(log.filter((line) => line.startsWith('publish'))[0]).toBe(`publish ${device} vehicle vehicle ${sim}`)
  expect(ingest.vehicles.channel(device.toUpperCase())).toMatchObject({
    door: 'live',
    channel: 1,
    packets: 2,
  })
})

test('the newest connection has the channel; what the older one still sends is dropped and counted', () => {
  const { ingest, connect, log } = rig()
  const [older, newer] = [connect(), connect()]
  older.send(start(new VehicleLine()))
  const line = new VehicleLine({ channel: 2 })
  older.send(start(line))
  newer.send(start(new VehicleLine()))
  expect(older.closed).toEqual([]) // It gives channel 2.
  older.send([...new VehicleLine().picture(80)])
  expect(ingest.figures).toMatchObject({ displaced: 1, held: 1, spoofed: 0 })
  connect().send(start(new VehicleLine({ channel: 2 })))
  expect(older.closed).toEqual(['displaced'])
  expect(log).toContain(`${device} end displaced`)
})

test('nobody takes a channel that is heard at another address, nor a SIM with a connection of another', () => {
  const { ingest, connect, clock, log } = rig()
  const [real, thief] = [connect('10.0.0.1'), connect('10.0.0.2')]
  real.send(start(new VehicleLine()))
  thief.send(start(new VehicleLine()))
  expect(ingest.figures).toMatchObject({ spoofed: 2, displaced: 0 })
  expect(ingest.vehicles.channel(device)?.address).toBe('10.0.0.1')

  const other = connect('10.0.0.3')
  other.send(start(new VehicleLine({ sim: '999999999999' })))
  other.send(start(new VehicleLine()))
  expect(other.closed).toEqual(['sim-changed'])
  expect(ingest.figures.spoofed).toBe(3)
  expect(log.filter((line) => line.includes(`publish ${device}`))).toHaveLength(1)

  clock.advance(3001) // A vehicle that changed its network.
  thief.send(new VehicleLine().picture(80))
  expect(ingest.vehicles.channel(device)?.address).toBe('10.0.0.2')
  expect(real.closed).toEqual(['displaced'])
})

test('a connection of which nothing is taken is as silent as one that says nothing', () => {
  const { connect, clock } = rig()
  const [real, thief] = [connect('10.0.0.1'), connect('10.0.0.2')]
  const [line, same] = [new VehicleLine(), new VehicleLine()]
  real.send(start(line))
  const beganMs = clock.monotonicMs()
  for (let n = 0; n < 10; n += 1) {
    clock.advance(1000)
    real.send(line.picture(1000 * n))
    thief.send(same.picture(1000 * n))
  }
  expect(thief.session.heardMs).toBe(clock.monotonicMs())
  expect(thief.session.takenMs).toBe(beganMs)
  expect(real.session.takenMs).toBe(clock.monotonicMs())
})

test('a SIM that is not allowed from there is refused at its first packet', () => {
  const { connect, log } = rig()
  const { send, closed } = connect('6.6.6.6')
  send(start(new VehicleLine()))
  expect(closed).toEqual(['not-allowed'])
  expect(log).toEqual([])
})

test('one that was cut off and comes back: a gap between; one that was told to stop: none', () => {
  const { connect, clock, log, ingest } = rig()
  const first = connect()
  first.send(start(new VehicleLine()))
  first.session.ended('peer')
  clock.advance(5000)
  const second = connect()
  second.send(start(new VehicleLine(), 90_000))
  expect(log).toContain(`${device} gap source-lost 4960`)
  expect(ingest.vehicles.end(device, 'unwanted')).toBe(true)
  expect(second.closed).toEqual(['unwanted'])
  clock.advance(5000)
  connect().send(start(new VehicleLine()))
  expect(log.filter((line) => line.includes('gap'))).toHaveLength(1)
})

test('told to stop, a channel beside others is not taken for a while, and then again', () => {
  const { connect, clock, ingest } = rig()
  const { send, closed } = connect()
  const [one, two] = [new VehicleLine(), new VehicleLine({ channel: 2 })]
  send([...start(one), ...start(two)])
  ingest.vehicles.end(device, 'unwanted')
  send(one.picture(80))
  expect([closed, ingest.vehicles.channel(device)]).toEqual([[], undefined])
  clock.advance(10_001)
  send(one.key(120))
  expect(ingest.vehicles.channel(device)).toBeDefined()
  expect(ingest.vehicles.end('nothing', 'unwanted')).toBe(false)
})

test('one that goes because it was told to is not missed', () => {
  const { connect, clock, log } = rig({ unwanted: true })
  const first = connect()
  first.send(start(new VehicleLine()))
  first.session.ended('peer')
  clock.advance(5000)
  connect().send(start(new VehicleLine()))
  expect(log.filter((line) => line.includes('gap'))).toEqual([])
})

test('one that somebody closed is gone, and its absence is a gap when it comes back', () => {
  const { connect, clock, log, closePublisher } = rig()
  const { send, closed } = connect()
  send(start(new VehicleLine()))
  closePublisher()
  expect(closed).toEqual(['closed'])
  clock.advance(5000)
  connect().send(start(new VehicleLine(), 9000))
  expect(log).toContain(`${device} gap source-lost 4960`)
})

test('taps and listeners: each packet as it came; one that throws hurts nobody', () => {
  const { connect, ingest, log } = rig()
  const seen: string[] = []
  const stopAll = ingest.vehicles.tap('all', ({ sequence }) => seen.push(`all ${sequence}`))
  ingest.vehicles.tap(device.toUpperCase(), () => {
    throw new Error('tap')
  })
  ingest.vehicles.onConnected(({ stream }) => seen.push(`+${stream}`))
  ingest.vehicles.onDisconnected(({ stream }, reason) => seen.push(`-${stream} ${reason}`))
  const { send, session } = connect()
  send(start(new VehicleLine()))
  stopAll()
  send(new VehicleLine().picture(80))
  session.ended('silent')
  expect(seen).toEqual([`+${device}`, 'all 0', 'all 1', `-${device} silent`])
  expect(log.filter((line) => line === 'fault Error: tap')).toHaveLength(3)
  expect(log).toContain(`${device} video`)
})

test('a full hub: the channel is refused, the connection closed', () => {
  const { connect, ingest } = rig({ full: true })
  const { send, closed } = connect()
  send(start(new VehicleLine()))
  expect(closed).toEqual(['refused'])
  expect(ingest.figures.refusedChannels).toBe(1)
  expect(ingest.vehicles.channels()).toEqual([])
})

test('transparent data is told, ten times a second at most', () => {
  const { connect, told, ingest } = rig()
  const { send } = connect()
  const line = new VehicleLine()
  for (let i = 0; i < 15; i += 1) send(line.packets({ dataType: 4, payloadType: 91, body: Buffer.of(i) }))
  send(line.packets({ dataType: 4, payloadType: 91, body: Buffer.alloc(30_000) }))
  expect(told.map(({ bytes }) => bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(told[0]?.channel.stream).toBe(device)
  expect(ingest.figures).toMatchObject({ data: 16, dataDropped: 6 })
})

test('too many channels, noise, and unfinished pictures past the bound end a connection', () => {
  const { connect } = rig()
  const many = connect()
  for (let channel = 0; channel <= 64; channel += 1) many.send(start(new VehicleLine({ channel })))
  expect(many.closed).toEqual(['too-many-channels'])

  const noise = connect()
  for (let i = 0; i < 5 && noise.closed.length === 0; i += 1)
    noise.session.receive(Buffer.alloc(64 * 1024, 1))
  expect(noise.closed).toEqual(['malformed'])

  const greedy = connect()
  for (let channel = 1; channel < 8; channel += 1) {
    const line = new VehicleLine({ channel })
    line.bodyBytes = 60_000
    greedy.send(line.picture(0, 1_900_000).slice(0, -1))
    expect(greedy.session.heldBytes).toBeLessThan(8.2 * 1024 * 1024)
  }
  expect(greedy.closed).toEqual(['memory'])
})

test('a first packet alone is read after a moment of silence', () => {
  const { connect, clock, ingest } = rig()
  const { send, session } = connect()
  send(new VehicleLine().key(0))
  expect(ingest.vehicles.channels()).toEqual([])
  clock.advance(120)
  session.tick(clock.monotonicMs())
  expect(ingest.vehicles.channels()).toHaveLength(1)
})
