import { segmentName } from '../../shared/contract/segment.ts'
import type { SegmentRow } from '../rows/segment.ts'

/**
 * HLS (RFC 8216) of a stream's segments as they lie in the archive: fragmented MP4s whose media times follow each
 * other within an epoch. A run of such segments has one initialisation section, a byte range of its first file; a
 * discontinuity stands where the epoch, the codec configuration or the tracks change, and at a gap, so that a
 * player goes on behind it and learns the true time from EXT-X-PROGRAM-DATE-TIME. `urlOf` gives an address
 * relative to the playlist, which redirects to a fresh one: the playlist itself never expires. Segments are whole, so
 * the first may begin before `fromMs`, by which players are told where to begin.
 */
export function hlsPlaylist(
  segments: readonly SegmentRow[],
  options: { closed: boolean; fromMs: number; urlOf: (segment: string) => string },
): string {
  const shown = segments.filter(isShown)
  const longestS = Math.max(1, ...shown.map((row) => row.media.durationMs / 1000))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.ceil(longestS)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${options.closed ? 'VOD' : 'EVENT'}`,
  ]
  if (!shown.some((row) => row.continues)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS')
  const leadMs = options.fromMs - (shown[0]?.from ?? options.fromMs)
  if (leadMs > 0) lines.push(`#EXT-X-START:TIME-OFFSET=${(leadMs / 1000).toFixed(3)},PRECISE=YES`)
  let before: Shown | undefined
  for (const row of shown) {
    const url = options.urlOf(segmentName(row))
    if (!before || !follows(before, row)) {
      if (before) lines.push('#EXT-X-DISCONTINUITY')
      const { offset, sizeBytes } = row.media.map
      lines.push(`#EXT-X-MAP:URI="${url}",BYTERANGE="${sizeBytes}@${offset}"`)
    }
    lines.push(...segmentLines(row, url))
    before = row
  }
  if (options.closed) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

type Shown = SegmentRow & { media: NonNullable<SegmentRow['media']> }

function isShown(row: SegmentRow): row is Shown {
  return row.media !== undefined && row.video !== undefined
}

/** The media times of `row` go on where those of `before` end. */
function follows(before: Shown, row: Shown): boolean {
  return (
    before.media.continuous &&
    row.media.continuous &&
    before.epoch === row.epoch &&
    before.seq + 1 === row.seq &&
    before.config === row.config &&
    before.media.audio === row.media.audio &&
    row.gapBefore === undefined
  )
}

function segmentLines(row: Shown, url: string): string[] {
  const { headerBytes, sizeBytes, durationMs } = row.media
  return [
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(row.from).toISOString()}`,
    `#EXTINF:${Math.max(0.001, durationMs / 1000).toFixed(3)},`,
    `#EXT-X-BYTERANGE:${sizeBytes - headerBytes}@${headerBytes}`,
    url,
  ]
}
