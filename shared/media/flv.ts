import { AppError } from '../error.ts'
import { flvTagBytesMax } from '../limits.ts'

/**
 * FLV (Adobe, "video_file_format_spec_v10_1", annex E), big-endian:
 *
 *   "FLV" │ version u8 = 1 │ flags u8: 4 sound, 1 pictures │ header bytes u32 = 9 │ 0 u32
 *
 *   0            1             4                7                  8            11
 *   +------------+-------------+----------------+------------------+------------+------+---------------+
 *   | type u8    | body bytes  | timestamp ms   | timestamp ms     | stream u24 | body | 11 + body u32 |
 *   | 8, 9 or 18 | u24         | low 24 bits    | bits 24 to 31    | = 0        |      |               |
 *   +------------+-------------+----------------+------------------+------------+------+---------------+
 */
export const flvTagType = { audio: 8, video: 9, script: 18 } as const
export type FlvTagKind = keyof typeof flvTagType

export type FlvTag = {
  kind: FlvTagKind
  /** 0 … 2³² − 1, as on the wire: unwrapping it is the timeline's work. */
  timestampMs: number
  /** A view of what was pushed, or a buffer of its own where the tag came in pieces. */
  body: Uint8Array
}

const headBytes = 11
const backPointerBytes = 4

export function flvFileHeader(has: { video: boolean; audio: boolean }): Uint8Array {
  const flags = (has.audio ? 4 : 0) | (has.video ? 1 : 0)
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0)
}

export function flvTagBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, headBytes + backPointerBytes)
}

/**
 * Writes one tag with the size of it behind, `flvTagBytes(parts)` bytes, and returns where it ends: a stream
 * frames its tags straight into its slabs. InvalidArgument when the body does not fit 24 bits.
 */
export function writeFlvTag(
  into: Uint8Array,
  at: number,
  tag: { kind: FlvTagKind; timestampMs: number; parts: readonly Uint8Array[] },
): number {
  const total = flvTagBytes(tag.parts)
  const bodyBytes = total - headBytes - backPointerBytes
  if (bodyBytes >= 2 ** 24) throw new AppError('InvalidArgument', `FLV: a tag of ${bodyBytes} bytes`)
  const view = new DataView(into.buffer, into.byteOffset + at, total)
  view.setUint32(0, flvTagType[tag.kind] * 2 ** 24 + bodyBytes)
  view.setUint32(4, ((tag.timestampMs & 0xffffff) << 8) | ((tag.timestampMs >>> 24) & 0xff))
  view.setUint32(8, 0) // Its last byte is the body's first.
  let to = at + headBytes
  for (const part of tag.parts) {
    into.set(part, to)
    to += part.length
  }
  view.setUint32(total - backPointerBytes, total - backPointerBytes)
  return at + total
}

export function flvTag(kind: FlvTagKind, timestampMs: number, ...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(flvTagBytes(parts))
  writeFlvTag(bytes, 0, { kind, timestampMs, parts })
  return bytes
}

type State = 'file header' | 'skip' | 'back pointer' | 'tag header' | 'body'

/**
 * Bytes in, tags out; any split gives the same tags. The sizes behind tags are not believed (many writers
 * leave them 0). What was whole before a malformed byte is still returned: the error, InvalidArgument, is
 * thrown by the next call of `push` or by `end`, or at once when there is nothing to return.
 */
export class FlvParser {
  readonly #tagBytesMax: number
  #state: State = 'file header'
  #need = 9
  #piece: Uint8Array = new Uint8Array(0)
  #pieceBytes = 0
  #tag: { kind: FlvTagKind | undefined; timestampMs: number } = { kind: undefined, timestampMs: 0 }
  #error: AppError | undefined

  /** From the file header on, or (a connection that is in the middle of one) from a tag header on. */
  constructor(options: { from?: 'file header' | 'tag header'; tagBytesMax?: number } = {}) {
    this.#tagBytesMax = options.tagBytesMax ?? flvTagBytesMax
    if (options.from === 'tag header') this.#expect('tag header', headBytes)
  }

  push(bytes: Uint8Array): FlvTag[] {
    if (this.#error) throw this.#error
    const tags: FlvTag[] = []
    try {
      this.#consume(bytes, tags)
    } catch (cause) {
      this.#error = AppError.from(cause)
      if (tags.length === 0) throw this.#error
    }
    return tags
  }

  /** Nothing more will come: InvalidArgument when the bytes were malformed or end inside of a tag. */
  end(): void {
    if (this.#error) throw this.#error
    // A writer that was killed may leave out the last size.
    const complete =
      this.#state === 'back pointer' || (this.#state === 'tag header' && this.#pieceBytes === 0)
    if (!complete) throw new AppError('InvalidArgument', `FLV: it ends inside of a ${this.#state}`)
  }

  #consume(bytes: Uint8Array, tags: FlvTag[]): void {
    let at = 0
    // A body of no bytes is complete before anything more comes.
    while (at < bytes.length || this.#need === 0) {
      const taken = Math.min(bytes.length - at, this.#need - this.#pieceBytes)
      const whole = taken === this.#need
      if (!whole) this.#append(bytes.subarray(at, at + taken))
      at += taken
      if (!whole && this.#pieceBytes < this.#need) return
      const piece = whole ? bytes.subarray(at - taken, at) : this.#piece.subarray(0, this.#pieceBytes)
      this.#piece = new Uint8Array(0)
      this.#pieceBytes = 0
      this.#step(piece, tags)
    }
  }

  /** Grows with what came, not with what a header claims. */
  #append(bytes: Uint8Array): void {
    if (this.#state === 'skip') {
      this.#need -= bytes.length
      return
    }
    const size = this.#pieceBytes + bytes.length
    if (size > this.#piece.length) {
      const larger = new Uint8Array(Math.min(this.#need, Math.max(size, 2 * this.#piece.length, 1024)))
      larger.set(this.#piece.subarray(0, this.#pieceBytes))
      this.#piece = larger
    }
    this.#piece.set(bytes, this.#pieceBytes)
    this.#pieceBytes = size
  }

  #step(piece: Uint8Array, tags: FlvTag[]): void {
    if (this.#state === 'file header') this.#fileHeader(piece)
    else if (this.#state === 'skip') this.#expect('back pointer', backPointerBytes)
    else if (this.#state === 'back pointer') this.#expect('tag header', headBytes)
    else if (this.#state === 'tag header') this.#tagHeader(piece)
    else {
      const { kind, timestampMs } = this.#tag
      if (kind) tags.push({ kind, timestampMs, body: piece })
      this.#expect('back pointer', backPointerBytes)
    }
  }

  #fileHeader(header: Uint8Array): void {
    const view = new DataView(header.buffer, header.byteOffset, header.length)
    if (view.getUint32(0) >>> 8 !== 0x464c56)
      throw new AppError('InvalidArgument', 'FLV: it does not begin with FLV')
    const bytes = view.getUint32(5)
    if (bytes < 9 || bytes > this.#tagBytesMax) {
      throw new AppError('InvalidArgument', `FLV: a file header of ${bytes} bytes`)
    }
    if (bytes > 9) this.#expect('skip', bytes - 9)
    else this.#expect('back pointer', backPointerBytes)
  }

  #tagHeader(header: Uint8Array): void {
    const view = new DataView(header.buffer, header.byteOffset, header.length)
    const type = view.getUint8(0)
    const bodyBytes = view.getUint32(0) & 0xffffff
    if (type & 0xe0)
      throw new AppError('InvalidArgument', `FLV: there is no tag of type ${type} (encrypted or damaged)`)
    if (bodyBytes > this.#tagBytesMax) {
      throw new AppError(
        'InvalidArgument',
        `FLV: a tag of ${bodyBytes} bytes, at most ${this.#tagBytesMax} are read`,
      )
    }
    const stamp = view.getUint32(4)
    this.#tag = { kind: kindOf(type), timestampMs: ((stamp << 24) | (stamp >>> 8)) >>> 0 }
    this.#expect('body', bodyBytes)
  }

  #expect(state: State, bytes: number): void {
    this.#state = state
    this.#need = bytes
  }
}

/** A tag of another type is passed over: undefined. */
function kindOf(type: number): FlvTagKind | undefined {
  if (type === flvTagType.video) return 'video'
  if (type === flvTagType.audio) return 'audio'
  return type === flvTagType.script ? 'script' : undefined
}
