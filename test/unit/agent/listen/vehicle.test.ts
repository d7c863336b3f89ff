import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createVehicleIngest } from '../../../../agent/ingest/vehicle-ingest.ts'
import {
  openVehiclePort,
  type VehicleDoorOptions,
  type VehiclePort,
} from '../../../../agent/listen/vehicle.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { bytesOf, sim, VehicleLine } from '../../../support/vehicle-packets.ts'

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

async function rig(more: Partial<VehicleDoorOptions> = {}) {
  const clock = new ManualClock()
  const units: AccessUnit[] = []
  const ended: string[] = []
  const ingest = createVehicleIngest({
    clock,
    onFault: () => undefined,
    hub: {
      publish: () => ({
        push: (unit) => units.push(unit),
        gap: () => undefined,
        end: (reason) => ended.push(reason),
      }),
    },
  })
  const events: object[] = []
  const port = stack.use(
    await openVehiclePort({
      ...{ door: 'live', port: 0, allow: [], clock, ingest, onEvent: (event) => events.push(event) },
      ...more,
    }),
  )
  const dial = async (): Promise<Socket> => {
    const socket = connect(port.port, '127.0.0.1')
    socket.on('error', () => undefined)
    stack.defer(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { clock, units, ended, ingest, port, dial, events }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

const ends = (port: VehiclePort) => ({ ...port.ended })
const start = () => bytesOf([...new VehicleLine().key(0), ...new VehicleLine().picture(40)])

test('a vehicle gives pictures; its end is counted, and the port closes with the last one', async () => {
  const { dial, units, port, ended, clock, events } = await rig()
  const socket = await dial()
  socket.write(start())
  await until(() => units.length === 1)
  await clock.advance(40)
  expect(units).toHaveLength(2)
  socket.end()
  await until(() => port.connections === 0)
  expect(ended).toEqual(['peer'])
  expect(ends(port)).toEqual({ peer: 1 })
  expect(events).toEqual([{ type: 'closed', door: 'live', reason: 'peer', address: '127.0.0.1', sim }])
  const other = await dial()
  other.write(start())
  await until(() => units.length >= 3)
  await port[Symbol.asyncDispose]()
  expect(ends(port)).toEqual({ peer: 1, shutdown: 1 })
})

test.each([
  ['says nothing', 'idle', 11_000, new Uint8Array(0)],
  ['says half a packet', 'idle', 11_000, start().subarray(0, 40)],
  ['stops to send', 'silent', 31_000, start()],
] as const)('one that %s is closed: %s', async (_name, reason, afterMs, bytes) => {
  const { dial, port, clock } = await rig()
  const socket = await dial()
  socket.write(bytes)
  await until(() => port.connections === 1)
  await sleep(50)
  await clock.advance(afterMs)
  await until(() => port.connections === 0)
  expect(ends(port)).toEqual({ [reason]: 1 })
})

test('history may be paused for longer', async () => {
  const { dial, port, clock, units } = await rig({ door: 'history' })
  const socket = await dial()
  socket.write(start())
  await until(() => units.length === 1)
  await clock.advance(60_000)
  expect(port.connections).toBe(1)
})

test('whoever is not on the list, and noise', async () => {
  const { dial, port } = await rig({ allow: ['9999'] })
  const socket = await dial()
  socket.write(start())
  await until(() => port.ended['not-allowed'] === 1)
  const noise = await dial()
  noise.write(Buffer.alloc(600_000, 0x31))
  await until(() => port.ended.malformed === 1)
  expect(port.heldBytes).toBe(0)
})

test('too many connections are counted', async () => {
  const { dial, port } = await rig({ connectionsMax: 1 })
  await dial()
  await until(() => port.connections === 1)
  await dial()
  await until(() => port.ended.limit === 1)
})

test('those that say nothing make room for others, never those that gave a packet', async () => {
  const { dial, port, units } = await rig({ strangersMax: 2 })
  const vehicle = await dial()
  vehicle.write(start())
  await until(() => units.length === 1)
  for (let n = 0; n < 5; n += 1) {
    await dial()
    await until(() => port.connections + (port.ended.idle ?? 0) === n + 2)
  }
  expect(ends(port)).toEqual({ idle: 3 })
  vehicle.write(bytesOf(new VehicleLine().picture(80)))
  await until(() => units.length === 2)
})

test('a port that is taken says where to choose another', async () => {
  const { port } = await rig()
  await expect(rig({ port: port.port })).rejects.toThrow(/vehicles\.live\.port/)
})
