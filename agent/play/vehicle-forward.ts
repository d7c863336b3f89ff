import type { Vehicles } from '../ingest/vehicle.ts'
import { dataTypes, type Jt1078Packet } from '../protocol/jt1078.ts'
import { beginsKeyFrame, writeData } from '../protocol/vehicle-inner.ts'

/** One who is given the packets of a channel as they come. Does not throw, does not write to the bytes. */
export type PacketReader = {
  /** The body of a data packet of the inner protocol. `begins`: a decoder that was given nothing before can start here. */
  packet(body: Buffer, begins: boolean): void
}

export type VehicleForward = {
  /** From the next packet on, whether the vehicle is connected already or not. */
  subscribe(stream: string, reader: PacketReader): Disposable
  /** Channels that somebody reads. */
  readonly channels: number
}

/** Packets of vehicles as they came, for those who take them apart themselves: packed once, for all who read a channel. */
export function createVehicleForward(vehicles: Pick<Vehicles, 'tap'>): VehicleForward {
  const channels = new Map<string, Channel>()
  return {
    subscribe: (stream, reader) => {
      const key = stream.toLowerCase()
      const channel = channels.get(key) ?? new Channel(key, vehicles)
      channels.set(key, channel)
      channel.readers.add(reader)
      return {
        [Symbol.dispose]: () => {
          if (!channel.readers.delete(reader) || channel.readers.size > 0) return
          channel.stop()
          channels.delete(key)
        },
      }
    },
    get channels() {
      return channels.size
    },
  }
}

class Channel {
  readonly readers = new Set<PacketReader>()
  readonly stop: () => void
  #lastPicture: Jt1078Packet | undefined

  constructor(stream: string, vehicles: Pick<Vehicles, 'tap'>) {
    this.stop = vehicles.tap(stream, (packet) => this.#pass(packet))
  }

  #pass(packet: Jt1078Packet): void {
    const begins = this.#begins(packet)
    const body = writeData(packet)
    if (body) for (const reader of this.readers) reader.packet(body, begins)
  }

  /** Parameter sets and their picture may be packets of their own: they have one time. */
  #begins(packet: Jt1078Packet): boolean {
    if (packet.dataType >= dataTypes.audio) return false
    const before = this.#lastPicture
    this.#lastPicture = packet
    const isSame = before?.dataType === dataTypes.key && before.timestampMs === packet.timestampMs
    return beginsKeyFrame(packet) && !isSame
  }
}
