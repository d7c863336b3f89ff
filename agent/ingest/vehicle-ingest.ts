import type { AppError } from '../../shared/error.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { vehicleDataBytesMax, vehicleDataPerSecond, vehicleLostMax } from '../../shared/vehicle-limits.ts'
import { liveClient } from '../live-client.ts'
import { counter } from './flv-units.ts'
import type { PublishHub } from './rtmp.ts'
import type { VehicleChannel, VehicleDoor, VehicleEnd, Vehicles } from './vehicle.ts'
import { type ChannelPublication, ConnectionChannel } from './vehicle-channel.ts'
import { VehicleRegistry } from './vehicle-registry.ts'
import { type SessionChannelOptions, VehicleSession } from './vehicle-session.ts'
import { type VehicleOutput, type VehicleRefusal, VehicleUnits } from './vehicle-units.ts'

export type VehicleFigures = {
  packets: number
  bytes: number
  /** Packets that the vehicles' own numbers say are missing. */
  lostPackets: number
  resyncs: number
  skippedBytes: number
  /** Connections that took a channel over from an older one. */
  displaced: number
  /** Packets of a channel that another connection has: a newer one. */
  held: number
  /** Packets of a SIM that is not the connection's, or of a channel that is heard at another address. */
  spoofed: number
  /** Channels that the hub refused. */
  refusedChannels: number
  /** Pieces of transparent data, and those of them that were too large or too many to be told. */
  data: number
  dataDropped: number
  readonly refused: Partial<Record<VehicleRefusal, number>>
}

export type VehicleData = { channel: VehicleChannel; payloadType: number; bytes: Uint8Array }

export type VehicleIngestOptions = {
  hub: PublishHub
  clock: Clock
  /** Live that was told to stop, for nobody wants it: when it goes then, nothing is missing. */
  isUnwanted?: (stream: string) => boolean
  onData?: (data: VehicleData) => void
  onRefused?: (stream: string, error: AppError) => void
  onFault: (error: unknown) => void
}

export type VehicleConnectionRequest = {
  door: VehicleDoor
  address: string
  allows: (sim: string, address: string) => boolean
  close: (reason: VehicleEnd) => void
}

export type VehicleIngest = {
  readonly vehicles: Vehicles
  readonly figures: Readonly<VehicleFigures>
  connect(request: VehicleConnectionRequest): VehicleSession
}

/**
 * Vehicles → the hub. A channel that was cut off and comes back continues its stream, and the gap between says how long
 * it was away; one that was told to stop begins anew.
 */
export function createVehicleIngest(options: VehicleIngestOptions): VehicleIngest {
  return new Ingest(options)
}

class Ingest implements VehicleIngest {
  readonly vehicles: VehicleRegistry
  readonly figures: VehicleFigures = {
    ...{ packets: 0, bytes: 0, lostPackets: 0, resyncs: 0, skippedBytes: 0 },
    ...{ displaced: 0, held: 0, spoofed: 0, refusedChannels: 0, data: 0, dataDropped: 0, refused: {} },
  }
  readonly #options: VehicleIngestOptions
  readonly #nextEpoch = counter()
  readonly #nextConnection = counter()
  /** Timeline ms of the last unit of those that were cut off, by stream. */
  readonly #cutOff = new Map<string, number>()

  constructor(options: VehicleIngestOptions) {
    this.#options = options
    this.vehicles = new VehicleRegistry(options.onFault)
  }

  connect({ door, address, allows, close }: VehicleConnectionRequest): VehicleSession {
    const { clock } = this.#options
    const about = { door, address, connection: this.#nextConnection() }
    return new VehicleSession({
      ...{ door, address, clock, allows, close },
      openChannel: (options) => this.#channel({ ...options, ...about }),
      onSkipped: (bytes, resyncs) => {
        this.figures.skippedBytes += bytes
        this.figures.resyncs += resyncs
      },
      onSpoofed: () => {
        this.figures.spoofed += 1
      },
    })
  }

  #channel(
    options: SessionChannelOptions & { door: VehicleDoor; address: string; connection: number },
  ): ConnectionChannel {
    const { figures } = this
    const { onRefused, clock } = this.#options
    const channel: ConnectionChannel = new ConnectionChannel({
      ...options,
      connectedAt: clock.nowMs(),
      registry: this.vehicles,
      publish: (of) => this.#publish(of, options),
      onRefused: (error) => {
        figures.refusedChannels += 1
        onRefused?.(channel.stream, error)
      },
      onDropped: (why) => {
        figures[why] += 1
      },
      onDisplaced: () => {
        figures.displaced += 1
      },
    })
    return channel
  }

  #publish(channel: ConnectionChannel, { held, sequence }: SessionChannelOptions): ChannelPublication {
    const { hub, clock } = this.#options
    const { figures } = this
    const { stream, sim, address, door } = channel
    const publisher = hub.publish({
      name: stream,
      kind: 'vehicle',
      identity: `vehicle ${sim}`,
      client: liveClient(address, door === 'live' ? 'live' : 'replay', new URLSearchParams()),
      onDisplaced: () => channel.end('displaced'),
      close: () => channel.goodbye('closed'),
    })
    const units = new VehicleUnits({
      ...{ held, sequence, nextEpoch: this.#nextEpoch, plays: door === 'history' },
      now: { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() },
      output: this.#output(channel, publisher),
    })
    return {
      packet: (packet, arrivalMs) => {
        figures.packets += 1
        figures.bytes += packet.body.length
        units.packet(packet, arrivalMs)
      },
      tick: (nowMs, heardMs) => units.tick(nowMs, heardMs),
      end: (reason) => {
        units.end()
        const wasTold = door === 'live' && this.#options.isUnwanted?.(stream)
        const isGoodbye = reason === 'unwanted' || reason === 'shutdown' || wasTold
        if (!isGoodbye) this.#remember(stream, units.lastPtsMs)
        publisher.end(reason)
      },
    }
  }

  /** The first unit tells how long the channel was away. */
  #output(channel: ConnectionChannel, publisher: ReturnType<PublishHub['publish']>): VehicleOutput {
    const { figures } = this
    const { stream } = channel
    const tellLoss = (unit: AccessUnit) => {
      const fromMs = this.#cutOff.get(stream)
      if (fromMs === undefined) return
      this.#cutOff.delete(stream)
      publisher.gap({ fromMs: Math.min(fromMs, unit.ptsMs), toMs: unit.ptsMs, cause: 'source-lost' })
    }
    return {
      unit: (unit) => {
        tellLoss(unit)
        publisher.push(unit)
      },
      gap: (gap) => publisher.gap(gap),
      data: this.#teller(channel),
      refused: (reason) => {
        figures.refused[reason] = (figures.refused[reason] ?? 0) + 1
      },
      lost: (packets) => {
        figures.lostPackets += packets
      },
    }
  }

  /** Tells of transparent data, so much and so often as a bound allows. */
  #teller(channel: VehicleChannel): (bytes: Uint8Array, payloadType: number) => void {
    const { clock, onData } = this.#options
    let second = 0
    let told = 0
    return (bytes, payloadType) => {
      const now = Math.floor(clock.monotonicMs() / 1000)
      if (now !== second) told = 0
      second = now
      told += 1
      this.figures.data += 1
      if (bytes.length > vehicleDataBytesMax || told > vehicleDataPerSecond) this.figures.dataDropped += 1
      else onData?.({ channel, payloadType, bytes })
    }
  }

  #remember(stream: string, lastPtsMs: number | undefined): void {
    if (lastPtsMs === undefined) return
    this.#cutOff.delete(stream)
    this.#cutOff.set(stream, lastPtsMs)
    const [oldest] = this.#cutOff.keys()
    if (this.#cutOff.size > vehicleLostMax && oldest !== undefined) this.#cutOff.delete(oldest)
  }
}
