import { AppError } from '../../error.ts'
import type { CodecConfig } from '../access-unit.ts'
import { chunkTracks, readChunks } from './chunks.ts'
import { buildHeader, type EncodedSound, type Laid, layTrack, shownMs } from './progressive.ts'
import type { MovieRead } from './reads.ts'
import type { SampleTable } from './sample-table.ts'

export type MovieTrack = {
  config: CodecConfig
  samples: SampleTable
  encoded?: EncodedSound
}

/**
 * A progressive MP4 with its `moov` first, computed before the first byte of media is read:
 *
 *   ftyp │ moov: one trak each, with edit list and sample tables │ mdat: video 1 s, sound 1 s, video 1 s …
 *
 * Write `header`, then for each of `reads()` what `toMovieBytes` makes of the source's bytes: exactly
 * `totalBytes`, in one pass and without a temporary file.
 */
export type MoviePlan = {
  header: Uint8Array
  totalBytes: number
  reads(): Generator<MovieRead>
  /** As given; `undefined` where a track has nothing between `from` and `to`. */
  tracks: (PlannedTrack | undefined)[]
  durationMs: number
}

export type PlannedTrack = {
  samples: number
  bytes: number
  /** Timeline ms: the first picture shown (PTS) and the end of the last. */
  shownFromMs: number
  shownToMs: number
  /** Timeline ms of the random access point with which the file begins. */
  startMs: number
  /** How often sound left the count of its samples and was anchored to its stamp again. */
  reanchored: number
}

export type MovieOptions = {
  tracks: readonly MovieTrack[]
  /** Timeline ms of t = 0. */
  fromMs: number
  /** Nothing with a PTS at or after it is shown. */
  toMs?: number
  /** Wall time of `fromMs`. */
  createdWallMs: number
  /** How long the last picture of each video track lasts; else the median of those before. */
  lastDurationMs?: number
}

/**
 * t = 0 is `fromMs`: each track has an empty edit up to its first picture (frame) at or after it, then that
 * picture at exactly its offset; the random access point before it is in the file and not shown.
 * InvalidArgument when no track has anything to show, or has a codec that MP4 files of ours do not hold.
 */
export function planMovie(options: MovieOptions): MoviePlan {
  const laid = options.tracks.flatMap((track, i) => layTrack(track, i, options) ?? [])
  if (laid.length === 0)
    throw new AppError('InvalidArgument', 'MP4: there is no picture and no sound in this range')
  const chunks = chunkTracks(laid)
  const mediaBytes = laid.reduce((sum, track) => sum + mediaBytesOf(track), 0)
  const header = buildHeader({ ...options, laid, chunks, mediaBytes })
  return {
    header,
    totalBytes: header.length + mediaBytes,
    durationMs: shownMs(laid, options.fromMs),
    reads: () => readChunks(laid, chunks),
    tracks: options.tracks.map((_, i) => plannedTrack(laid.find(({ track }) => track === i))),
  }
}

function mediaBytesOf({ table, timing }: Laid): number {
  let bytes = 0
  for (let i = timing.first; i < timing.end; i += 1) bytes += table.sizeBytes(i)
  return bytes
}

function plannedTrack(laid: Laid | undefined): PlannedTrack | undefined {
  if (!laid) return undefined
  const { timing, shown, table } = laid
  return {
    samples: timing.end - timing.first,
    bytes: mediaBytesOf(laid),
    shownFromMs: shown.fromMs,
    shownToMs: shown.toMs,
    startMs: table.ptsMs(timing.first),
    reanchored: timing.reanchored,
  }
}
