import { vehicleAliveMs } from '../../shared/vehicle-limits.ts'
import type { Jt1078Packet } from '../protocol/jt1078.ts'
import type { VehicleChannel, VehicleGoodbye, Vehicles } from './vehicle.ts'

/** A channel of one connection, as the registry sees it. */
export type VehicleClaim = VehicleChannel & {
  /** Grows with each connection. */
  readonly connection: number
  /** Monotonic ms of its newest packet. */
  readonly heardMs: number
  /** Another connection gives this channel now. */
  displaced(): void
  goodbye(reason: VehicleGoodbye): void
}

type Tap = (packet: Jt1078Packet, channel: VehicleChannel) => void

/**
 * Which connection gives which channel. The newest one does; but a channel that is heard is not given to another
 * address, so that nobody takes a vehicle's place while it sends.
 */
export class VehicleRegistry implements Vehicles {
  readonly #claims = new Map<string, VehicleClaim>()
  readonly #taps = new Map<string, Set<Tap>>()
  readonly #connected = new Set<(channel: VehicleChannel) => void>()
  readonly #disconnected = new Set<(channel: VehicleChannel, reason: string) => void>()
  readonly #onFault: (error: unknown) => void

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  channels(): VehicleChannel[] {
    return [...this.#claims.values()]
  }

  channel(stream: string): VehicleChannel | undefined {
    return this.#claims.get(stream.toLowerCase())
  }

  tap(stream: string | 'all', onPacket: Tap): () => void {
    const key = stream.toLowerCase()
    const taps = this.#taps.get(key) ?? new Set<Tap>()
    this.#taps.set(key, taps)
    const remove = added<Tap>(taps, (packet, channel) => onPacket(packet, channel))
    return () => {
      remove()
      if (taps.size === 0 && this.#taps.get(key) === taps) this.#taps.delete(key)
    }
  }

  onConnected(call: (channel: VehicleChannel) => void): () => void {
    return added(this.#connected, (channel) => call(channel))
  }

  onDisconnected(call: (channel: VehicleChannel, reason: string) => void): () => void {
    return added(this.#disconnected, (channel, reason) => call(channel, reason))
  }

  end(stream: string, reason: VehicleGoodbye): boolean {
    const claim = this.#claims.get(stream.toLowerCase())
    claim?.goodbye(reason)
    return claim !== undefined
  }

  /** `held`: who has it now keeps it. `spoofed`: and is heard at another address. */
  claim(claim: VehicleClaim, nowMs: number): 'taken' | 'held' | 'spoofed' {
    const holder = this.#claims.get(claim.stream)
    if (holder && nowMs - holder.heardMs <= vehicleAliveMs) {
      if (holder.connection > claim.connection) return 'held'
      if (holder.address !== claim.address) return 'spoofed'
    }
    if (holder) {
      this.release(holder, 'displaced')
      holder.displaced()
    }
    this.#claims.set(claim.stream, claim)
    return 'taken'
  }

  /** Its stream is there: who waits for it is told. */
  connected(channel: VehicleClaim): void {
    for (const call of this.#connected) this.#guard(() => call(channel))
  }

  release(claim: VehicleClaim, reason: string): void {
    if (this.#claims.get(claim.stream) !== claim) return
    this.#claims.delete(claim.stream)
    for (const call of this.#disconnected) this.#guard(() => call(claim, reason))
  }

  packet(packet: Jt1078Packet, channel: VehicleChannel): void {
    if (this.#taps.size === 0) return
    for (const name of [channel.stream, 'all']) {
      for (const tap of this.#taps.get(name) ?? []) this.#guard(() => tap(packet, channel))
    }
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#onFault(error)
    }
  }
}

/** `call` is a new function each time, so that one who adds twice is there twice. */
function added<T>(set: Set<T>, call: T): () => void {
  set.add(call)
  return () => void set.delete(call)
}
