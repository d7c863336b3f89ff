import { AppError } from '../../../shared/error.ts'
import {
  rtmpChunkBytesMin,
  rtmpChunkStreamsMax,
  rtmpFirstDeltaMsMax,
  rtmpMessageBytesMax,
  rtmpPartialMessagesMax,
} from '../../../shared/limits.ts'
import { messageType, type RtmpMessage } from './message.ts'
import { PartialMessage } from './partial-message.ts'

/*
 * RTMP chunk stream (Adobe, "Real-Time Messaging Protocol 1.0", 2012, section 5.3), big-endian:
 *
 *   basic header 1 to 3 bytes    format 2 bits │ chunk stream id 6 bits
 *                                              │ 0: 64 + next byte   │ 1: 64 + next byte + 256 × the one after
 *   message header   format 0    time u24 │ length u24 │ type u8 │ message stream id u32 little-endian
 *                    format 1    time step u24 │ length u24 │ type u8
 *                    format 2    time step u24
 *                    format 3    nothing: goes on with a message, or begins one like the last
 *   extended time u32            where the u24 of the last format 0, 1 or 2 is 0xffffff
 *   payload                      at most the chunk size
 */
const messageHeaderBytes = [11, 7, 3, 0] as const
const extended = 0xffffff
const chunkBytesDefault = 128

/** What later chunks of one chunk stream leave out. */
type ChunkStream = {
  length: number
  type: number
  streamId: number
  timestampMs: number
  stepMs: number
  /** The u32 that stood in place of the u24. */
  extendedTime: number | undefined
  message: PartialMessage | undefined
}

type Header = { chunkStream: ChunkStream; bytes: number }

/**
 * Bytes in, messages out; any split gives the same messages. Sizes of chunks and aborts are obeyed here and not
 * handed on. Memory: the unfinished messages within the bounds of `limits.ts`, grown with what came.
 */
export class ChunkReader {
  readonly #chunkStreams = new Map<number, ChunkStream>()
  #chunkBytes = chunkBytesDefault
  #rest: Uint8Array = new Uint8Array(0)
  #current: ChunkStream | undefined
  #chunkLeft = 0
  #partials = 0
  #heldBytes = 0

  /** InvalidArgument or ResourceExhausted ends the connection; messages before the fault were handed out. */
  push(bytes: Uint8Array, onMessage: (message: RtmpMessage) => void): void {
    const input = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes
    let at = 0
    for (;;) {
      if (!this.#current) {
        const header = this.#readHeader(input, at)
        if (!header) break
        at += header.bytes
        this.#open(header.chunkStream)
      }
      const taken = Math.min(this.#chunkLeft, input.length - at)
      this.#take(input.subarray(at, at + taken), onMessage)
      at += taken
      if (this.#current) break
    }
    this.#rest = at < input.length ? Uint8Array.from(input.subarray(at)) : new Uint8Array(0)
  }

  #readHeader(input: Uint8Array, start: number): Header | undefined {
    const first = input[start]
    if (first === undefined) return undefined
    const view = new DataView(input.buffer, input.byteOffset, input.length)
    const idBytes = Math.min(first & 0x3f, 2) === 2 ? 1 : 2 + (first & 1)
    const format = (first >> 6) as 0 | 1 | 2 | 3
    const at = start + idBytes
    if (at + messageHeaderBytes[format] > input.length) return undefined
    const id = idBytes === 1 ? first & 0x3f : 64 + view.getUint8(start + 1) + secondByte(view, start, idBytes)
    return format === 3
      ? this.#readContinued(view, id, start, at)
      : this.#readNew(view, id, format, start, at)
  }

  #readNew(view: DataView, id: number, format: 0 | 1 | 2, start: number, at: number): Header | undefined {
    const field = view.getUint16(at) * 256 + view.getUint8(at + 2)
    const end = at + messageHeaderBytes[format]
    if (field === extended && end + 4 > view.byteLength) return undefined
    const chunkStream = this.#chunkStream(id, format)
    if (chunkStream.message) throw refused(`a new message on chunk stream ${id} before the last one ended`)
    const time = field === extended ? view.getUint32(end) : field
    if (format < 2) {
      chunkStream.length = view.getUint16(at + 3) * 256 + view.getUint8(at + 5)
      chunkStream.type = view.getUint8(at + 6)
    }
    if (format === 0) chunkStream.streamId = view.getUint32(at + 7, true)
    chunkStream.extendedTime = field === extended ? time : undefined
    chunkStream.timestampMs = format === 0 ? time : (chunkStream.timestampMs + time) >>> 0
    // By the specification, format 3 behind format 0 steps by the time itself; others mean no step. Small: a step.
    chunkStream.stepMs = format === 0 && time > rtmpFirstDeltaMsMax ? 0 : time
    return { chunkStream, bytes: end + (field === extended ? 4 : 0) - start }
  }

  /** Some senders repeat the extended time in format 3, as the specification says, and some do not. */
  #readContinued(view: DataView, id: number, start: number, at: number): Header | undefined {
    const chunkStream = this.#chunkStream(id, 3)
    let end = at
    if (chunkStream.extendedTime !== undefined) {
      if (at + 4 > view.byteLength) return undefined
      if (view.getUint32(at) === chunkStream.extendedTime) end += 4
    }
    if (!chunkStream.message) chunkStream.timestampMs = (chunkStream.timestampMs + chunkStream.stepMs) >>> 0
    return { chunkStream, bytes: end - start }
  }

  #chunkStream(id: number, format: number): ChunkStream {
    const known = this.#chunkStreams.get(id)
    if (known) return known
    // librtmp begins its control stream with format 1.
    if (format > 1) throw refused(`chunk stream ${id} begins with format ${format}`)
    if (this.#chunkStreams.size === rtmpChunkStreamsMax) {
      throw new AppError('ResourceExhausted', `RTMP: more than ${rtmpChunkStreamsMax} chunk streams`)
    }
    const fresh = { length: 0, type: 0, streamId: 0, timestampMs: 0, stepMs: 0 }
    const chunkStream: ChunkStream = { ...fresh, extendedTime: undefined, message: undefined }
    this.#chunkStreams.set(id, chunkStream)
    return chunkStream
  }

  #open(chunkStream: ChunkStream): void {
    if (!chunkStream.message) {
      if (chunkStream.length > rtmpMessageBytesMax) {
        throw new AppError(
          'ResourceExhausted',
          `RTMP: a message of ${chunkStream.length} bytes, at most ${rtmpMessageBytesMax} are read`,
        )
      }
      chunkStream.message = new PartialMessage(chunkStream.length)
      this.#partials += 1
    }
    this.#current = chunkStream
    this.#chunkLeft = Math.min(this.#chunkBytes, chunkStream.message.missing)
  }

  #take(bytes: Uint8Array, onMessage: (message: RtmpMessage) => void): void {
    const chunkStream = this.#current
    const message = chunkStream?.message
    if (!chunkStream || !message) return
    this.#chunkLeft -= bytes.length
    this.#heldBytes += message.append(bytes)
    if (message.missing === 0) this.#finish(chunkStream, message, onMessage)
    else this.#checkHeld()
    if (this.#chunkLeft === 0) this.#current = undefined
  }

  #checkHeld(): void {
    if (this.#heldBytes <= rtmpMessageBytesMax && this.#partials <= rtmpPartialMessagesMax) return
    throw new AppError(
      'ResourceExhausted',
      `RTMP: ${this.#partials} unfinished messages with ${this.#heldBytes} bytes`,
    )
  }

  #finish(
    chunkStream: ChunkStream,
    message: PartialMessage,
    onMessage: (message: RtmpMessage) => void,
  ): void {
    this.#drop(chunkStream, message)
    const { type, streamId, timestampMs } = chunkStream
    const payload = message.bytes
    if (type === messageType.setChunkSize) this.#setChunkBytes(payload)
    else if (type === messageType.abort) this.#abort(payload)
    else onMessage({ type, streamId, timestampMs, payload })
  }

  #drop(chunkStream: ChunkStream, message: PartialMessage): void {
    chunkStream.message = undefined
    this.#partials -= 1
    this.#heldBytes -= message.heldBytes
  }

  #setChunkBytes(payload: Uint8Array): void {
    const size = uint32(payload)
    if (size < rtmpChunkBytesMin || size > 0x7fffffff) throw refused(`a chunk size of ${size}`)
    this.#chunkBytes = size
  }

  #abort(payload: Uint8Array): void {
    const chunkStream = this.#chunkStreams.get(uint32(payload))
    if (chunkStream?.message) this.#drop(chunkStream, chunkStream.message)
  }
}

function secondByte(view: DataView, start: number, idBytes: number): number {
  return idBytes === 3 ? 256 * view.getUint8(start + 2) : 0
}

function uint32(payload: Uint8Array): number {
  if (payload.length < 4) throw refused(`a control message of ${payload.length} bytes`)
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0)
}

function refused(why: string): AppError {
  return new AppError('InvalidArgument', `RTMP: ${why}`)
}
