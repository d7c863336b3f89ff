import {
  parseVehicleStream,
  type VehicleChannel,
  type VehicleDoor,
  type Vehicles,
  vehicleStream,
} from '../../agent/ingest/vehicle.ts'
import { deviceId, type Jt1078Packet } from '../../agent/protocol/jt1078.ts'

type Tap = { stream: string; onPacket: (packet: Jt1078Packet, channel: VehicleChannel) => void }

/** Vehicles that connect, send and leave when a test says so. */
export class FakeVehicles implements Vehicles {
  readonly ended: string[] = []
  readonly #channels = new Map<string, VehicleChannel>()
  readonly #taps = new Set<Tap>()
  readonly #connected = new Set<(channel: VehicleChannel) => void>()
  readonly #disconnected = new Set<(channel: VehicleChannel, reason: string) => void>()

  connect(stream: string): void {
    const vehicle = parseVehicleStream(stream)
    if (!vehicle) throw new Error(`${stream} is no vehicle`)
    const { sim, channel, door } = vehicle
    const version = sim.length === 12 ? 2016 : 2019
    const about = { stream, sim, channel, door, version, address: '', connectedAt: 0, packets: 0, bytes: 0 }
    this.#channels.set(stream, about as VehicleChannel)
    for (const call of this.#connected) call(about as VehicleChannel)
  }

  disconnect(stream: string, reason = 'gone'): void {
    const channel = this.#channels.get(stream)
    this.#channels.delete(stream)
    if (channel) for (const call of this.#disconnected) call(channel, reason)
  }

  send(packet: Jt1078Packet, door: VehicleDoor = 'live'): void {
    const stream = vehicleStream(deviceId(packet), door)
    if (!this.#channels.has(stream)) this.connect(stream)
    const channel = this.#channels.get(stream)
    if (!channel) return
    for (const tap of this.#taps) {
      if (tap.stream === 'all' || tap.stream === stream) tap.onPacket(packet, channel)
    }
  }

  get taps(): number {
    return this.#taps.size
  }

  get listeners(): number {
    return this.#connected.size + this.#disconnected.size
  }

  channels(): VehicleChannel[] {
    return [...this.#channels.values()]
  }

  channel(stream: string): VehicleChannel | undefined {
    return this.#channels.get(stream.toLowerCase())
  }

  tap(stream: string, onPacket: Tap['onPacket']): () => void {
    const tap = { stream, onPacket }
    this.#taps.add(tap)
    return () => void this.#taps.delete(tap)
  }

  onConnected(call: (channel: VehicleChannel) => void): () => void {
    this.#connected.add(call)
    return () => void this.#connected.delete(call)
  }

  onDisconnected(call: (channel: VehicleChannel, reason: string) => void): () => void {
    this.#disconnected.add(call)
    return () => void this.#disconnected.delete(call)
  }

  end(stream: string, reason: 'unwanted' | 'shutdown'): boolean {
    this.ended.push(stream)
    const known = this.#channels.has(stream)
    this.disconnect(stream, reason)
    return known
  }
}
