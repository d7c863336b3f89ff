import { crc32 } from 'node:zlib'
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

/**
 * The records of a track whose bytes are not there or do not match their checksum; `bytes` is the whole raw
 * file of the track.
 */
export function damagedRecords(
  records: IndexRecords,
  track: 'video' | 'audio',
  bytes: Uint8Array,
): Set<number> {
  const damaged = new Set<number>()
  for (let i = 0; i < records.length; i += 1) {
    if (records.kind(i) === 'gap' || records.isVideo(i) !== (track === 'video')) continue
    const start = records.offset(i)
    const end = start + records.sizeBytes(i)
    if (end > bytes.length || crc32(bytes.subarray(start, end)) !== records.crc(i)) damaged.add(i)
  }
  return damaged
}
