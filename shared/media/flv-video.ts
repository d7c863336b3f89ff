import { AppError } from '../error.ts'
import type { AccessUnit, VideoConfig } from './access-unit.ts'
import { encodeAvcC, encodeHvcC } from './codec-config.ts'

/**
 * The body of a video tag, an RTMP video message as well.
 *
 * Legacy (FLV annex E.4.3), H.264 = codec 7; codec 12 is what Chinese encoders send for H.265:
 *
 *   0                  4                8             16                        40
 *   +------------------+----------------+-------------+-------------------------+---------+
 *   | 0 │ frame type   | codec          | 0 config    | composition time        | avcC or |
 *   |   │ 1 key, 2     | 7 AVC, 12 HEVC | 1 picture   | SI24 ms, PTS − DTS      | length- |
 *   |   │ 5 command    |                | 2 end       | (signed)                | prefixed|
 *   +------------------+----------------+-------------+-------------------------+---------+
 *
 * Enhanced RTMP v2 ("ExVideoTagHeader"):
 *
 *   0                  4                8             40                        64
 *   +------------------+----------------+-------------+-------------------------+---------+
 *   | 1 │ frame type   | packet type    | FourCC      | SI24, only in packet    | …       |
 *   |   │ 3 bits       | 0 1 2 3 4 6 7  | avc1 hvc1 … | type 1 of avc1 and hvc1 |         |
 *   +------------------+----------------+-------------+-------------------------+---------+
 *
 * Packet types: 0 sequence start, 1 coded frames, 2 sequence end, 3 coded frames with composition time 0,
 * 4 metadata, 6 multitrack, 7 ModEx (extensions before the real packet type).
 */
export type FlvVideo =
  /** `record` is an avcC or hvcC. */
  | { kind: 'config'; codec: 'h264' | 'h265'; record: Uint8Array }
  /** NAL units with the length prefix that the configuration named; `compositionMs` = PTS − DTS. */
  | { kind: 'picture'; codec: 'h264' | 'h265'; key: boolean; compositionMs: number; payload: Uint8Array }
  | { kind: 'end' }
  /** Nothing to show: a seek command, colour metadata. */
  | { kind: 'other' }

const packetType = { start: 0, frames: 1, end: 2, framesX: 3, metadata: 4, multitrack: 6, modEx: 7 }
const fourCc = { h264: 0x61766331, h265: 0x68766331 } // avc1, hvc1
const legacyCodec = { h264: 7, h265: 12 }
const modExMax = 8 // There is one kind of extension; a loop of them is an attack.

// --- Out: parts, so that whoever frames them copies the picture once.

/** Codec configuration; H.265 as Enhanced `hvc1`. InvalidArgument for other codecs. */
export function flvVideoConfig(config: VideoConfig): Uint8Array[] {
  if (config.codec === 'h264') return [Uint8Array.of(0x17, 0, 0, 0, 0), encodeAvcC(config)]
  if (config.codec === 'h265') return [Uint8Array.of(0x90 | packetType.start, ...hvc1), encodeHvcC(config)]
  throw new AppError('InvalidArgument', `FLV: ${config.codec} pictures are not written here`)
}

const hvc1 = [0x68, 0x76, 0x63, 0x31]

export function flvPicture(unit: AccessUnit): Uint8Array[] {
  const composition = unit.ptsMs - unit.dtsMs
  const si24 = [(composition >> 16) & 0xff, (composition >> 8) & 0xff, composition & 0xff]
  const frame = unit.randomAccess ? 0x10 : 0x20
  const head =
    unit.config.codec === 'h265'
      ? Uint8Array.of(0x80 | frame | packetType.frames, ...hvc1, ...si24)
      : Uint8Array.of(frame | legacyCodec.h264, 1, ...si24)
  const parts: Uint8Array[] = [head]
  for (const nal of unit.nalUnits) {
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, nal.length)
    parts.push(length, nal)
  }
  return parts
}

// --- In

/** InvalidArgument for a body that is cut off, or of a codec or a form (multitrack) that is not read here. */
export function parseFlvVideo(body: Uint8Array): FlvVideo {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const first = byteAt(view, 0)
  if (first & 0x80) return parseEnhanced(body, view, first)
  const key = first >> 4 === 1
  if (first >> 4 === 5) return { kind: 'other' }
  const codec = codecOf(legacyCodec, first & 0x0f)
  const type = byteAt(view, 1)
  if (type === 2) return { kind: 'end' }
  if (type === 0) return { kind: 'config', codec, record: rest(body, 5) }
  if (type !== 1) throw cutOff(`a packet of type ${type}`)
  return { kind: 'picture', codec, key, compositionMs: signed24(view, 2), payload: rest(body, 5) }
}

function parseEnhanced(body: Uint8Array, view: DataView, first: number): FlvVideo {
  const frame = (first >> 4) & 7
  const { type, at } = skipModEx(view, first & 0x0f)
  if (type === packetType.multitrack) throw cutOff('several tracks in one message')
  if (type === packetType.metadata || frame === 5) return { kind: 'other' }
  if (view.byteLength < at + 4) throw cutOff('no room for a FourCC')
  const codec = codecOf(fourCc, view.getUint32(at))
  if (type === packetType.start) return { kind: 'config', codec, record: rest(body, at + 4) }
  if (type === packetType.end) return { kind: 'end' }
  const key = frame === 1
  if (type === packetType.framesX)
    return { kind: 'picture', codec, key, compositionMs: 0, payload: rest(body, at + 4) }
  if (type !== packetType.frames) throw cutOff(`a packet of type ${type}`)
  return { kind: 'picture', codec, key, compositionMs: signed24(view, at + 4), payload: rest(body, at + 7) }
}

/**
 * ModEx: size u8 + 1 (256: u16 + 1 follows), that many bytes, then kind (4 bits) and the next packet type.
 * The one kind there is adds nanoseconds to the stamp; our times are milliseconds.
 */
function skipModEx(view: DataView, firstType: number): { type: number; at: number } {
  let type = firstType
  let at = 1
  for (let count = 0; type === packetType.modEx; count += 1) {
    if (count === modExMax) throw cutOff('extensions without end')
    let size = byteAt(view, at) + 1
    at += 1
    if (size === 256) {
      size = (byteAt(view, at) << 8) + byteAt(view, at + 1) + 1
      at += 2
    }
    at += size
    type = byteAt(view, at) & 0x0f
    at += 1
  }
  return { type, at }
}

function codecOf(numbers: Record<'h264' | 'h265', number>, number: number): 'h264' | 'h265' {
  if (number === numbers.h264) return 'h264'
  if (number === numbers.h265) return 'h265'
  throw new AppError('InvalidArgument', `FLV: video codec ${number} is not read here, send H.264 or H.265`)
}

function byteAt(view: DataView, at: number): number {
  if (at >= view.byteLength) throw cutOff(`only ${view.byteLength} bytes`)
  return view.getUint8(at)
}

function signed24(view: DataView, at: number): number {
  if (view.byteLength < at + 3) throw cutOff('no room for a composition time')
  return (view.getInt8(at) << 16) | view.getUint16(at + 1)
}

function rest(body: Uint8Array, at: number): Uint8Array {
  if (body.length < at) throw cutOff(`only ${body.length} bytes`)
  return body.subarray(at)
}

function cutOff(what: string): AppError {
  return new AppError('InvalidArgument', `FLV: a video tag with ${what}`)
}
