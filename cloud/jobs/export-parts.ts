import { exportPartMs } from '../../shared/limits.ts'
import type { SegmentRow } from '../rows/segment.ts'

/** One file of an export: segments of one epoch and one codec configuration, at most 4 h. */
export type Part = {
  number: number
  segments: SegmentRow[]
  /**
   * Timeline + this is wall time, one number for the whole part, the first segment's: were each segment's own
   * taken, the spacing of pictures at their seams would change by what the estimate has learnt in between.
   */
  offsetMs: number
  /** Wall ms of t = 0. */
  from: number
  /** Timeline ms; nothing with a PTS at or after it is shown. By the last segment's own offset: absent, all is. */
  untilMs?: number
  /** What became of sound that could not be made AAC, in words. */
  soundNote?: string | undefined
}

/**
 * The parts of one stream, in order of epoch and sequence. The first one's t = 0 is the recording's `from`,
 * in every stream of a group alike; that of a later one is its first picture, or the sound before it.
 */
export function partsOf(segments: readonly SegmentRow[], range: { from: number; to: number }): Part[] {
  const parts: Part[] = []
  for (const segment of segments.toSorted((a, b) => a.epoch - b.epoch || a.seq - b.seq)) {
    const last = parts.at(-1)
    if (last && fits(last, segment)) {
      last.segments.push(segment)
      continue
    }
    const number = parts.length + 1
    const from = number === 1 ? range.from : segment.from
    parts.push({ number, segments: [segment], offsetMs: offsetOf(segment), from })
  }
  const end = parts.at(-1)
  const lastSegment = end?.segments.at(-1)
  if (end && lastSegment) end.untilMs = range.to - offsetOf(lastSegment)
  return parts
}

function fits(part: Part, segment: SegmentRow): boolean {
  const first = part.segments[0]
  if (first?.epoch !== segment.epoch || first.config !== segment.config) return false
  return segment.continues || segment.to - part.from <= exportPartMs
}

const offsetOf = ({ wallOffsetMs }: SegmentRow) => Math.round(wallOffsetMs)
