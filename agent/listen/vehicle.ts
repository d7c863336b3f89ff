import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Clock } from '../../shared/node/clock.ts'
import { connectionsWithin } from '../../shared/node/descriptors.ts'
import {
  vehicleConnectionsMax,
  vehicleStallMs,
  vehicleStrangersMax,
  vehicleTickMs,
} from '../../shared/vehicle-limits.ts'
import type { VehicleDoor as Door, VehicleEnd } from '../ingest/vehicle.ts'
import type { VehicleIngest } from '../ingest/vehicle-ingest.ts'
import { openPort } from './open-port.ts'
import { vehicleAllow } from './vehicle-allow.ts'
import { VehicleConnection } from './vehicle-connection.ts'

export type VehicleDoorEvent =
  | { type: 'closed'; door: Door; reason: VehicleEnd; address: string; sim?: string }
  | { type: 'fault'; error: unknown }

export type VehicleDoorOptions = {
  door: Door
  port: number
  /** Who may be a vehicle; with none, only this machine, and nobody else can even connect. */
  allow: readonly string[]
  clock: Clock
  ingest: Pick<VehicleIngest, 'connect'>
  connectionsMax?: number
  strangersMax?: number
  onEvent: (event: VehicleDoorEvent) => void
}

export type VehiclePort = AsyncDisposable & {
  readonly port: number
  readonly connections: number
  /** Bytes that wait for others, of all connections. */
  readonly heldBytes: number
  /** Connections that are closed, by reason; `limit`: there were too many. */
  readonly ended: Readonly<Partial<Record<VehicleEnd | 'limit', number>>>
}

/** Opens the port. `FailedPrecondition`, in words, when it is taken or not ours to open. */
export async function openVehiclePort(options: VehicleDoorOptions): Promise<VehiclePort> {
  const { door, connectionsMax = vehicleConnectionsMax } = options
  const port = new Port(options)
  const server = createServer((socket) => port.accept(socket))
  server.maxConnections = connectionsWithin(connectionsMax, 0.125) // Live and history are two ports.
  server.on('drop', () => port.count('limit'))
  const host = options.allow.length > 0 ? '0.0.0.0' : '127.0.0.1'
  await openPort(server, { host, port: options.port, hint: `vehicles.${door}.port` })
  return {
    port: (server.address() as AddressInfo).port,
    ended: port.ended,
    get connections() {
      return port.connections
    },
    get heldBytes() {
      return port.heldBytes
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      port[Symbol.dispose]()
      await closed
    },
  }
}

class Port implements Disposable {
  readonly ended: Partial<Record<VehicleEnd | 'limit', number>> = {}
  readonly #options: VehicleDoorOptions
  readonly #allow: ReturnType<typeof vehicleAllow>
  readonly #connections = new Set<VehicleConnection>()
  /** Those that have not said who they are: whoever reaches the port can be one. Oldest first. */
  readonly #strangers = new Set<VehicleConnection>()
  readonly #stop = new AbortController()
  #isTicking = false

  constructor(options: VehicleDoorOptions) {
    this.#options = options
    this.#allow = vehicleAllow(options.allow)
  }

  get connections(): number {
    return this.#connections.size
  }

  get heldBytes(): number {
    let bytes = 0
    for (const connection of this.#connections) bytes += connection.heldBytes
    return bytes
  }

  accept(socket: Socket): void {
    const { door, clock, ingest, onEvent } = this.#options
    const connection = new VehicleConnection(socket, {
      ...{ door, clock, ingest },
      allows: (sim, address) => this.#allow.vehicle(sim, address),
      onFault: (error) => onEvent({ type: 'fault', error }),
      onClosed: (closed, reason) => this.#closed(closed, reason),
    })
    this.#connections.add(connection)
    this.#strangers.add(connection)
    this.#makeRoom()
    if (!this.#allow.address(connection.address)) connection.close('not-allowed')
    else if (!this.#isTicking) this.#tick()
  }

  #makeRoom(): void {
    for (const connection of this.#strangers) {
      if (connection.sim !== undefined) this.#strangers.delete(connection)
    }
    const [oldest] = this.#strangers
    const { strangersMax = vehicleStrangersMax } = this.#options
    if (this.#strangers.size > strangersMax) oldest?.close('idle')
  }

  count(reason: VehicleEnd | 'limit'): void {
    this.ended[reason] = (this.ended[reason] ?? 0) + 1
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    for (const connection of [...this.#connections]) connection.close('shutdown')
  }

  /** While anybody is connected. */
  #tick(): void {
    const { clock } = this.#options
    this.#isTicking = this.#connections.size > 0
    if (!this.#isTicking) return
    const sinceMs = clock.monotonicMs()
    clock.sleep(vehicleTickMs, this.#stop.signal).then(
      () => {
        const nowMs = clock.monotonicMs()
        // Behind a stall of this process, what has come meanwhile is read first: nobody was silent.
        const isStalled = nowMs - sinceMs > vehicleStallMs
        if (!isStalled) for (const connection of [...this.#connections]) connection.tick(nowMs)
        this.#tick()
      },
      () => undefined, // The port is closed.
    )
  }

  #closed(connection: VehicleConnection, reason: VehicleEnd): void {
    const { door, onEvent } = this.#options
    this.#connections.delete(connection)
    this.#strangers.delete(connection)
    this.count(reason)
    const { address, sim } = connection
    onEvent({ type: 'closed', door, reason, address, ...(sim === undefined ? {} : { sim }) })
  }
}
