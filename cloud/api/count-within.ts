import { edgeIndexesMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import { readIndex, readManifest } from '../jobs/segment-source.ts'
import type { ObjectStore } from '../ports.ts'
import type { SegmentRow } from '../rows/segment.ts'

/** Pictures, or audio frames where there is no video; `damaged` of them came so and were kept. */
export type UnitCount = { units: number; damaged: number }

/**
 * What segments hold within [from, to): of those that lie whole in it what their rows say, of those at its ends, and
 * of those of which the mux left something out, what their indexes say. What could not be read holds nothing.
 */
export async function countWithin(
  store: ObjectStore,
  rows: readonly SegmentRow[],
  range: { from: number; to: number },
): Promise<UnitCount> {
  const sum: UnitCount = { units: 0, damaged: 0 }
  let indexes = 0
  for (const row of rows) {
    if (row.status === 'FAILED') continue
    const isWhole = row.from >= range.from && row.to <= range.to && !row.damagedUnits
    const isLooked = !isWhole && indexes < edgeIndexesMax
    indexes += isLooked ? 1 : 0
    const { units, damaged } = isLooked ? await countRecords(store, row, range) : ofWhole(row)
    sum.units += units
    sum.damaged += damaged
  }
  return sum
}

/** Of a whole segment, as its manifest says. */
export function ofWhole({ video, audio }: SegmentRow): UnitCount {
  return { units: video?.units ?? audio?.units ?? 0, damaged: video?.damaged ?? 0 }
}

async function countRecords(
  store: ObjectStore,
  row: SegmentRow,
  { from, to }: { from: number; to: number },
): Promise<UnitCount> {
  const isVideo = row.video !== undefined
  const skip = new Set(row.damagedRecords)
  const offsetMs = Math.round(row.wallOffsetMs)
  const count: UnitCount = { units: 0, damaged: 0 }
  const index = await indexOf(store, row)
  if (!index) return ofWhole(row)
  const { records } = index
  for (let i = 0; i < records.length; i += 1) {
    const isOwn = records.isUnit(i) && records.isVideo(i) === isVideo && !records.isDuplicate(i)
    const atMs = records.ptsMs(i) + offsetMs
    if (!isOwn || skip.has(i) || atMs < from || atMs >= to) continue
    count.units += 1
    if (records.isDamaged(i)) count.damaged += 1
  }
  return count
}

async function indexOf(store: ObjectStore, row: SegmentRow) {
  try {
    return await readIndex(store, await readManifest(store, row))
  } catch (error) {
    if (AppError.from(error).terminal) return undefined // Gone or not to be read: its row is what is left.
    throw error
  }
}
