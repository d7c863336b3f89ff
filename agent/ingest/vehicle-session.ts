import type { Clock } from '../../shared/node/clock.ts'
import { vehicleChannelsMax, vehicleHeldBytesMax, vehicleSettleMs } from '../../shared/vehicle-limits.ts'
import type { Jt1078Packet } from '../protocol/jt1078.ts'
import type { Held } from '../protocol/jt1078-lane.ts'
import { Jt1078Parser } from '../protocol/jt1078-parser.ts'
import type { ConnectionSequence } from '../protocol/jt1078-sequence.ts'
import type { VehicleDoor, VehicleEnd } from './vehicle.ts'

/** One channel of a connection. */
export type SessionChannel = {
  /** Whether its packets go anywhere. */
  readonly holds: boolean
  packet(packet: Jt1078Packet, arrivalMs: number): void
  tick(nowMs: number, heardMs: number): void
  /** Gives up the channel, if it still has it. */
  end(reason: VehicleEnd): void
}

export type SessionChannelOptions = {
  first: Jt1078Packet
  held: Held
  sequence: ConnectionSequence
  /** It does not hold its stream any more, or could not get it. */
  onReleased: (reason: VehicleEnd) => void
}

export type VehicleSessionOptions = {
  door: VehicleDoor
  /** Of the vehicle, as its socket says. */
  address: string
  clock: Clock
  /** Whether this SIM may be given from there. */
  allows: (sim: string, address: string) => boolean
  openChannel: (options: SessionChannelOptions) => SessionChannel
  /** To be closed; `ended` is to be called then. */
  close: (reason: VehicleEnd) => void
  onSkipped: (bytes: number, resyncs: number) => void
  onSpoofed: () => void
}

/** One connection of a vehicle: packets of one SIM, of one channel or several. Never throws on what comes. */
export class VehicleSession {
  readonly #options: VehicleSessionOptions
  readonly #parser = new Jt1078Parser()
  readonly #channels = new Map<number, SessionChannel>()
  readonly #held: Held = { bytes: 0 }
  readonly #sequence: ConnectionSequence = { last: undefined }
  #sim: string | undefined
  #heardMs: number
  #takenMs: number
  #isOver = false

  constructor(options: VehicleSessionOptions) {
    this.#options = options
    this.#heardMs = this.#takenMs = options.clock.monotonicMs()
  }

  /** Undefined before the first packet. */
  get sim(): string | undefined {
    return this.#sim
  }

  /** Monotonic ms of the newest packet. */
  get heardMs(): number {
    return this.#heardMs
  }

  /** Monotonic ms of the newest packet that went anywhere. */
  get takenMs(): number {
    return this.#takenMs
  }

  /** Bytes that wait for others. */
  get heldBytes(): number {
    return this.#held.bytes + this.#parser.bufferedBytes
  }

  /** `piece` is not written to any more. */
  receive(piece: Buffer): void {
    if (this.#isOver) return
    const { skippedBytes, resyncs } = this.#parser.figures
    this.#take(this.#parser.push(piece))
    const now = this.#parser.figures
    if (now.skippedBytes > skippedBytes) {
      this.#options.onSkipped(now.skippedBytes - skippedBytes, now.resyncs - resyncs)
    }
    if (this.#isOver) return
    if (this.#parser.hopeless) this.#close('malformed')
    else if (this.heldBytes > vehicleHeldBytesMax) this.#close('memory')
  }

  /** Time goes by; to be called every `vehicleTickMs`. */
  tick(nowMs: number): void {
    if (this.#isOver) return
    if (this.#parser.bufferedBytes > 0 && nowMs - this.#heardMs > vehicleSettleMs)
      this.#take(this.#parser.settle())
    if (this.#held.bytes === 0) return
    for (const channel of this.#channels.values()) channel.tick(nowMs, this.#heardMs)
  }

  /** The connection is gone, or about to be. */
  ended(reason: VehicleEnd): void {
    if (this.#isOver) return
    if (reason === 'peer') this.#take(this.#parser.settle())
    this.#isOver = true
    for (const channel of this.#channels.values()) channel.end(reason)
    this.#channels.clear()
  }

  #take(packets: readonly Jt1078Packet[]): void {
    if (packets.length === 0) return
    const arrivalMs = this.#options.clock.monotonicMs()
    this.#heardMs = arrivalMs
    for (const packet of packets) {
      if (this.#isOver || !this.#admits(packet)) return
      const channel = this.#channelOf(packet)
      channel?.packet(packet, arrivalMs)
      if (channel?.holds) this.#takenMs = arrivalMs
    }
  }

  #admits({ sim }: Jt1078Packet): boolean {
    if (this.#sim === sim) return true
    const { address, allows, onSpoofed } = this.#options
    if (this.#sim !== undefined) {
      onSpoofed()
      return this.#close('sim-changed')
    }
    if (!allows(sim, address)) return this.#close('not-allowed')
    this.#sim = sim
    return true
  }

  #channelOf(packet: Jt1078Packet): SessionChannel | undefined {
    const known = this.#channels.get(packet.channel)
    if (known) return known
    if (this.#channels.size >= vehicleChannelsMax) {
      this.#close('too-many-channels')
      return undefined
    }
    const onReleased = (reason: VehicleEnd) => this.#released(reason)
    const options = { first: packet, held: this.#held, sequence: this.#sequence, onReleased }
    const channel = this.#options.openChannel(options)
    this.#channels.set(packet.channel, channel)
    return channel
  }

  /** A connection of which nothing is taken any more is of no use. */
  #released(reason: VehicleEnd): void {
    if (this.#isOver) return
    for (const { holds } of this.#channels.values()) if (holds) return
    this.#close(reason)
  }

  #close(reason: VehicleEnd): false {
    this.#options.close(reason)
    return false
  }
}
