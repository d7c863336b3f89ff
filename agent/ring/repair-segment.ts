import type { Gap } from '../../shared/contract/segment.ts'
import { deleteBytes, forget } from './delete-segment.ts'
import type { Layout, SegmentPlace } from './names.ts'
import { readSalvaged } from './read-salvaged.ts'
import { recoverSegment } from './recover-segment.ts'
import { gapsOf, parseManifest } from './recovery.ts'
import type { RingDb } from './ring-db.ts'
import type { RingFs } from './ring-fs.ts'
import { rowOf } from './row-of.ts'

/**
 * A sealed segment whose bytes have changed on the disk is sealed again with what still has its checksums
 * (RELIABILITY.md A6). A kill in between leaves a manifest that does not match: found by the next upload, as this was.
 */
export function repairSegment(
  fs: RingFs,
  layout: Layout,
  db: RingDb,
  place: SegmentPlace,
): { sizeBytes: number; gaps: Gap[] } {
  const before = db.segment(place)
  if (!before) return { sizeBytes: 0, gaps: [] }
  const known = parseManifest(readSalvaged(fs, layout.segment(place, 'json')))
  const wall = known && { wallOffsetMs: known.wallOffsetMs, wallBoundMs: known.wallBoundMs }
  const repaired = recoverSegment(fs, layout, place, wall)
  if (repaired.outcome !== 'sealed') {
    const gap: Gap = { from: before.from, to: before.to, cause: 'damaged', units: before.units }
    db.setDeleting(place)
    deleteBytes(fs, layout, place, 'del')
    db.transaction(() => {
      db.removeSegment(place)
      db.putGap(place.stream, gap)
    })
    forget(fs, layout, place, 'del')
    return { sizeBytes: 0, gaps: [gap] }
  }
  const row = rowOf(repaired.manifest, repaired.files)
  const damaged = repaired.manifest.gaps.filter(({ cause }) => cause === 'damaged')
  const counted = damaged.reduce((sum, gap) => sum + (gap.units ?? 0), 0)
  const tail = before.units - row.units - counted
  const gaps: Gap[] = [...damaged]
  if (tail > 0) gaps.push({ from: row.to, to: Math.max(row.to, before.to), cause: 'damaged', units: tail })
  db.transaction(() => {
    db.putSegment(row)
    for (const gap of [...gapsOf(repaired.manifest), ...gaps]) db.putGap(place.stream, gap)
  })
  return { sizeBytes: row.sizeBytes, gaps }
}
