import { AppError } from '../error.ts'
import { flvTracksMax } from '../limits.ts'

/** What is behind the extensions of an Enhanced RTMP message: one packet of one codec. */
export type EnhancedPacket = { type: number; fourCc: number; payload: Uint8Array }

type Numbers = {
  /** First byte: the low 4 bits are the packet type. */
  first: number
  /** Packet types, which differ between sound and pictures. */
  multitrack: number
  /** A packet without a FourCC. */
  metadata?: number
}

const modEx = 7
const modExMax = 8 // There is one kind of extension; a loop of them is an attack.

/**
 * Enhanced RTMP v2, from the packet type on:
 *
 *   ModEx       size u8 + 1 (256: u16 + 1 follows) │ bytes │ kind 4 bits │ packet type 4 bits     (again and again)
 *   Multitrack  kind 4 bits: 0 one track, 1 many, 2 many of many codecs │ packet type 4 bits │ FourCC, unless kind 2
 *               each track: FourCC (kind 2) │ track u8 │ size u24 (unless kind 0) │ payload
 *   otherwise   FourCC │ payload
 *
 * The one extension there is adds nanoseconds to the stamp: our times are milliseconds. Of several tracks the first,
 * track 0, is read. Undefined when that is not in this message, or when it holds metadata. InvalidArgument when cut off.
 */
export function enhancedPacket(body: Uint8Array, numbers: Numbers): EnhancedPacket | undefined {
  const reader = new Reader(body)
  let type = numbers.first & 0x0f
  for (let count = 0; type === modEx; count += 1) {
    if (count === modExMax) throw cutOff('extensions without end')
    let size = reader.u8() + 1
    if (size === 256) size = reader.u16() + 1
    reader.skip(size)
    type = reader.u8() & 0x0f
  }
  if (type === numbers.metadata) return undefined
  if (type === numbers.multitrack) return firstTrack(reader)
  return { type, fourCc: reader.u32(), payload: reader.rest() }
}

const trackKind = { one: 0, many: 1, manyCodecs: 2 }

function firstTrack(reader: Reader): EnhancedPacket | undefined {
  const head = reader.u8()
  const kind = head >> 4
  const type = head & 0x0f
  if (kind > trackKind.manyCodecs) throw cutOff(`tracks of kind ${kind}`)
  let fourCc = kind === trackKind.manyCodecs ? 0 : reader.u32()
  for (let count = 0; !reader.atEnd; count += 1) {
    if (count === flvTracksMax) throw cutOff('tracks without end')
    if (kind === trackKind.manyCodecs) fourCc = reader.u32()
    const track = reader.u8()
    const payload = kind === trackKind.one ? reader.rest() : reader.take(reader.u24())
    if (track === 0) return { type, fourCc, payload }
    if (kind === trackKind.one) return undefined
  }
  return undefined
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 1

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  u8(): number {
    return this.#view.getUint8(this.skip(1))
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2))
  }

  u24(): number {
    return this.u8() * 65_536 + this.u16()
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4))
  }

  take(size: number): Uint8Array {
    const at = this.skip(size)
    return this.#bytes.subarray(at, at + size)
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at)
  }

  /** Returns where it was. */
  skip(size: number): number {
    const at = this.#at
    if (at + size > this.#bytes.length) throw cutOff(`only ${this.#bytes.length} bytes`)
    this.#at = at + size
    return at
  }
}

function cutOff(what: string): AppError {
  return new AppError('InvalidArgument', `FLV: an enhanced tag with ${what}`)
}
