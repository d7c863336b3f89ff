import type { Gap } from '../../shared/contract/segment.ts'
import { recordingRowGapsMax } from '../../shared/limits.ts'
import type { SegmentRow } from '../rows/segment.ts'

type Id = { epoch: number; seq: number }
type Stream = { from: number; to: number; gaps: readonly Gap[] }

/**
 * Every range of [from, to) without pictures that is known: what the recording says, what the segments say,
 * and where segments are not in the archive (`missing`) or could not be read (`damaged`). Sorted, once each.
 */
export function exportGaps(
  stream: Stream,
  present: readonly SegmentRow[],
  unavailable: readonly (Id & { failed: boolean })[],
): Gap[] {
  const all = [
    ...stream.gaps,
    ...present.flatMap((segment) => [...(segment.gapBefore ? [segment.gapBefore] : []), ...segment.gaps]),
    ...unavailable.map((id) => absence(stream, present, id)),
  ]
  const unique = new Map<string, Gap>()
  for (const gap of all) {
    const isBefore = gap.from < stream.from && gap.to <= stream.from
    if (isBefore || gap.from >= stream.to) continue
    const clipped = { ...gap, from: Math.max(gap.from, stream.from), to: Math.min(gap.to, stream.to) }
    unique.set(`${clipped.from} ${clipped.to} ${clipped.cause}`, clipped)
  }
  return [...unique.values()].sort((a, b) => a.from - b.from || a.to - b.to).slice(0, recordingRowGapsMax)
}

/** From the end of the segment before to the beginning of the one behind; neighbours give the same range, once. */
function absence(stream: Stream, present: readonly SegmentRow[], id: Id & { failed: boolean }): Gap {
  let from = stream.from
  let to = stream.to
  for (const segment of present) {
    const isBefore = segment.epoch < id.epoch || (segment.epoch === id.epoch && segment.seq < id.seq)
    if (isBefore) from = Math.max(from, segment.to)
    else to = Math.min(to, segment.from)
  }
  return { from, to: Math.max(from, to), cause: id.failed ? 'damaged' : 'missing' }
}
