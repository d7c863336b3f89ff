import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Clock } from '../../shared/node/clock.ts'
import { innerConnectionsMax } from '../../shared/vehicle-limits.ts'
import type { VehicleDoor } from '../ingest/vehicle.ts'
import { openPort } from './open-port.ts'
import { vehicleAllow } from './vehicle-allow.ts'
import { InnerConnection, type InnerFigures, type InnerNeeds } from './vehicle-inner-connection.ts'

export type VehicleInnerOptions = Pick<InnerNeeds, 'forward' | 'hold' | 'onFault'> & {
  /** Which packets are given here. */
  door: VehicleDoor
  port: number
  /** Addresses and networks beyond this machine; without any it listens on loopback only. */
  allow: readonly string[]
  /** Where the port is set. */
  hint: string
  clock: Clock
}

export type VehicleInnerDoor = AsyncDisposable & { readonly port: number; readonly figures: InnerFigures }

const tickMs = 1000

/**
 * The inner port of the vehicle server, for servers (9511, 9512) and desktop clients (9521). Nothing is kept over a
 * restart: they subscribe again when they have connected again. `FailedPrecondition`, in words, when the port is taken.
 */
export async function openVehicleInner(options: VehicleInnerOptions): Promise<VehicleInnerDoor> {
  const { clock, port, hint, allow, door, forward, hold, onFault } = options
  const allowed = vehicleAllow(allow)
  const connections = new Set<InnerConnection>()
  const figures: InnerFigures = {
    ...{ connections: 0, subscriptions: 0, packets: 0, bytes: 0, dropped: 0, refused: 0 },
    ended: { gone: 0, stalled: 0, 'not-the-protocol': 0, fault: 0, shutdown: 0 },
  }
  const needs: InnerNeeds = {
    ...{ door, forward, hold, onFault, figures },
    onClosed: (connection, reason) => {
      connections.delete(connection)
      figures.connections -= 1
      figures.ended[reason] += 1
    },
  }
  const server = createServer((socket: Socket) => {
    if (!allowed.address(socket.remoteAddress ?? '')) return void socket.destroy()
    figures.connections += 1
    connections.add(new InnerConnection(socket, needs, clock.monotonicMs()))
  })
  server.maxConnections = innerConnectionsMax
  await openPort(server, { host: allowed.beyondLoopback ? '0.0.0.0' : '127.0.0.1', port, hint })
  const stop = new AbortController()
  watch(clock, stop.signal, (nowMs) => {
    for (const connection of connections) connection.tick(nowMs)
  })
  return {
    port: (server.address() as AddressInfo).port,
    figures,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const connection of [...connections]) connection.close('shutdown')
      await closed
    },
  }
}

function watch(clock: Clock, signal: AbortSignal, tick: (nowMs: number) => void): void {
  clock.sleep(tickMs, signal).then(
    () => {
      tick(clock.monotonicMs())
      watch(clock, signal, tick)
    },
    () => undefined, // The door is closed.
  )
}
