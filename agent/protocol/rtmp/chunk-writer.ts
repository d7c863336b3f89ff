import { AppError } from '../../../shared/error.ts'
import { rtmpChunkBytesSent } from '../../../shared/limits.ts'
import { messageType } from './message.ts'

/** A message to be sent, its payload in parts that are copied once, into their place. */
export type OutMessage = {
  type: number
  streamId: number
  /** Modulo 2³² on the wire. */
  timestampMs: number
  parts: readonly Uint8Array[]
}

const headBytes = 12
const extended = 0xffffff

/** Fixed for each kind, so that all viewers can be sent the same bytes. */
function chunkStreamOf(type: number): number {
  if (type === messageType.audio) return 4
  if (type === messageType.video) return 6
  if (type === messageType.data) return 5
  return type === messageType.command ? 3 : 2
}

function payloadBytes(parts: readonly Uint8Array[]): number {
  let bytes = 0
  for (const part of parts) bytes += part.length
  return bytes
}

/** Of the message on the wire: one header, and one of format 3 before each further chunk. */
export function chunkedBytes(message: OutMessage, chunkBytes = rtmpChunkBytesSent): number {
  const payload = payloadBytes(message.parts)
  const timeBytes = message.timestampMs % 2 ** 32 >= extended ? 4 : 0
  const further = Math.max(0, Math.ceil(payload / chunkBytes) - 1)
  return headBytes + timeBytes + payload + further * (1 + timeBytes)
}

/** Writes `chunkedBytes` bytes; layout: `chunk-reader.ts`. InvalidArgument when the payload does not fit 24 bits. */
export function writeMessage(into: Uint8Array, message: OutMessage, chunkBytes = rtmpChunkBytesSent): void {
  const { type, streamId, parts } = message
  const payload = payloadBytes(parts)
  if (payload >= 2 ** 24) throw new AppError('InvalidArgument', `RTMP: a message of ${payload} bytes`)
  const time = message.timestampMs % 2 ** 32
  const view = new DataView(into.buffer, into.byteOffset, into.length)
  const chunkStream = chunkStreamOf(type)
  const isLong = time >= extended
  view.setUint32(0, chunkStream * 2 ** 24 + Math.min(time, extended))
  view.setUint32(4, payload * 256 + type)
  view.setUint32(8, streamId, true)
  let to = headBytes
  if (isLong) {
    view.setUint32(to, time)
    to += 4
  }
  let left = chunkBytes
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (left === 0) {
        into[to] = 0xc0 | chunkStream
        if (isLong) view.setUint32(to + 1, time)
        to += isLong ? 5 : 1
        left = chunkBytes
      }
      const size = Math.min(left, part.length - at)
      into.set(size === part.length ? part : part.subarray(at, at + size), to)
      to += size
      at += size
      left -= size
    }
  }
}

export function chunked(message: OutMessage, chunkBytes = rtmpChunkBytesSent): Uint8Array {
  const bytes = new Uint8Array(chunkedBytes(message, chunkBytes))
  writeMessage(bytes, message, chunkBytes)
  return bytes
}

// --- Control messages (sections 5.4 and 7.1.7), shorter than any chunk size

function control(type: number, ...numbers: number[]): Uint8Array {
  const payload = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, i) => void payload.writeUInt32BE(number >>> 0, 4 * i))
  return chunked({ type, streamId: 0, timestampMs: 0, parts: [payload] })
}

export const setChunkSize = (bytes: number) => control(messageType.setChunkSize, bytes)
export const acknowledge = (receivedBytes: number) => control(messageType.acknowledgement, receivedBytes)
export const windowSize = (bytes: number) => control(messageType.windowSize, bytes)

/** Limit type 2, dynamic. */
export function peerBandwidth(bytes: number): Uint8Array {
  const payload = Buffer.alloc(5, 2)
  payload.writeUInt32BE(bytes)
  return chunked({ type: messageType.peerBandwidth, streamId: 0, timestampMs: 0, parts: [payload] })
}

export function userControlEvent(event: number, value: number): Uint8Array {
  const payload = Buffer.alloc(6)
  payload.writeUInt16BE(event)
  payload.writeUInt32BE(value >>> 0, 2)
  return chunked({ type: messageType.userControl, streamId: 0, timestampMs: 0, parts: [payload] })
}
