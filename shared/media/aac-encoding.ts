import { parseAudioSpecificConfig, sampleRates } from './aac.ts'
import type { AudioConfig } from './access-unit.ts'

/** What FFmpeg's encoder puts before the first sample: the frame with which a decoder begins. */
export const aacPrimingSamples = 1024

/** The rate at which sound is encoded: its own, where AAC has it. */
export function aacRate({ sampleRate }: Pick<AudioConfig, 'sampleRate'>): number {
  return sampleRates.includes(sampleRate) ? sampleRate : 48_000
}

/** 32 kbit/s a channel for speech at telephone rates, 64 for more; an encoder takes less where a frame holds less. */
export function aacBitRate({ sampleRate, channels }: Pick<AudioConfig, 'sampleRate' | 'channels'>): number {
  return (sampleRate < 32_000 ? 32_000 : 64_000) * channels
}

/** The configuration of AAC-LC at a rate that AAC has, one or two channels. */
export function aacLcConfig({ sampleRate, channels }: { sampleRate: number; channels: 1 | 2 }): AudioConfig {
  const rateIndex = sampleRates.indexOf(sampleRate)
  const lowComplexity = 2
  return parseAudioSpecificConfig(
    Uint8Array.of((lowComplexity << 3) | (rateIndex >> 1), ((rateIndex & 1) << 7) | (channels << 3)),
  )
}

/**
 * A raw AAC-LC frame of silence (ISO/IEC 14496-3, 4.4.2.1): no scale factor band, so no coefficient.
 *
 *   one channel   SCE 000 │ tag 0000 │ gain 0…0 │ ics_info 0 00 0 000000 0 │ pulse, TNS, gain control 000 │ END 111
 *   two channels  CPE 001 │ tag 0000 │ common window 1 │ ics_info 11 bits │ M/S 00 │ twice gain 8, 000 │ END 111
 */
export function silentAacFrame(channels: 1 | 2): Uint8Array<ArrayBuffer> {
  return channels === 1 ? Uint8Array.of(0, 0, 0, 7) : Uint8Array.of(0x21, 0, 0, 0, 0, 0x1c)
}
