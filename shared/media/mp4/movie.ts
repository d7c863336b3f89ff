import { AppError } from '../../error.ts'
import type { CodecConfig } from '../access-unit.ts'
import { box, flatten, join, partsBytes, text, u32, u32Max, u64 } from './box.ts'
import { type Chunk, chunkTracks, readChunks } from './chunks.ts'
import { shownRange } from './edit.ts'
import { sampleDescription } from './entry.ts'
import { fileType, movieHeader, movieSeconds, trackBox } from './movie-header.ts'
import type { MovieRead } from './reads.ts'
import type { SampleTable } from './sample-table.ts'
import {
  chunkOffsets,
  compositionOffsets,
  sampleSizes,
  samplesToChunk,
  syncSamples,
  timeToSample,
} from './tables.ts'
import { type TrackTiming, timeTrack } from './timing.ts'

export type MovieTrack = { config: CodecConfig; samples: SampleTable }

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

type Laid = { track: number; config: CodecConfig; table: SampleTable; timing: TrackTiming; shown: Shown }
type Shown = { fromMs: number; toMs: number; mediaFrom: number }

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
  const durationMs = Math.max(...laid.map(({ shown }) => shown.toMs)) - options.fromMs
  const header = buildHeader({ ...options, laid, chunks, mediaBytes, durationMs })
  return {
    header,
    totalBytes: header.length + mediaBytes,
    durationMs,
    reads: () => readChunks(laid, chunks),
    tracks: options.tracks.map((_, i) => plannedTrack(laid.find(({ track }) => track === i))),
  }
}

function layTrack(track: MovieTrack, i: number, options: MovieOptions): Laid | undefined {
  const { config, samples: table } = track
  const range = shownRange(table, config.track === 'video', options.fromMs, options.toMs)
  if (!range) return undefined
  const timing = timeTrack(config, table, range, options.lastDurationMs)
  return {
    track: i,
    config,
    table,
    timing,
    shown: shownOf(config.track === 'video', table, timing, range.shown, options.toMs),
  }
}

/** What the edit shows: from the picture `shown` to the end of the last one, or `toMs`. */
function shownOf(
  isVideo: boolean,
  table: SampleTable,
  timing: TrackTiming,
  shown: number,
  toMs = Infinity,
): Shown {
  const { first, end, durations, timescale, shiftMs, startMs } = timing
  const inMs = 1000 / timescale
  let at = 0
  let mediaFrom = 0
  let lastMs = 0
  for (let i = first; i < end; i += 1) {
    const duration = durations[i - first] ?? 0
    const presented = at + (isVideo ? table.compositionMs(i) + shiftMs : 0)
    if (i === shown) mediaFrom = presented
    lastMs = Math.max(lastMs, (presented + duration) * inMs)
    at += duration
  }
  return { fromMs: table.ptsMs(shown), toMs: Math.min(toMs, startMs + Math.ceil(lastMs)), mediaFrom }
}

type Layout = { laid: Laid[]; chunks: Chunk[]; mediaBytes: number; durationMs: number } & MovieOptions

/** Offsets of 32 bits where they suffice: the header's size is known with either, so the first that fits stays. */
function buildHeader(layout: Layout): Uint8Array {
  const { chunks, mediaBytes } = layout
  for (const wide of [false, true]) {
    const offsets = layout.laid.map((_, of) => chunkOffsets(count(chunks, of), wide))
    const parts = flatten([
      fileType(['isom', 'iso2', 'mp41']),
      moov(
        layout,
        offsets.map((offset) => offset.box),
      ),
      wide ? [u32(1), text('mdat'), u64(mediaBytes + 16)] : [u32(mediaBytes + 8), text('mdat')],
    ])
    const headerBytes = partsBytes(parts)
    if (!wide && headerBytes + mediaBytes > u32Max) continue
    fillOffsets(chunks, headerBytes, offsets)
    return join(parts)
  }
  throw new AppError('Internal', 'MP4: no layout fits')
}

function count(chunks: readonly Chunk[], of: number): number {
  return chunks.reduce((sum, chunk) => sum + (chunk.of === of ? 1 : 0), 0)
}

function fillOffsets(
  chunks: readonly Chunk[],
  headerBytes: number,
  offsets: { fill: (chunk: number, offset: number) => void }[],
): void {
  const next = offsets.map(() => 0)
  let at = headerBytes
  for (const { of, bytes } of chunks) {
    const chunk = next[of] ?? 0
    offsets[of]?.fill(chunk, at)
    next[of] = chunk + 1
    at += bytes
  }
}

function moov(layout: Layout, chunkBoxes: Uint8Array[][]): Uint8Array[] {
  const createdS = movieSeconds(layout.createdWallMs)
  const { laid, durationMs } = layout
  const traks = laid.map(({ config, timing, shown, table }, of) => {
    const lead = shown.fromMs - layout.fromMs
    const media = { durationMs: shown.toMs - shown.fromMs, mediaUnits: shown.mediaFrom }
    return trackBox({
      config,
      id: of + 1,
      createdS,
      durationMs: lead + media.durationMs,
      timescale: timing.timescale,
      mediaUnits: timing.mediaUnits,
      edits: lead > 0 ? [{ durationMs: lead, mediaUnits: -1 }, media] : [media],
      tables: [
        sampleDescription(config),
        timeToSample(timing),
        config.track === 'video' ? compositionOffsets(table, timing) : [],
        syncSamples(table, timing),
        sampleSizes(table, timing),
        samplesToChunk(
          Uint32Array.from(layout.chunks.filter((c) => c.of === of).map((c) => c.end - c.first)),
        ),
        chunkBoxes[of] ?? [],
      ],
    })
  })
  return box('moov', movieHeader({ createdS, durationMs, tracks: laid.length }), traks)
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
