import { AppError } from '../../shared/error.ts'
import { vehicleIgnoreMs, vehiclePublishRetryMs } from '../../shared/vehicle-limits.ts'
import { deviceId, type Jt1078Packet } from '../protocol/jt1078.ts'
import {
  type VehicleChannel,
  type VehicleDoor,
  type VehicleEnd,
  type VehicleGoodbye,
  vehicleStream,
} from './vehicle.ts'
import type { VehicleClaim, VehicleRegistry } from './vehicle-registry.ts'
import type { SessionChannel, SessionChannelOptions } from './vehicle-session.ts'

/** What is published of a channel, as long as its connection has it. */
export type ChannelPublication = {
  packet(packet: Jt1078Packet, arrivalMs: number): void
  tick(nowMs: number, heardMs: number): void
  end(reason: VehicleEnd): void
}

export type ConnectionChannelOptions = SessionChannelOptions & {
  connection: number
  door: VehicleDoor
  address: string
  /** Wall ms. */
  connectedAt: number
  registry: VehicleRegistry
  /** Throws as `hub.publish`. */
  publish: (channel: ConnectionChannel) => ChannelPublication
  onRefused: (error: AppError) => void
  /** A packet that is not taken, since another connection has the channel. */
  onDropped: (why: 'held' | 'spoofed') => void
  onDisplaced: () => void
}

/** One channel of one connection: it has the channel's stream, or its packets are dropped and counted. */
export class ConnectionChannel implements SessionChannel, VehicleClaim, VehicleChannel {
  readonly stream: string
  readonly sim: string
  readonly channel: number
  readonly door: VehicleDoor
  readonly address: string
  readonly connectedAt: number
  readonly connection: number
  version: Jt1078Packet['version']
  packets = 0
  bytes = 0
  heardMs = 0
  readonly #options: ConnectionChannelOptions
  #publication: ChannelPublication | undefined
  #notBeforeMs = 0

  constructor(options: ConnectionChannelOptions) {
    const { first, door, address, connectedAt, connection } = options
    this.#options = options
    this.stream = vehicleStream(deviceId(first), door)
    this.sim = first.sim
    this.channel = first.channel
    this.version = first.version
    this.door = door
    this.address = address
    this.connectedAt = connectedAt
    this.connection = connection
  }

  get holds(): boolean {
    return this.#publication !== undefined
  }

  packet(packet: Jt1078Packet, arrivalMs: number): void {
    this.heardMs = arrivalMs
    const publication = this.#publication ?? this.#take(arrivalMs)
    if (!publication) return
    this.version = packet.version
    this.packets += 1
    this.bytes += packet.body.length
    this.#options.registry.packet(packet, this)
    publication.packet(packet, arrivalMs)
  }

  tick(nowMs: number, heardMs: number): void {
    this.#publication?.tick(nowMs, heardMs)
  }

  end(reason: VehicleEnd): void {
    if (this.#finish(reason)) this.#options.registry.release(this, reason)
  }

  /** Told to stop, a vehicle goes on for a moment. */
  goodbye(reason: VehicleGoodbye): void {
    this.#notBeforeMs = this.heardMs + vehicleIgnoreMs
    this.end(reason)
    this.#options.onReleased(reason)
  }

  displaced(): void {
    this.#finish('displaced')
    this.#options.onDisplaced()
    this.#options.onReleased('displaced')
  }

  #take(nowMs: number): ChannelPublication | undefined {
    const { registry, onDropped, publish, onRefused, onReleased } = this.#options
    if (nowMs < this.#notBeforeMs) return undefined
    const result = registry.claim(this, nowMs)
    if (result !== 'taken') {
      onDropped(result)
      return undefined
    }
    try {
      this.#publication = publish(this)
    } catch (cause) {
      registry.release(this, 'refused')
      this.#notBeforeMs = nowMs + vehiclePublishRetryMs
      onRefused(AppError.from(cause))
      onReleased('refused')
      return undefined
    }
    registry.connected(this)
    return this.#publication
  }

  #finish(reason: VehicleEnd): boolean {
    const publication = this.#publication
    this.#publication = undefined
    publication?.end(reason)
    return publication !== undefined
  }
}
