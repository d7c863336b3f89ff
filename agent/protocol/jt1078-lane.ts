import { vehicleAssemblyBytesMax, vehicleAssemblyMs } from '../../shared/vehicle-limits.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { type Jt1078Packet, subPackets } from './jt1078.ts'

/** The body of a whole packet, or of all parts of one that was cut. */
export type Jt1078Piece = Pick<Jt1078Packet, 'dataType' | 'payloadType' | 'marker' | 'timestampMs'> & {
  readonly bytes: Uint8Array
  /** Parts are missing. */
  readonly damaged: boolean
  /** Monotonic ms of the last byte. */
  readonly arrivalMs: number
}

export type LaneRefusal = 'part-without-first' | 'too-large' | 'duplicate'

/** Bytes that wait in all lanes of a connection: its bound is the connection's. */
export type Held = { bytes: number }

/**
 * Pictures, sound or data of one channel: packets → whole pieces. Each kind has a lane of its own, since sound may
 * come between the parts of a picture.
 *
 * What begins anew before the last part of the piece before it has come gives that piece out damaged, and so do
 * other packets alone for `vehicleAssemblyMs`; parts without a first one are refused, for a NAL unit without its head is none.
 */
export class Jt1078Lane {
  readonly #held: Held
  readonly #parts = new GrowingBytes()
  #open: Jt1078Packet | undefined
  #damaged = false
  #arrivalMs = 0
  #last: Jt1078Packet | undefined
  /** Some devices give all packets one number: then silence would look like one packet again and again. */
  #isNumbered = false
  readonly #onRefused: (reason: LaneRefusal) => void

  constructor(held: Held, onRefused: (reason: LaneRefusal) => void) {
    this.#held = held
    this.#onRefused = onRefused
  }

  /** `lost`: packets are missing before this one. */
  push(packet: Jt1078Packet, arrivalMs: number, lost: boolean): readonly Jt1078Piece[] {
    if (this.#isRepeated(packet)) return this.#refuse('duplicate')
    if (this.#last && this.#last.sequence !== packet.sequence) this.#isNumbered = true
    this.#last = packet
    if (lost && this.#open) this.#damaged = true
    const { subPacket } = packet
    if (subPacket === subPackets.whole || subPacket === subPackets.first)
      return this.#begin(packet, arrivalMs)
    const before = this.#open?.timestampMs === packet.timestampMs ? [] : this.#flush()
    if (!this.#open) {
      this.#refuse('part-without-first')
      return before
    }
    if (!this.#append(packet.body, arrivalMs)) return this.#refuse('too-large')
    return subPacket === subPackets.last ? this.#flush(packet) : before
  }

  /** Gives out what was begun and not gone on with, though other packets came until `heardMs`. */
  tick(heardMs: number): readonly Jt1078Piece[] {
    return this.#open && heardMs - this.#arrivalMs > vehicleAssemblyMs ? this.#flush() : none
  }

  /** Nothing follows. */
  end(): readonly Jt1078Piece[] {
    return this.#flush()
  }

  #begin(packet: Jt1078Packet, arrivalMs: number): readonly Jt1078Piece[] {
    const before = this.#flush()
    if (packet.subPacket === subPackets.whole) {
      const bytes = unpinned(packet.body)
      return [...before, { ...about(packet), bytes, marker: packet.marker, damaged: false, arrivalMs }]
    }
    this.#open = packet
    this.#damaged = false
    this.#append(packet.body, arrivalMs)
    return before
  }

  #append(body: Uint8Array, arrivalMs: number): boolean {
    this.#arrivalMs = arrivalMs
    if (this.#parts.length + body.length > vehicleAssemblyBytesMax) {
      this.#drop()
      return false
    }
    this.#parts.append(body)
    this.#held.bytes += body.length
    return true
  }

  /** What is open, damaged unless `last` ends it. */
  #flush(last?: Jt1078Packet): readonly Jt1078Piece[] {
    const open = this.#open
    if (!open) return none
    this.#open = undefined
    this.#held.bytes -= this.#parts.length
    const damaged = this.#damaged || last === undefined
    const marker = last?.marker ?? false
    return [{ ...about(open), bytes: this.#parts.takeExact(), marker, damaged, arrivalMs: this.#arrivalMs }]
  }

  #drop(): void {
    this.#open = undefined
    this.#held.bytes -= this.#parts.length
    this.#parts.take()
  }

  #refuse(reason: LaneRefusal): readonly Jt1078Piece[] {
    this.#onRefused(reason)
    return none
  }

  /** The same packet again. */
  #isRepeated(packet: Jt1078Packet): boolean {
    const last = this.#last
    if (!last || !this.#isNumbered || last.sequence !== packet.sequence) return false
    if (last.timestampMs !== packet.timestampMs) return false
    return last.subPacket === packet.subPacket && Buffer.compare(last.body, packet.body) === 0
  }
}

const none: readonly Jt1078Piece[] = []

/** A little of what one read brought must not keep all of it in memory, where it may wait for long and is counted as little. */
function unpinned(body: Uint8Array): Uint8Array {
  return body.length * 4 < body.buffer.byteLength ? body.slice() : body
}

function about({ dataType, payloadType, timestampMs }: Jt1078Packet) {
  return { dataType, payloadType, ...(timestampMs === undefined ? {} : { timestampMs }) }
}
