import { AppError } from '../../../shared/error.ts'
import { rtmpCommandBytesMax } from '../../../shared/limits.ts'
import { type Amf0Value, decodeAmf0, encodeAmf0 } from '../../../shared/media/amf0.ts'
import type { FlvTag, FlvTagKind } from '../../../shared/media/flv.ts'

/** RTMP message types (RTMP 1.0, sections 5.4, 6.2 and 7.1). */
export const messageType = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowSize: 5,
  peerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  data: 18,
  command: 20,
  aggregate: 22,
} as const

/** One message, whole. `timestampMs`: 0 … 2³² − 1, as on the wire: unwrapping it is the timeline's work. */
export type RtmpMessage = {
  type: number
  streamId: number
  timestampMs: number
  /** A view of what was pushed, or a buffer of its own where the message came in pieces. */
  payload: Uint8Array
}

/** User control events (section 7.1.7): u16, then u32 or more. */
export const userControl = { streamBegin: 0, streamEof: 1, pingRequest: 6, pingResponse: 7 } as const

export type RtmpCommand = {
  name: string
  /** 0: no answer is wanted. */
  transaction: number
  /** The command object, then the arguments. */
  values: Amf0Value[]
}

/** InvalidArgument when it is no command or beyond the bounds. Type 17 is AMF0 behind a byte 0. */
export function parseCommand({ type, payload }: RtmpMessage): RtmpCommand {
  if (payload.length > rtmpCommandBytesMax) {
    throw new AppError('InvalidArgument', `RTMP: a command of ${payload.length} bytes`)
  }
  const [name, transaction, ...values] = decodeAmf0(
    type === messageType.commandAmf3 ? payload.subarray(1) : payload,
  )
  if (typeof name !== 'string') throw new AppError('InvalidArgument', 'RTMP: a command without a name')
  return { name, transaction: typeof transaction === 'number' ? transaction : 0, values }
}

export function command(name: string, transaction: number, ...values: Amf0Value[]): Uint8Array {
  return encodeAmf0(name, transaction, ...values)
}

export function isObject(value: Amf0Value): value is { [key: string]: Amf0Value } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null
}

const kinds = new Map<number, FlvTagKind>([
  [messageType.audio, 'audio'],
  [messageType.video, 'video'],
  [messageType.data, 'script'],
  [messageType.dataAmf3, 'script'],
])

/**
 * Sound, pictures and data of a message: the same bodies as in FLV. Undefined for other messages. Of an aggregate
 * (section 7.1.6) there are several: FLV tags in a row whose first time stands for the message's own.
 */
export function mediaOf(message: RtmpMessage): FlvTag[] | undefined {
  const { type, payload, timestampMs } = message
  if (type === messageType.aggregate) return splitAggregate(message)
  const kind = kinds.get(type)
  if (!kind) return undefined
  return [{ kind, timestampMs, body: type === messageType.dataAmf3 ? payload.subarray(1) : payload }]
}

const tagHeadBytes = 11
const backPointerBytes = 4

function splitAggregate({ payload, timestampMs }: RtmpMessage): FlvTag[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const tags: FlvTag[] = []
  let first: number | undefined
  for (let at = 0; at + tagHeadBytes <= payload.length; ) {
    const length = view.getUint32(at) & 0xffffff
    const stamp = view.getUint32(at + 4)
    const time = ((stamp << 24) | (stamp >>> 8)) >>> 0
    const end = at + tagHeadBytes + length
    if (end > payload.length) throw new AppError('InvalidArgument', 'RTMP: an aggregate that is cut off')
    first ??= time
    const kind = kinds.get(view.getUint8(at))
    const body = payload.subarray(at + tagHeadBytes, end)
    if (kind) tags.push({ kind, timestampMs: (timestampMs + time - first) >>> 0, body })
    at = end + backPointerBytes
  }
  return tags
}
