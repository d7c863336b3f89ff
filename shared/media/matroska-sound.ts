import { AppError } from '../error.ts'
import type { AudioConfig } from './access-unit.ts'
import { decodeImaAdpcm } from './ima-adpcm.ts'
import { g726Layout } from './sound-config.ts'

/**
 * Sound of any codec as a Matroska stream (RFC 9559) for FFmpeg's stdin: the one container that holds all of them,
 * unit by unit, so that a decoder gets each at once and none is cut in two.
 *
 *   EBML head │ Segment, size unknown │ Info: ticks of 1 ms │ Tracks: one │ Cluster { time, one block } │ …
 */
type Track = {
  codecId: string
  private?: Uint8Array
  bits?: number
  /** What stands in a block. */
  payload?: (unit: Uint8Array) => Uint8Array
}

/** What comes before the first unit. InvalidArgument for a codec that is not put into one. */
export function matroskaHead(config: AudioConfig): Buffer {
  const track = trackOf(config)
  const sound = element(
    0xe1,
    element(0xb5, float(config.sampleRate)),
    element(0x9f, unsigned(config.channels)),
    ...(track.bits === undefined ? [] : [element(0x6264, unsigned(track.bits))]),
  )
  const entry = element(
    0xae,
    ...[element(0xd7, unsigned(1)), element(0x73c5, unsigned(1)), element(0x83, unsigned(soundTrack))],
    element(0x86, Buffer.from(track.codecId)),
    ...(track.private ? [element(0x63a2, track.private)] : []),
    sound,
  )
  const ebml = element(
    0x1a45dfa3,
    ...[element(0x4286, unsigned(1)), element(0x42f7, unsigned(1)), element(0x42f2, unsigned(4))],
    ...[element(0x42f3, unsigned(8)), element(0x4282, Buffer.from('matroska'))],
    ...[element(0x4287, unsigned(4)), element(0x4285, unsigned(2))],
  )
  const info = element(0x1549a966, element(0x2ad7b1, unsigned(nanosecondsPerTick)))
  return Buffer.concat([ebml, segmentOfUnknownSize, info, element(0x1654ae6b, entry)])
}

/** One unit; `ms` from 0 on, not before the last one's. */
export function matroskaUnit(config: AudioConfig, unit: Uint8Array, ms: number): Buffer {
  const { payload } = trackOf(config)
  const block = element(0xa3, simpleBlockHead, payload ? payload(unit) : unit)
  return element(0x1f43b675, element(0xe7, unsigned(Math.round(ms))), block)
}

const soundTrack = 2
const nanosecondsPerTick = 1_000_000
const segmentOfUnknownSize = Buffer.from('1853806701ffffffffffffff', 'hex')
const simpleBlockHead = Uint8Array.of(0x81, 0, 0, 0x80) // Track 1, at the cluster's time, a key frame.

function trackOf(config: AudioConfig): Track {
  switch (config.codec) {
    case 'g711a':
      return { codecId: waveFormat, private: waveFormatEx(config, 6, 8), bits: 8 }
    case 'g711u':
      return { codecId: waveFormat, private: waveFormatEx(config, 7, 8), bits: 8 }
    case 'g726':
      return g726Track(config)
    case 'adpcm':
      return { codecId: 'A_PCM/INT/LIT', bits: 16, payload: decodeImaAdpcm }
    case 'mp3':
      return { codecId: 'A_MPEG/L3' }
    case 'opus':
      return { codecId: 'A_OPUS', private: withoutPreSkip(config.specificConfig) }
    default:
      throw new AppError('Internal', `${config.codec} sound is not decoded here`)
  }
}

function g726Track(config: AudioConfig): Track {
  const { bits, lowFirst } = g726Layout(config)
  const track = { codecId: waveFormat, private: waveFormatEx(config, 0x45, bits), bits }
  return lowFirst ? { ...track, payload: (unit) => highFirst(unit, bits) } : track
}

const waveFormat = 'A_MS/ACM'

/** WAVEFORMATEX: format │ channels │ rate u32 │ bytes per second u32 │ block align │ bits │ extra bytes 0; little-endian. */
function waveFormatEx({ sampleRate, channels }: AudioConfig, format: number, bits: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(18))
  view.setUint16(0, format, true)
  view.setUint16(2, channels, true)
  view.setUint32(4, sampleRate, true)
  view.setUint32(8, Math.ceil((sampleRate * channels * bits) / 8), true)
  view.setUint16(12, Math.max(1, (channels * bits) >> 3), true)
  view.setUint16(14, bits, true)
  return new Uint8Array(view.buffer)
}

/** The codes of G.726 in the other order of bits. Each unit holds whole codes in whole bytes. */
function highFirst(unit: Uint8Array, bits: number): Uint8Array {
  const turned = new Uint8Array(unit.length)
  for (let at = 0; at < unit.length * 8; at += 1) {
    const code = Math.floor(at / bits)
    const to = code * bits + (bits - 1 - (at % bits))
    const bit = ((unit[at >> 3] ?? 0) >> (at & 7)) & 1
    if (to < turned.length * 8) turned[to >> 3] = (turned[to >> 3] ?? 0) | (bit << (7 - (to & 7)))
  }
  return turned
}

/** What is to be cut off at the beginning of a file is, in a stream that is joined, sound like all other. */
function withoutPreSkip(head: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(head)
  copy.fill(0, 10, 12)
  return copy
}

/** Size always in 8 bytes: nothing has to be counted beforehand. */
function element(id: number, ...parts: readonly Uint8Array[]): Buffer {
  const idBytes = unsigned(id)
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  const size = Buffer.alloc(8)
  size.writeUInt32BE(bytes, 4)
  size[0] = 1
  return Buffer.concat([idBytes, size, ...parts])
}

function unsigned(value: number): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}
