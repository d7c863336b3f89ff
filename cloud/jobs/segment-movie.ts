import type { Manifest } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import type { FragmentOptions } from '../../shared/media/mp4/fragments.ts'
import { appendIndex } from '../../shared/media/mp4/from-index.ts'
import { SampleTable } from '../../shared/media/mp4/sample-table.ts'
import type { RawTrack } from './segment-source.ts'

/**
 * How the MP4 of a segment is laid out: a pure function of the index and of the damaged records, so that an
 * export can compute later where each sample lies in it. `source` is the track's place in `tracks`. Copies at
 * the head of the file are in it, so that it can be decoded alone; t = 0 is the first picture that is its own.
 */
export function segmentMovie(
  of: Manifest,
  index: ParsedIndex,
  tracks: readonly RawTrack[],
  skip: ReadonlySet<number>,
): FragmentOptions {
  const originMs = originOf(index, tracks[0]?.track ?? 'video', skip)
  return {
    originMs,
    createdWallMs: originMs + Math.round(of.wallOffsetMs),
    tracks: tracks.map(({ track, framing, config }, source) => {
      const samples = new SampleTable()
      appendIndex(samples, index.records, { track, source, framing, duplicates: 'keep', skip })
      return { config, samples }
    }),
  }
}

/** Only sound that browsers play goes into the MP4; G.711 stays in its raw file. */
export function movieTracks(tracks: readonly RawTrack[]): RawTrack[] {
  const playable = tracks.filter(({ config }) => config.track === 'video' || config.codec === 'aac')
  return playable.length > 0 ? playable : [...tracks]
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
