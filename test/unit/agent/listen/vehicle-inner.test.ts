import { expect, test } from 'vitest'
import { VehicleCalls } from '../../../../agent/ingest/vehicle-command.ts'
import { closeHistory, closeLive, openLive } from '../../../../agent/ingest/vehicle-command-words.ts'
import { openVehicleInner } from '../../../../agent/listen/vehicle-inner.ts'
import { createVehicleForward } from '../../../../agent/play/vehicle-forward.ts'
import type { Jt1078Packet } from '../../../../agent/protocol/jt1078.ts'
import { type Clock, systemClock } from '../../../../shared/node/clock.ts'
import { innerLagBytesMax } from '../../../../shared/vehicle-limits.ts'
import { FakeVehicles } from '../../../support/fake-vehicles.ts'
import { InnerClient } from '../../../support/inner-client.ts'

const place = { host: 'video.example.com', livePort: 9501, historyPort: 9502 }
const device = '06495940943801'

async function rig({
  door = 'live' as 'live' | 'history',
  lingerMs = 300,
  clock = systemClock as Clock,
} = {}) {
  const stack = new AsyncDisposableStack()
  const vehicles = new FakeVehicles()
  const said: string[] = []
  const faults: unknown[] = []
  stack.defer(() => expect(faults).toEqual([]))
  const calls = stack.use(
    new VehicleCalls({
      ...{ clock: systemClock, vehicles, lingerMs },
      push: ({ id, channel }) => {
        said.push(`${id} ${channel}`)
        return { waiting: false }
      },
      open: (vehicle, which) => (which === 'live' ? openLive(vehicle, place) : undefined),
      close: (vehicle, which) => (which === 'live' ? closeLive(vehicle, place) : closeHistory(vehicle)),
    }),
  )
  const forward = createVehicleForward(vehicles)
  const open = (port: number) =>
    openVehicleInner({
      ...{ door, port, allow: [], hint: 'vehicles.inner.port', clock, forward },
      hold: (stream, holder) => calls.hold(stream, holder),
      onFault: (error) => faults.push(error),
    })
  const inner = await open(0)
  stack.defer(() => inner[Symbol.asyncDispose]())
  return {
    ...{ vehicles, said, calls, forward, inner, open },
    client: (who?: ConstructorParameters<typeof InnerClient>[1]) =>
      stack.use(new InnerClient(inner.port, who)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function packet(
  sequence: number,
  { channel = 1, key = sequence % 10 === 0, bytes = 100 } = {},
): Jt1078Packet {
  return {
    ...{ version: 2016, flags: 0x81, marker: true, payloadType: 98, sequence, sim: '064959409438', channel },
    ...{ dataType: key ? 0 : 1, subPacket: 0, timestampMs: sequence * 40, lastKeyMs: 0, lastMs: 40 },
    body: Buffer.alloc(bytes, sequence),
  } as Jt1078Packet
}

test('several clients and several vehicles: closing any of them in any order disturbs none of the others', async () => {
  await using it = await rig()
  const devices = ['01', '02', '03'].map((channel) => `064959409438${channel}`)
  const clients = Array.from({ length: 6 }, (_, i) => it.client(i % 2 ? 'pcServer' : 'webServer'))
  for (const client of clients) for (const each of devices) client.subscribe(each)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(18)
  let sequence = 0
  const send = () => {
    sequence += 1
    for (const channel of [1, 2, 3]) it.vehicles.send(packet(sequence, { channel }))
  }
  const seen = (client: InnerClient, each: string) => client.of(each).map((data) => data.packet.sequence)
  for (const order of [3, 0, 5, 1, 4]) {
    for (let i = 0; i < 10; i += 1) send()
    await clients[order]?.[Symbol.asyncDispose]()
  }
  await expect.poll(() => it.inner.figures.subscriptions).toBe(3)
  const rest = clients[2] as InnerClient
  for (const each of devices) {
    await expect.poll(() => seen(rest, each).length).toBe(50)
    expect(seen(rest, each)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  }
  rest.unsubscribe(devices[0] as string)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(2)
  send()
  await expect.poll(() => seen(rest, devices[2] as string).length).toBe(51)
  expect(seen(rest, devices[0] as string)).toHaveLength(50)
})

test('a web server calls the vehicle itself; others have it called', async () => {
  await using it = await rig({ lingerMs: 20 })
  const web = it.client('webServer')
  web.subscribe(device)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(1)
  expect(it.said).toEqual([])
  const desktop = it.client('pcClient')
  desktop.subscribe(device)
  desktop.subscribe(device.toUpperCase()) // The same one.
  await expect.poll(() => it.said).toEqual([`9101 ${device}`])
  await desktop[Symbol.asyncDispose]()
  await expect.poll(() => it.inner.figures.subscriptions).toBe(1)
  web.unsubscribe(device)
  await expect.poll(() => it.said).toEqual([`9101 ${device}`, `9102 ${device}`])
  expect(it.forward.channels).toBe(0)
  expect(it.vehicles.taps).toBe(0)
})

test('C18: a connection with 50 subscriptions is killed 100 times: one command per edge, nothing leaks', async () => {
  await using it = await rig({ lingerMs: 500 })
  const client = it.client('pcServer')
  const devices = Array.from({ length: 50 }, (_, i) => `064959409${String(i).padStart(3, '0')}01`)
  for (const each of devices) client.subscribe(each)
  for (let i = 1; i <= 100; i += 1) {
    await expect.poll(() => it.inner.figures.subscriptions, { interval: 2, timeout: 5000 }).toBe(50)
    client.cut()
    await expect.poll(() => client.connects, { interval: 2, timeout: 5000 }).toBeGreaterThan(i)
  }
  await expect.poll(() => it.inner.figures.subscriptions).toBe(50)
  expect(it.said.toSorted()).toEqual(devices.map((each) => `9101 ${each}`))
  expect(it.calls.list().map(({ holders, callers }) => [holders, callers])).toEqual(devices.map(() => [1, 1]))
  await client[Symbol.asyncDispose]()
  await expect.poll(() => it.said.length).toBe(100)
  expect(new Set(it.said).size).toBe(100)
  expect(it.calls.list()).toEqual([])
  expect(it.vehicles.taps).toBe(0)
  expect(it.inner.figures).toMatchObject({ connections: 0, subscriptions: 0, refused: 0 })
}, 60_000)

test('after a restart of this side the subscriptions come back by themselves', async () => {
  await using it = await rig()
  const client = it.client()
  client.subscribe(device)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(1)
  await it.inner[Symbol.asyncDispose]()
  await using again = await it.open(it.inner.port)
  await expect.poll(() => again.figures.subscriptions).toBe(1)
  it.vehicles.send(packet(7))
  await expect.poll(() => client.of(device)).toHaveLength(1)
  expect(it.said).toEqual([`9101 ${device}`])
})

test('a subscriber that does not read costs a bound, loses up to a key frame, and others lose nothing', async () => {
  await using it = await rig()
  const [slow, quick] = [it.client(), it.client()]
  slow.subscribe(device)
  quick.subscribe(device)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(2)
  slow.socket?.pause()
  const count = 20_000
  for (let i = 1; i <= count; i += 1) {
    it.vehicles.send(packet(i, { bytes: 900 }))
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  await expect.poll(() => quick.of(device).length, { timeout: 10_000 }).toBe(count)
  expect(it.inner.figures.dropped).toBeGreaterThan(1000)
  const held = (count * 2 - it.inner.figures.dropped - count) * 938
  expect(held).toBeLessThan(innerLagBytesMax + 8 * 2 ** 20) // What the kernel's buffers take comes on top.
  slow.socket?.resume()
  const before = it.inner.figures.dropped
  await expect.poll(() => slow.of(device).length + before, { timeout: 10_000 }).toBe(count)
  for (let i = count + 1; i <= count + 25; i += 1)
    it.vehicles.send(packet(i % 65536, { key: i === count + 5 }))
  await expect.poll(() => slow.of(device).length + it.inner.figures.dropped).toBe(count + 25)
  const sequences = slow.of(device).map((data) => data.packet.sequence)
  const after = sequences.slice(sequences.findIndex((n, i) => i > 0 && n !== (sequences[i - 1] ?? 0) + 1))
  expect(after[0]).toBe(count + 5) // It goes on with the key frame.
  expect(after).toHaveLength(21)
}, 30_000)

test('what is not the protocol is closed; names that are no vehicle’s are refused and counted', async () => {
  await using it = await rig()
  const client = it.client()
  for (const name of ['door', '../../etc/pass', 'replay-0649594', '0649594094380g', `replay-${device}`])
    client.subscribe(name)
  await expect.poll(() => it.inner.figures.refused).toBe(5)
  expect(it.said).toEqual([])
  client.socket?.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => it.inner.figures.ended['not-the-protocol']).toBe(1)
})

test('the history port gives what comes to the history door, and ends it after the last one', async () => {
  await using it = await rig({ door: 'history', lingerMs: 20 })
  const client = it.client()
  client.subscribe(device)
  await expect.poll(() => it.inner.figures.subscriptions).toBe(1)
  it.vehicles.send(packet(1))
  it.vehicles.send(packet(2), 'history')
  await expect.poll(() => client.of(device).map((data) => data.packet.sequence)).toEqual([2])
  client.unsubscribe(device)
  await expect.poll(() => it.said).toEqual([`9202 replay-${device}`])
})

test('a heartbeat comes, and the port says where it is set when it is taken', async () => {
  let nowMs = 0
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: (_ms, signal) => systemClock.sleep(10, signal),
  }
  await using it = await rig({ clock })
  const client = it.client()
  await expect.poll(() => it.inner.figures.connections).toBe(1)
  nowMs = 16_000
  await expect.poll(() => client.messages).toEqual([{ kind: 'heartbeat', who: 'jt1078Server' }])
  await expect(it.open(it.inner.port)).rejects.toMatchObject({
    kind: 'FailedPrecondition',
    message: expect.stringContaining('vehicles.inner.port'),
  })
  await it.inner[Symbol.asyncDispose]()
  await expect.poll(() => it.inner.figures.connections).toBe(0)
})
