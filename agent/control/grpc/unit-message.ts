import type { AccessUnitMessage } from './messages.ts'

const startCode = Uint8Array.of(0, 0, 0, 1)

/** Of `payload` only what it is put together from: it is written once, where it goes out. */
export type UnitFields = Omit<AccessUnitMessage, 'payload'> & {
  parts: readonly Uint8Array[]
  /** Start codes before each of the parts. */
  annexB: boolean
}

const frameHeadBytes = 5

/**
 * A message as it goes over the wire (gRPC over HTTP/2, Length-Prefixed-Message): not compressed u8 = 0 │ length u32 │
 * message. `more` is joined to it: encoded messages of one type, one behind the other, are one message.
 */
export function framed(message: Uint8Array, more: Uint8Array): Buffer {
  const frame = Buffer.concat([message, more])
  frame.writeUInt32BE(frame.length - frameHeadBytes, 1)
  return frame
}

/**
 * An `AccessUnit` of edgereel.proto in the wire format of Protocol Buffers, framed for the wire, without `config`
 * and `dropped`. By hand, since a picture would be copied four times on its way through the general encoder.
 *
 *   field × 8 + type (0 varint, 2 length and bytes)     defaults (0, false, "") are left out
 */
export function unitFrame(unit: UnitFields): Buffer {
  const { codec, dts, pts, key, parts, annexB, track, epoch, arrivedAt, damaged } = unit
  const perPart = annexB ? startCode.length : 0
  const payloadBytes = parts.reduce((sum, { length }) => sum + perPart + length, 0)
  const writer = new Writer(payloadBytes + fieldsBytesMax)
  writer.text(1, codec)
  writer.integer(2, dts)
  writer.integer(3, pts)
  writer.integer(4, key ? 1 : 0)
  writer.text(6, track)
  writer.integer(7, epoch)
  writer.integer(8, arrivedAt)
  writer.integer(9, damaged ? 1 : 0)
  writer.length(5, payloadBytes)
  for (const part of parts) {
    if (annexB) writer.bytes(startCode)
    writer.bytes(part)
  }
  return writer.taken()
}

const varintBytesMax = 10 // 64 bits, seven at a time.
const fieldsBytesMax = 9 + 6 * (1 + varintBytesMax) + 2 * (2 + 8) // Tags, numbers, two short words.

class Writer {
  readonly #out: Buffer
  #at = 0

  constructor(bytesMax: number) {
    this.#out = Buffer.allocUnsafe(frameHeadBytes + bytesMax)
    this.#out[0] = 0
    this.#at = frameHeadBytes
  }

  text(field: number, text: string): void {
    if (text === '') return
    this.length(field, text.length)
    this.#at += this.#out.write(text, this.#at, 'latin1')
  }

  /** Negative numbers as the 64 bits of their two's complement. */
  integer(field: number, value: number): void {
    if (value === 0) return
    this.#varint(field * 8)
    if (value > 0) this.#varint(value)
    else this.#wide(BigInt.asUintN(64, BigInt(value)))
  }

  length(field: number, bytes: number): void {
    this.#varint(field * 8 + 2)
    this.#varint(bytes)
  }

  bytes(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#at)
    this.#at += bytes.length
  }

  taken(): Buffer {
    this.#out.writeUInt32BE(this.#at - frameHeadBytes, 1)
    return this.#out.subarray(0, this.#at)
  }

  /** Beyond 32 bits too, so no shifts. */
  #varint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    this.#byte(rest)
  }

  #wide(value: bigint): void {
    let rest = value
    while (rest > 127n) {
      this.#byte(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    this.#byte(Number(rest))
  }

  #byte(byte: number): void {
    this.#out[this.#at] = byte
    this.#at += 1
  }
}
