import { AppError } from '../error.ts'
import type { AudioCodec, AudioConfig } from './access-unit.ts'
import { opusSamples } from './opus.ts'

/**
 * Bits of one code of G.726: 16, 24, 32 or 40 kbit/s at 8 kHz. `lowFirst`: the first code stands in the low bits of a
 * byte (RFC 3551, 4.5.4, "G726-32"; FFmpeg's `g726le`), else in the high ones (ITU-T I.366.2, "AAL2-G726-32"; `g726`),
 * which is what vehicles were found to send.
 */
export type G726Layout = { bits: 2 | 3 | 4 | 5; lowFirst: boolean }

type Shape = { sampleRate?: number; channels?: number }

/** Codecs without configuration of their own; how long a unit is, is up to its sender. */
export function g711Config(codec: 'g711a' | 'g711u', shape: Shape = {}): AudioConfig {
  return plain(codec, codec, shape)
}

/** `specificConfig` is one byte: bits of a code, and 0x80 when the first one stands in the low bits. */
export function g726Config({ bits, lowFirst }: G726Layout, { sampleRate = 8000 }: Shape = {}): AudioConfig {
  const name = `g726-${bits * 8}${lowFirst ? 'le' : ''}`
  return {
    ...plain('g726', name, { sampleRate }),
    specificConfig: Uint8Array.of(bits | (lowFirst ? 0x80 : 0)),
  }
}

/** IMA/DVI ADPCM with a header of state in each unit (`ima-adpcm.ts`); one channel. */
export function adpcmConfig({ sampleRate = 8000 }: Shape = {}): AudioConfig {
  return plain('adpcm', 'adpcm', { sampleRate })
}

/** Inverse of `g726Config`; InvalidArgument for one that it did not make. */
export function g726Layout({ specificConfig: [byte = 0] }: AudioConfig): G726Layout {
  const bits = byte & 0x7f
  if (bits !== 2 && bits !== 3 && bits !== 4 && bits !== 5) {
    throw new AppError('InvalidArgument', `G.726: codes of ${bits} bits`)
  }
  return { bits, lowFirst: (byte & 0x80) !== 0 }
}

function plain(
  codec: AudioCodec,
  codecString: string,
  { sampleRate = 8000, channels = 1 }: Shape,
): AudioConfig {
  const specificConfig = new Uint8Array(0)
  return { track: 'audio', codec, specificConfig, sampleRate, channels, frameSamples: 0, codecString }
}

/** How many samples of each channel a unit is decoded to. */
export function unitSamples(config: AudioConfig, unit: Uint8Array): number {
  switch (config.codec) {
    case 'g711a':
    case 'g711u':
      return Math.floor(unit.length / config.channels)
    case 'g726':
      return Math.floor((unit.length * 8) / g726Layout(config).bits)
    case 'adpcm':
      return Math.max(0, unit.length - 4) * 2
    case 'opus':
      return opusSamples(unit)
    default:
      return config.frameSamples
  }
}
