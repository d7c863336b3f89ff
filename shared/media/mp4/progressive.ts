import { AppError } from '../../error.ts'
import type { AudioConfig, CodecConfig } from '../access-unit.ts'
import { box, flatten, join, type Part, partsBytes, text, u32, u32Max, u64 } from './box.ts'
import type { Chunk } from './chunks.ts'
import { shownRange } from './edit.ts'
import { sampleDescription } from './entry.ts'
import { fileType, movieHeader, movieSeconds, trackBox } from './movie-header.ts'
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

/** One track of the file: which samples, when, and what of them is shown. */
export type Laid = {
  track: number
  config: CodecConfig
  table: SampleTable
  timing: TrackTiming
  shown: Shown
}
/** `mediaFrom`: media time of the first picture shown, in the track's timescale. */
export type Shown = { fromMs: number; toMs: number; mediaFrom: number }

/** Timeline ms; `toMs` is exclusive. */
type ShownRange = { fromMs: number; toMs?: number; lastDurationMs?: number }

/** Sound that was encoded for this movie: all of it is in the file, and when it is heard is known to the sample. */
export type EncodedSound = { shown: Shown; durations: Uint32Array }

type TrackSource = { config: CodecConfig; samples: SampleTable; encoded?: EncodedSound }

/** Undefined when the track has nothing to show in this range. */
export function layTrack(track: TrackSource, i: number, options: ShownRange): Laid | undefined {
  const { config, samples: table } = track
  if (track.encoded && config.track === 'audio') {
    const { shown, durations } = track.encoded
    return { track: i, config, table, timing: timingOf(config, table, durations), shown }
  }
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

function timingOf({ sampleRate }: AudioConfig, table: SampleTable, durations: Uint32Array): TrackTiming {
  const mediaUnits = durations.reduce((sum, duration) => sum + duration, 0)
  const range = { first: 0, end: table.length, startMs: table.ptsMs(0) }
  return { ...range, timescale: sampleRate, shiftMs: 0, durations, mediaUnits, reanchored: 0 }
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

type Layout = {
  laid: readonly Laid[]
  chunks: readonly Chunk[]
  mediaBytes: number
  fromMs: number
  createdWallMs: number
  /** Boxes between `ftyp`, which is `progressiveHead`, and `moov`. */
  beforeMoov?: Part
}

export const progressiveHead = join(fileType(['isom', 'iso2', 'mp41']))

/** From `fromMs` to the end of what is shown last. */
export function shownMs(laid: readonly Laid[], fromMs: number): number {
  return Math.max(...laid.map(({ shown }) => shown.toMs)) - fromMs
}

/** Offsets of 32 bits where they suffice: the header's size is known with either, so the first that fits stays. */
export function buildHeader(layout: Layout): Uint8Array {
  const { chunks, mediaBytes } = layout
  for (const wide of [false, true]) {
    const offsets = layout.laid.map((_, of) => chunkOffsets(count(chunks, of), wide))
    const parts = flatten([
      progressiveHead,
      layout.beforeMoov ?? [],
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
  for (const { of, offset } of chunks) {
    const chunk = next[of] ?? 0
    offsets[of]?.fill(chunk, headerBytes + offset)
    next[of] = chunk + 1
  }
}

function moov(layout: Layout, chunkBoxes: Uint8Array[][]): Uint8Array[] {
  const createdS = movieSeconds(layout.createdWallMs)
  const { laid } = layout
  const durationMs = shownMs(laid, layout.fromMs)
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
