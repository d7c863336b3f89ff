import type { AccessUnit, CodecConfig } from '../../shared/media/access-unit.ts'
import { flvAudioConfig, flvAudioFrame } from '../../shared/media/flv-audio.ts'
import { flvPicture, flvVideoConfig } from '../../shared/media/flv-video.ts'
import type { Tag } from './packing.ts'

/** What a decoder needs first; undefined for sound that needs nothing. */
export function configTag(config: CodecConfig, timestampMs: number): Tag | undefined {
  const parts = config.track === 'video' ? flvVideoConfig(config) : flvAudioConfig(config)
  return parts && { kind: config.track, timestampMs, parts }
}

export function unitTag(unit: AccessUnit, timestampMs: number): Tag {
  const parts = unit.track === 'video' ? flvPicture(unit) : flvAudioFrame(unit)
  return { kind: unit.track, timestampMs, parts }
}
