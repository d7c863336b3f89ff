import { AppError } from '../error.ts'
import type { AccessUnit, VideoCodec, VideoConfig } from './access-unit.ts'
import { encodeAvcC, encodeHvcC } from './codec-config.ts'
import { enhancedPacket } from './flv-enhanced.ts'

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
 * 4 metadata, 6 multitrack, 7 ModEx (extensions before the real packet type): see `flv-enhanced.ts`.
 */
export type FlvVideo =
  /** `record` is an avcC, hvcC, av1C or vpcC. */
  | { kind: 'config'; codec: VideoCodec; record: Uint8Array }
  /**
   * H.264, H.265: NAL units with the length prefix that the configuration named; others: one frame.
   * `compositionMs` = PTS − DTS.
   */
  | { kind: 'picture'; codec: VideoCodec; key: boolean; compositionMs: number; payload: Uint8Array }
  | { kind: 'end' }
  /** Nothing to show: a seek command, colour metadata, another track than the first. */
  | { kind: 'other' }

const packetType = { start: 0, frames: 1, end: 2, framesX: 3, metadata: 4, multitrack: 6 }
const fourCc = { h264: 0x61766331, h265: 0x68766331, av1: 0x61763031, vp9: 0x76703039 } // avc1 hvc1 av01 vp09
const legacyCodec = { h264: 7, h265: 12 }

// --- Out: parts, so that whoever frames them copies the picture once.

/** Codec configuration; all but H.264 as Enhanced. */
export function flvVideoConfig(config: VideoConfig): Uint8Array[] {
  const { codec } = config
  if (codec === 'h264') return [Uint8Array.of(0x17, 0, 0, 0, 0), encodeAvcC(config)]
  const record = codec === 'h265' ? [encodeHvcC(config)] : config.parameterSets // av1C and vpcC stand there as they are.
  return [enhancedHead(codec, 0x10 | packetType.start), ...record]
}

export function flvPicture(unit: AccessUnit): Uint8Array[] {
  const codec = (unit.config as VideoConfig).codec
  const composition = unit.ptsMs - unit.dtsMs
  const si24 = [(composition >> 16) & 0xff, (composition >> 8) & 0xff, composition & 0xff]
  const frame = unit.randomAccess ? 0x10 : 0x20
  if (codec === 'h264') {
    return [Uint8Array.of(frame | legacyCodec.h264, 1, ...si24), ...lengthPrefixed(unit.nalUnits)]
  }
  const head = enhancedHead(codec, frame | packetType.frames, codec === 'h265' ? si24 : [])
  return [head, ...(codec === 'h265' ? lengthPrefixed(unit.nalUnits) : unit.nalUnits)]
}

function enhancedHead(codec: VideoCodec, first: number, composition: readonly number[] = []): Uint8Array {
  const head = Uint8Array.of(0x80 | first, 0, 0, 0, 0, ...composition)
  new DataView(head.buffer).setUint32(1, fourCc[codec])
  return head
}

function lengthPrefixed(nalUnits: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (const nal of nalUnits) {
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
  if (frame === 5) return { kind: 'other' }
  const packet = enhancedPacket(body, {
    first,
    multitrack: packetType.multitrack,
    metadata: packetType.metadata,
  })
  if (!packet) return { kind: 'other' }
  const { type, payload } = packet
  const codec = codecOf(fourCc, packet.fourCc)
  if (type === packetType.start) return { kind: 'config', codec, record: payload }
  if (type === packetType.end) return { kind: 'end' }
  const key = frame === 1
  if (type === packetType.framesX) return { kind: 'picture', codec, key, compositionMs: 0, payload }
  if (type !== packetType.frames) throw cutOff(`a packet of type ${type}`)
  // Only codecs with NAL units have a composition time.
  if (codec !== 'h264' && codec !== 'h265') return { kind: 'picture', codec, key, compositionMs: 0, payload }
  const at = payload.byteOffset - body.byteOffset
  return { kind: 'picture', codec, key, compositionMs: signed24(view, at), payload: rest(payload, 3) }
}

function codecOf<Codec extends VideoCodec>(numbers: Record<Codec, number>, number: number): Codec {
  for (const codec in numbers) if (numbers[codec] === number) return codec
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
