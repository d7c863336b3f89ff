import { AppError } from '../error.ts'
import { tsResyncBytesMax } from '../limits.ts'

/**
 * One packet of a transport stream (ISO/IEC 13818-1, 2.4.3.2).
 *
 *   0x47 | error 1, start 1, priority 1, PID 13 | scrambling 2, adaptation 1, payload 1, continuity 4
 *   [adaptation: length 8, flags …] payload to 188 bytes
 */
export type TsPacket = {
  pid: number
  /** A PES packet or a section begins in it. */
  start: boolean
  /** Damaged on the way, or scrambled: of no use. */
  unusable: boolean
  continuity: number
  /** The continuity counter may jump here. */
  discontinuity: boolean
  /** A view; undefined without one. */
  payload: Uint8Array | undefined
}

const packetBytes = 188
const sync = 0x47

/**
 * Any bytes, in any split → packets. Sync is found where two packets follow each other, and kept while each packet
 * begins with its byte.
 */
export class TsPackets {
  #rest: Uint8Array = new Uint8Array(0)
  #skipped = 0
  #synced = false

  /** InvalidArgument when there is no packet in so many bytes that it is no MPEG-TS. */
  push(bytes: Uint8Array): TsPacket[] {
    const all = this.#rest.length === 0 ? bytes : joined(this.#rest, bytes)
    const packets: TsPacket[] = []
    let at = 0
    while (at + packetBytes + (this.#synced ? 0 : 1) <= all.length) {
      this.#synced = all[at] === sync && (this.#synced || all[at + packetBytes] === sync)
      if (this.#synced) packets.push(parsePacket(all.subarray(at, at + packetBytes)))
      at += this.#synced ? packetBytes : 1
      this.#count(this.#synced)
    }
    this.#rest = Uint8Array.from(all.subarray(at)) // A copy: the chunk is not held for its last bytes.
    return packets
  }

  #count(synced: boolean): void {
    this.#skipped = synced ? 0 : this.#skipped + 1
    if (this.#skipped <= tsResyncBytesMax) return
    throw new AppError('InvalidArgument', 'MPEG-TS: no packets are found')
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

function parsePacket(bytes: Uint8Array): TsPacket {
  const [, high = 0, low = 0, flags = 0, adaptation = 0, adaptationFlags = 0] = bytes
  const hasAdaptation = (flags & 0x20) !== 0
  const from = hasAdaptation ? 5 + adaptation : 4
  const hasPayload = (flags & 0x10) !== 0 && from < packetBytes
  return {
    pid: ((high & 0x1f) << 8) | low,
    start: (high & 0x40) !== 0,
    unusable: (high & 0x80) !== 0 || (flags & 0xc0) !== 0,
    continuity: flags & 15,
    discontinuity: hasAdaptation && adaptation > 0 && (adaptationFlags & 0x80) !== 0,
    payload: hasPayload ? bytes.subarray(from) : undefined,
  }
}
