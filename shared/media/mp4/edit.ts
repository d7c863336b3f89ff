import type { SampleTable } from './sample-table.ts'

/**
 * Which samples a movie of `fromMs` … `toMs` (timeline, end exclusive) needs: `shown` is the one with the
 * smallest PTS at or after `fromMs`; `first` the random access point from which it can be decoded (or the
 * first there is); `end` is exclusive, in decoding order, behind the last one with a PTS before `toMs`.
 */
export function shownRange(
  table: SampleTable,
  isVideo: boolean,
  fromMs: number,
  toMs = Number.POSITIVE_INFINITY,
): { first: number; end: number; shown: number } | undefined {
  let shown = -1
  let shownMs = Number.POSITIVE_INFINITY
  let earliest = -1 // In decoding order.
  let end = 0
  for (let i = 0; i < table.length; i += 1) {
    const ptsMs = table.ptsMs(i)
    if (ptsMs >= toMs) continue
    end = i + 1
    if (ptsMs < fromMs) continue
    if (earliest === -1) earliest = i
    if (ptsMs < shownMs) {
      shown = i
      shownMs = ptsMs
    }
  }
  if (shown === -1) return undefined
  return { first: isVideo ? accessPoint(table, earliest, shownMs) : earliest, end, shown }
}

/**
 * At or before the first picture, in decoding order, that is shown. A picture that is shown before the access
 * point it follows may refer to what stands before that point (open GOP), so the access point has to be shown
 * no later than the first picture shown.
 */
function accessPoint(table: SampleTable, earliest: number, shownMs: number): number {
  for (let i = earliest; i >= 0; i -= 1) if (table.isSync(i) && table.ptsMs(i) <= shownMs) return i
  return 0
}
