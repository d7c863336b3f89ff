import { z } from 'zod'
import type { AudioConfig, VideoConfig } from '../media/access-unit.ts'
import { gap, name } from './segment.ts'

const ms = z.number().int().min(-8.64e15).max(8.64e15)
const hex = z.string().regex(/^([0-9a-f]{2})*$/)

/**
 * The JSON at the head of an `.idx` file: what recovery needs to write the manifest of a segment whose
 * agent was killed. Unknown keys are kept; `version` changes only when old readers must stop.
 */
export const segmentHeader = z.looseObject({
  version: z.literal(1),
  agent: name,
  stream: name,
  epoch: z.number().int().min(0),
  seq: z.number().int().min(0),
  /** Agent's wall time when the segment was opened. */
  openedWallMs: ms,
  /** Wall time minus timeline, and its bound, as known when the segment was opened. */
  wallOffsetMs: z.number(),
  wallBoundMs: z.number().min(0),
  timeSource: z.enum(['device', 'arrival']),
  continues: z.boolean(),
  /** As in the manifest. */
  kept: z.literal('always').optional(),
  gapBefore: gap.optional(),
  video: z
    .object({
      codec: z.enum(['h264', 'h265']),
      codecString: z.string().max(64),
      width: z.number().int().min(0).max(65535),
      height: z.number().int().min(0).max(65535),
      rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
      reorderDepth: z.number().int().min(0).max(16),
      /** VPS, SPS, PPS without start codes. */
      parameterSetsHex: z.array(hex).max(64),
    })
    .optional(),
  audio: z
    .object({
      codec: z.enum(['aac', 'g711a', 'g711u', 'g726', 'adpcm', 'opus', 'mp3']),
      codecString: z.string().max(64),
      sampleRate: z.number().int().min(1),
      channels: z.number().int().min(1).max(16),
      frameSamples: z.number().int().min(0),
      /** AudioSpecificConfig; empty for codecs that need none. */
      configHex: hex,
    })
    .optional(),
})
export type SegmentHeader = z.infer<typeof segmentHeader>
export type VideoHeader = NonNullable<SegmentHeader['video']>
export type AudioHeader = NonNullable<SegmentHeader['audio']>

/** Only H.264 and H.265 have a writer in the ring: the caller has checked it. */
export function videoHeaderOf(config: VideoConfig & { codec: 'h264' | 'h265' }): VideoHeader {
  const { codec, codecString, width, height, rotation, reorderDepth } = config
  const parameterSetsHex = config.parameterSets.map((set) => Buffer.from(set).toString('hex'))
  return { codec, codecString, width, height, rotation, reorderDepth, parameterSetsHex }
}

export function videoConfigOf(header: VideoHeader): VideoConfig {
  const { parameterSetsHex, ...rest } = header
  return { track: 'video', ...rest, parameterSets: parameterSetsHex.map((set) => Buffer.from(set, 'hex')) }
}

export function audioHeaderOf(config: AudioConfig): AudioHeader {
  const { codec, codecString, sampleRate, channels, frameSamples } = config
  const configHex = Buffer.from(config.specificConfig).toString('hex')
  return { codec, codecString, sampleRate, channels, frameSamples, configHex }
}

export function audioConfigOf(header: AudioHeader): AudioConfig {
  const { configHex, ...rest } = header
  return { track: 'audio', ...rest, specificConfig: Buffer.from(configHex, 'hex') }
}
