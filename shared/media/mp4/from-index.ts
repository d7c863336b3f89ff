import type { IndexRecords } from '../index-records.ts'
import type { Framing, SampleTable } from './sample-table.ts'

/**
 * Appends the units of one track of a segment to a table. Config records are no samples. Duplicates (copies
 * at the head of a file) are left out unless this segment begins the movie and needs them to be decoded:
 * `duplicates: 'keep'`. `skip` are records whose bytes are damaged (`damagedRecords`).
 */
export function appendIndex(
  table: SampleTable,
  records: IndexRecords,
  options: {
    track: 'video' | 'audio'
    source: number
    framing: Framing
    duplicates?: 'skip' | 'keep'
    skip?: ReadonlySet<number>
  },
): void {
  const isVideo = options.track === 'video'
  table.from(options.source, options.framing, true)
  for (let i = 0; i < records.length; i += 1) {
    if (!records.isUnit(i) || records.isVideo(i) !== isVideo) continue
    if (options.duplicates !== 'keep' && records.isDuplicate(i)) continue
    if (options.skip?.has(i)) continue
    table.push({
      dtsMs: records.dtsMs(i),
      ptsMs: records.ptsMs(i),
      sizeBytes: records.sizeBytes(i),
      offset: records.offset(i),
      sync: !isVideo || records.isRandomAccess(i),
      crc: records.crc(i),
    })
  }
}
