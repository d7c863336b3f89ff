import type { Manifest } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { epochLeadMs, lastPictureMsMax } from '../../shared/limits.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import { appendIndex } from '../../shared/media/mp4/from-index.ts'
import { SampleTable } from '../../shared/media/mp4/sample-table.ts'
import type { SegmentOptions } from '../../shared/media/mp4/segment.ts'
import type { RawTrack } from './segment-source.ts'

/**
 * How the MP4 of a segment is laid out: a pure function of the index and of the damaged records, so that an
 * export can compute later where each sample lies in it. `source` is the track's place in `tracks`. Copies at
 * the head of the file are in it, so that it can be decoded alone; t = 0 is the first picture that is its own.
 * Media time is that of the epoch, whose number is about the timeline's ms of its first picture: each segment of
 * an epoch finds the same beginning by itself.
 */
export function segmentMovie(
  of: Manifest,
  index: ParsedIndex,
  tracks: readonly RawTrack[],
  skip: ReadonlySet<number>,
): SegmentOptions {
  const originMs = originOf(index, tracks[0]?.track ?? 'video', skip)
  const movieTracks = tracks.map(({ track, framing, config }, source) => {
    const samples = new SampleTable()
    appendIndex(samples, index.records, { track, source, framing, duplicates: 'keep', skip })
    return { config, samples }
  })
  const lastDurationMs = lastDuration(of, movieTracks[0]?.samples)
  return {
    originMs,
    baseMs: of.epoch - epochLeadMs,
    createdWallMs: originMs + Math.round(of.wallOffsetMs),
    tracks: movieTracks,
    ...(lastDurationMs !== undefined && { lastDurationMs }),
  }
}

/**
 * Until the first picture of the next segment, which the manifest's `to` knows, so that nothing is missing between
 * the two. Not where pictures are reordered (the one decoded last is not the one shown last) and not over a gap.
 */
function lastDuration({ to, wallOffsetMs }: Manifest, samples: SampleTable | undefined): number | undefined {
  const last = (samples?.length ?? 0) - 1
  if (!samples || last < 0 || samples.compositionMs(last) !== 0) return undefined
  const ms = to - Math.round(wallOffsetMs) - samples.ptsMs(last)
  return ms > 0 && ms <= lastPictureMsMax ? ms : undefined
}

/**
 * What goes into the MP4: of sound only AAC. Other sound could be made AAC only with a seam at each segment: it stays in
 * its raw file, and a segment that holds nothing else has no MP4.
 */
export function movieTracks(tracks: readonly RawTrack[]): RawTrack[] {
  return tracks.filter(({ config }) => config.track === 'video' || config.codec === 'aac')
}

function originOf({ records }: ParsedIndex, track: 'video' | 'audio', skip: ReadonlySet<number>): number {
  let originMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < records.length; i += 1) {
    const isOwn = records.isUnit(i) && records.isVideo(i) === (track === 'video') && !records.isDuplicate(i)
    if (isOwn && !skip.has(i)) originMs = Math.min(originMs, records.ptsMs(i))
  }
  if (originMs === Number.POSITIVE_INFINITY) {
    throw new AppError('InvalidArgument', 'The segment holds no whole picture and no whole sound.')
  }
  return originMs
}
