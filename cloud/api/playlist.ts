import { segmentName } from '../../shared/contract/segment.ts'
import type { SegmentRow } from '../rows/segment.ts'

/**
 * HLS (RFC 8216) of a stream's segments as they lie in the archive: fragmented MP4s, each with its own
 * initialisation section (EXT-X-MAP is the first `initBytes` of the file) and with t = 0 at its own first picture.
 * So each is a discontinuity (RFC 8216, 4.3.2.3): a player puts it behind the one before, and learns the true time
 * from EXT-X-PROGRAM-DATE-TIME. `urlOf` gives an address relative to the playlist, which redirects to a fresh one:
 * the playlist itself never expires.
 */
export function hlsPlaylist(
  segments: readonly SegmentRow[],
  options: { closed: boolean; urlOf: (segment: string) => string },
): string {
  const shown = segments.filter((row) => row.media && row.video)
  const longestS = Math.max(1, ...shown.map((row) => (row.media?.durationMs ?? 0) / 1000))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.ceil(longestS)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${options.closed ? 'VOD' : 'EVENT'}`,
  ]
  if (!shown.some((row) => row.continues)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS')
  for (const [i, row] of shown.entries()) {
    if (i > 0) lines.push('#EXT-X-DISCONTINUITY')
    lines.push(...segmentLines(row, options.urlOf(segmentName(row))))
  }
  if (options.closed) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

function segmentLines(row: SegmentRow, url: string): string[] {
  const { initBytes = 0, sizeBytes = 0, durationMs = 0 } = row.media ?? {}
  return [
    `#EXT-X-MAP:URI="${url}",BYTERANGE="${initBytes}@0"`,
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(row.from).toISOString()}`,
    `#EXTINF:${Math.max(0.001, durationMs / 1000).toFixed(3)},`,
    `#EXT-X-BYTERANGE:${sizeBytes - initBytes}@${initBytes}`,
    url,
  ]
}
