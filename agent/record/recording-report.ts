import type { RecordingReport, StreamReport } from '../../shared/contract/agent-api.ts'
import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Ring, SegmentRow } from '../ring/types.ts'
import { readIndex, readManifest } from './sealed-segment.ts'

export type ReportRing = Pick<Ring, 'segments' | 'gaps' | 'read'>

/**
 * What came of a recording, by stream: counted from the ring's indexes, not from what was asked for. Of one that is
 * still open: what is sealed until now.
 */
export async function recordingReport(recording: Recording, ring: ReportRing): Promise<RecordingReport> {
  const streams: StreamReport[] = []
  for (const stream of recording.streams) streams.push(await streamReport(recording, stream, ring))
  const { id, state, title, from, to } = recording
  return { id, state, ...(title === undefined ? {} : { title }), from, to, streams }
}

type Range = { from: number; to: number }

async function streamReport(
  { state }: Recording,
  { name, from, to, segments, gaps }: RecordingStream,
  ring: ReportRing,
): Promise<StreamReport> {
  const range: Range = { from, to: to ?? Number.MAX_SAFE_INTEGER }
  const held = await ring.segments({ stream: name, from, ...(to === null ? {} : { to }) })
  const isListed = ({ epoch, seq }: SegmentRow) => segments.some((s) => s.epoch === epoch && s.seq === seq)
  const rows = state === 'closed' ? held.filter(isListed) : held
  const missing = state === 'closed' ? gaps : await ring.gaps({ stream: name, from, to: range.to })
  const counts: Counts = { pictures: 0, damaged: 0, audioFrames: 0, boundMs: 0, byArrival: false }
  for (const [n, row] of rows.entries()) await count(row, n === rows.length - 1, range, ring, counts)
  const { pictures, damaged, audioFrames, first, last, boundMs, byArrival } = counts
  return {
    ...{ name, pictures, audioFrames, segments: rows.length, gaps: missing, gapMs: totalMs(missing) },
    ...(damaged > 0 ? { damaged } : {}),
    ...(first === undefined || last === undefined ? {} : { first, last }),
    ...(rows.length === 0 ? {} : { clock: { boundMs, source: byArrival ? 'arrival' : 'device' } }),
  }
}

type Counts = {
  pictures: number
  damaged: number
  audioFrames: number
  first?: number
  last?: number
  boundMs: number
  byArrival: boolean
}

/** A segment that lies wholly within is what its manifest says; of one at an edge each unit is looked at. */
async function count(
  row: SegmentRow,
  isLast: boolean,
  range: Range,
  ring: ReportRing,
  counts: Counts,
): Promise<void> {
  try {
    const { video, audio, wallOffsetMs, wallBoundMs, timeSource } = await readManifest(ring, row)
    counts.boundMs = Math.max(counts.boundMs, wallBoundMs)
    counts.byArrival ||= timeSource === 'arrival'
    const isWhole = row.from >= range.from && row.to <= range.to
    if (isWhole && counts.first !== undefined && !isLast) {
      counts.pictures += video?.units ?? 0
      counts.damaged += video?.damaged ?? 0
      counts.audioFrames += audio?.units ?? 0
    } else await countUnits(row, wallOffsetMs, video !== undefined, range, ring, counts)
  } catch (error) {
    if (AppError.from(error).kind !== 'NotFound') throw error
    counts.pictures += row.units // In the cloud, and no longer here: what the index still knows of it.
    see(counts, Math.max(row.from, range.from))
    see(counts, Math.min(row.to, range.to))
  }
}

async function countUnits(
  row: SegmentRow,
  wallOffsetMs: number,
  hasVideo: boolean,
  { from, to }: Range,
  ring: ReportRing,
  counts: Counts,
): Promise<void> {
  const { records } = await readIndex(ring, row)
  for (let i = 0; i < records.length; i += 1) {
    const atMs = Math.round(records.ptsMs(i) + wallOffsetMs)
    if (!records.isUnit(i) || records.isDuplicate(i) || atMs < from || atMs >= to) continue
    const isVideo = records.isVideo(i)
    if (isVideo && records.isDamaged(i)) counts.damaged += 1
    if (isVideo) counts.pictures += 1
    else counts.audioFrames += 1
    if (isVideo === hasVideo) see(counts, atMs)
  }
}

function see(counts: Counts, atMs: number): void {
  counts.first = Math.min(counts.first ?? atMs, atMs)
  counts.last = Math.max(counts.last ?? atMs, atMs)
}

/** Of what the gaps cover together: they may overlap. */
function totalMs(gaps: readonly Gap[]): number {
  let total = 0
  let reached = Number.NEGATIVE_INFINITY
  for (const { from, to } of gaps.toSorted((a, b) => a.from - b.from)) {
    total += Math.max(0, to - Math.max(from, reached))
    reached = Math.max(reached, to)
  }
  return total
}
