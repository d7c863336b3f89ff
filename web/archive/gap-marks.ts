import type { Gap } from '../../shared/contract/segment.ts'

/** A gap on the time axis of one file: ms from its start. */
export type GapMark = { startMs: number; endMs: number; cause: Gap['cause'] }

/** The gaps that fall into the file, cut to its range, in order. */
export function gapMarks(gaps: Gap[], file: { from: number; to: number }): GapMark[] {
  return gaps
    .filter((gap) => gap.to >= file.from && gap.from <= file.to)
    .map((gap) => ({
      startMs: Math.max(gap.from, file.from) - file.from,
      endMs: Math.min(gap.to, file.to) - file.from,
      cause: gap.cause,
    }))
    .sort((a, b) => a.startMs - b.startMs)
}
