import { videoConfigOf } from '../../shared/contract/segment-header.ts'
import { AppError } from '../../shared/error.ts'
import { keyFrameWaitMs } from '../../shared/limits.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import { splitAnnexB } from '../../shared/media/nal.ts'
import type { Ring, SegmentRow } from '../ring/types.ts'
import type { KeyFrame } from './key-frame.ts'
import { readIndex, readManifest, readRange } from './sealed-segment.ts'

export type KeyFrameRing = Pick<Ring, 'segments' | 'read'>

const neighbours = 3 // The one that holds the time, and those beside it, of which a key frame may be nearer.

/** The key frame nearest to a time among sealed segments; undefined when none is near. */
export async function ringKeyFrame(
  ring: KeyFrameRing,
  stream: string,
  at: number,
): Promise<KeyFrame | undefined> {
  const range = { stream, from: at - keyFrameWaitMs, to: at + keyFrameWaitMs }
  const rows = (await ring.segments(range)).filter(({ local }) => local)
  const nearest = rows.toSorted((a, b) => distance(a, at) - distance(b, at)).slice(0, neighbours)
  let best: Found | undefined
  for (const row of nearest) {
    const found = await nearestIn(ring, row, at).catch((error) => {
      if (AppError.from(error).kind === 'NotFound') return undefined // Recycled meanwhile.
      throw error
    })
    if (found && (!best || Math.abs(found.takenAt - at) < Math.abs(best.takenAt - at))) best = found
  }
  return best && (await readFrame(ring, best))
}

function distance({ from, to }: SegmentRow, at: number): number {
  return Math.max(0, from - at, at - to)
}

type Found = { row: SegmentRow; index: ParsedIndex; record: number; takenAt: number }

async function nearestIn(ring: KeyFrameRing, row: SegmentRow, at: number): Promise<Found | undefined> {
  const index = await readIndex(ring, row)
  const { wallOffsetMs } = await readManifest(ring, row)
  const { records } = index
  let best: Found | undefined
  for (let i = 0; i < records.length; i += 1) {
    if (!records.isUnit(i) || !records.isVideo(i) || !records.isRandomAccess(i)) continue
    const takenAt = Math.round(records.ptsMs(i) + wallOffsetMs)
    const isNearer = !best || Math.abs(takenAt - at) < Math.abs(best.takenAt - at)
    if (isNearer) best = { row, index, record: i, takenAt }
  }
  return best
}

async function readFrame(
  ring: KeyFrameRing,
  { row, index, record, takenAt }: Found,
): Promise<KeyFrame | undefined> {
  const { header, records } = index
  if (!header.video) return undefined
  const config = videoConfigOf(header.video)
  const bytes = await readRange(ring, row, config.codec, records.offset(record), records.sizeBytes(record))
  return { config, nalUnits: splitAnnexB(bytes), takenAt }
}
