import { segmentName } from '../../shared/contract/segment.ts'
import type { SegmentRow } from '../rows/segment.ts'

/**
 * HLS (RFC 8216) of a stream's segments as they lie in the archive: fragmented MP4s, each with its own
 * initialisation section (EXT-X-MAP is the first `initBytes` of the file). `urlOf` gives an address relative to
 * the playlist; it answers with a redirect to a fresh one, so the playlist itself never expires.
 */
export function hlsPlaylist(
  segments: readonly SegmentRow[],
  options: { closed: boolean; urlOf: (segment: string) => string },
): string {
  const shown = segments.filter((row) => row.media && row.video)
  const longestS = Math.max(1, ...shown.map((row) => (row.to - row.from) / 1000))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.ceil(longestS)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${options.closed ? 'VOD' : 'EVENT'}`,
  ]
  if (!shown.some((row) => row.continues)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS')
  let before: SegmentRow | undefined
  for (const row of shown) {
    lines.push(...segmentLines(row, before, options.urlOf(segmentName(row))))
    before = row
  }
  if (options.closed) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

function segmentLines(row: SegmentRow, before: SegmentRow | undefined, url: string): string[] {
  const { initBytes = 0, sizeBytes = 0 } = row.media ?? {}
  return [
    ...(before && breaks(before, row) ? ['#EXT-X-DISCONTINUITY'] : []),
    `#EXT-X-MAP:URI="${url}",BYTERANGE="${initBytes}@0"`,
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(row.from).toISOString()}`,
    `#EXTINF:${Math.max(0.001, (row.to - row.from) / 1000).toFixed(3)},`,
    `#EXT-X-BYTERANGE:${sizeBytes - initBytes}@${initBytes}`,
    url,
  ]
}

/** Whether a player must begin anew: another clock, a hole, another picture format. */
function breaks(before: SegmentRow, row: SegmentRow): boolean {
  const next = before.epoch === row.epoch && before.seq + 1 === row.seq
  const same = (key: 'codecString' | 'width' | 'height') => before.video?.[key] === row.video?.[key]
  const sound =
    before.media?.audio === row.media?.audio && before.audio?.codecString === row.audio?.codecString
  const hole = row.gapBefore !== undefined && row.gapBefore.to > row.gapBefore.from
  return !next || hole || !sound || !same('codecString') || !same('width') || !same('height')
}
