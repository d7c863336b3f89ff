import { AppError } from '../error.ts'
import type { AccessUnit, AudioCodec, AudioConfig } from './access-unit.ts'
import { enhancedPacket } from './flv-enhanced.ts'

/**
 * The body of an audio tag, an RTMP audio message as well (FLV annex E.4.2; Enhanced RTMP v2).
 *
 *   0              4          6      7      8                16
 *   +--------------+----------+------+------+----------------+-----
 *   | format       | rate     | 16   | two  | AAC: 0 config  | …
 *   | 10 AAC, 7 8  | 3: 44100 | bits | chan | 1 frame        |
 *   | G.711, 2 MP3 |          |      | nels |                |
 *   +--------------+----------+------+------+----------------+-----
 *
 * Format 9 is Enhanced: the low 4 bits are the packet type (0 sequence start, 1 coded frames, 2 end,
 * 4 channel layout), then a FourCC. AAC carries its real rate in the AudioSpecificConfig; the bits of the
 * first byte are then always "44100, 16 bits, stereo".
 */
export type FlvAudio =
  | { kind: 'config'; codec: AudioCodec; specificConfig: Uint8Array }
  /** `sampleRate` and `channels` are what the first byte says: only true for codecs without configuration. */
  | { kind: 'frame'; codec: AudioCodec; payload: Uint8Array; sampleRate: number; channels: number }
  | { kind: 'end' }
  | { kind: 'other' }

const format = { mp3: 2, enhanced: 9, aac: 10, g711a: 7, g711u: 8, mp3At8k: 14 }
const rates = [5512, 11025, 22050, 44100]
const fourCcs = new Map<number, AudioCodec>([
  [0x6d703461, 'aac'], // mp4a
  [0x4f707573, 'opus'], // Opus
  [0x2e6d7033, 'mp3'], // .mp3
])

/** Codec configuration; undefined for codecs that need none. */
export function flvAudioConfig(config: AudioConfig): Uint8Array[] | undefined {
  if (config.codec === 'opus') return [Uint8Array.of(0x90, ...opus), config.specificConfig]
  return config.codec === 'aac' ? [Uint8Array.of(0xaf, 0), config.specificConfig] : undefined
}

const opus = [0x4f, 0x70, 0x75, 0x73]

/** InvalidArgument for a codec that FLV of ours does not carry (ask `flvCarries` once, not here). */
export function flvAudioFrame(unit: AccessUnit): Uint8Array[] {
  const { codec } = unit.config
  if (codec === 'aac') return [Uint8Array.of(0xaf, 1), ...unit.nalUnits]
  if (codec === 'g711a') return [Uint8Array.of((format.g711a << 4) | 2), ...unit.nalUnits]
  if (codec === 'g711u') return [Uint8Array.of((format.g711u << 4) | 2), ...unit.nalUnits]
  if (codec === 'mp3') return [Uint8Array.of((format.mp3 << 4) | 0xf), ...unit.nalUnits]
  if (codec === 'opus') return [Uint8Array.of(0x91, ...opus), ...unit.nalUnits]
  throw new AppError('InvalidArgument', `FLV: ${codec} sound is not written here`)
}

export function flvCarries(codec: AccessUnit['config']['codec']): boolean {
  return !['g726', 'adpcm'].includes(codec)
}

/** InvalidArgument for a body that is cut off, or of a codec or a form that is not read here. */
export function parseFlvAudio(body: Uint8Array): FlvAudio {
  const first = body[0]
  if (first === undefined) throw cutOff('no byte')
  const type = first >> 4
  if (type === format.enhanced) return parseEnhanced(body, first)
  if (type === format.aac) {
    if (body.length < 2) throw cutOff('one byte')
    const payload = body.subarray(2)
    if (body[1] === 0) return { kind: 'config', codec: 'aac', specificConfig: payload }
    return { kind: 'frame', codec: 'aac', payload, ...shape(first) }
  }
  const payload = body.subarray(1)
  if (type === format.g711a || type === format.g711u) {
    const codec = type === format.g711a ? 'g711a' : 'g711u'
    return { kind: 'frame', codec, payload, sampleRate: 8000, channels: (first & 1) + 1 }
  }
  if (type === format.mp3) return { kind: 'frame', codec: 'mp3', payload, ...shape(first) }
  if (type === format.mp3At8k)
    return { kind: 'frame', codec: 'mp3', payload, ...shape(first), sampleRate: 8000 }
  throw new AppError('InvalidArgument', `FLV: audio format ${type} is not read here, send AAC or G.711`)
}

function shape(first: number): { sampleRate: number; channels: number } {
  return { sampleRate: rates[(first >> 2) & 3] ?? 44100, channels: (first & 1) + 1 }
}

function parseEnhanced(body: Uint8Array, first: number): FlvAudio {
  const packet = enhancedPacket(body, { first, multitrack: 5 })
  if (!packet) return { kind: 'other' }
  const { type, payload } = packet
  const codec = fourCcs.get(packet.fourCc)
  if (!codec) {
    throw new AppError('InvalidArgument', `FLV: audio codec ${packet.fourCc.toString(16)} is not read here`)
  }
  if (type === 0) return { kind: 'config', codec, specificConfig: payload }
  if (type === 1) return { kind: 'frame', codec, payload, sampleRate: 0, channels: 0 }
  return type === 2 ? { kind: 'end' } : { kind: 'other' }
}

function cutOff(what: string): AppError {
  return new AppError('InvalidArgument', `FLV: an audio tag with ${what}`)
}
