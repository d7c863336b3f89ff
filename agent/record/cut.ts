import { segmentBytesAnywhereMax, segmentBytesMax, segmentMsMax } from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'

/** What decides where a segment ends. */
export type Segment = {
  video: VideoConfig | undefined
  audio: AudioConfig | undefined
  epoch: number
  timeSource: AccessUnit['timeSource']
  firstDtsMs: number
  firstArrivalMs: number
  bytes: number
  /** IDR pictures in it, the first one included. */
  idrs: number
}

export type Cut = { reason: 'configuration' | 'epoch' | 'time source' | 'video begins' | 'length' | 'limit' }

const patience = 1.5 // × segmentMs: then a recovery point will do, though the stream has IDRs too.

/**
 * Whether `unit` begins a new segment (DESIGN.md, Ring and recordings). Lengths cut at an IDR; at a recovery point
 * or CRA when the segment has seen no second IDR, so that none can be expected; and at the limit anywhere.
 */
export function cutBefore(segment: Segment, unit: AccessUnit, segmentMs: number): Cut | undefined {
  if (unit.epoch !== segment.epoch) return { reason: 'epoch' }
  if (unit.timeSource !== segment.timeSource) return { reason: 'time source' }
  if (unit.config.track === 'video' && !segment.video) return { reason: 'video begins' }
  const config = segment[unit.config.track]
  if (config && config !== unit.config) return { reason: 'configuration' }
  if (segment.video && unit.track === 'audio') return undefined
  const lasted = lengthMs(segment, unit)
  if (unit.randomAccess && isFull(segment, unit, lasted, segmentMs)) return { reason: 'length' }
  if (lasted >= segmentMsMax || segment.bytes >= segmentBytesAnywhereMax) return { reason: 'limit' }
  return undefined
}

function isFull(segment: Segment, unit: AccessUnit, lasted: number, segmentMs: number): boolean {
  if (lasted < segmentMs && segment.bytes < segmentBytesMax) return false
  return unit.idr || !segment.video || segment.idrs <= 1 || lasted >= segmentMs * patience
}

/** By the device's clock or ours, whichever says more: a slow clock must not make files without end. */
function lengthMs(segment: Segment, unit: AccessUnit): number {
  return Math.max(unit.dtsMs - segment.firstDtsMs, unit.arrivalMs - segment.firstArrivalMs)
}
