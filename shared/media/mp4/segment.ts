import { AppError } from '../../error.ts'
import { box } from './box.ts'
import type { Chunk } from './chunks.ts'
import type { Fragment } from './fragment.ts'
import { type FragmentedPlan, type FragmentOptions, planFragments } from './fragments.ts'
import { buildHeader, type Laid, layTrack, progressiveHead, shownMs } from './progressive.ts'
import type { SampleTable } from './sample-table.ts'

/**
 * One segment of the archive, two files in one:
 *
 *   ftyp │ free { ftyp │ moov, empty } │ moov with all samples │ mdat { moof, mdat: GOP 1 │ moof, mdat: GOP 2 │ … }
 *                 └─ map, EXT-X-MAP ┘                                  └─ fragments, EXT-X-BYTERANGE ────────────┘
 *   └─ header ──────────────────────────────────────────────────────┘
 *
 * Whoever opens the file sees a progressive MP4: t = 0 is `originMs`, sound and picture together, an edit list
 * takes back what lies before it (the delay of B-frames, copies that are only there to be decoded); the heads of
 * the fragments are bytes of its `mdat` that no sample names. Whoever plays `map` and `media` sees a fragmented
 * MP4 whose media times follow those of its epoch's other segments. Fragments alone cannot be both: FFmpeg and
 * Chromium count what an edit list takes back from their media time as duration.
 */
export type SegmentPlan = {
  header: Uint8Array
  /** Byte range within `header`. */
  map: { offset: number; sizeBytes: number }
  /** The media times of segments with the same `baseMs` follow each other. */
  continuous: boolean
  /** Behind `header`; their offsets count from its end. */
  fragments: Fragment[]
  totalBytes: number
  /** From the origin to the end of what is shown last. */
  durationMs: number
}

/** `originMs`: timeline ms that is t = 0 for whoever opens the file; `createdWallMs` is its wall time. */
export type SegmentOptions = FragmentOptions & { originMs: number }

/** InvalidArgument when nothing is shown at or after the origin, or a codec does not fit into an MP4. */
export function planSegment(options: SegmentOptions): SegmentPlan {
  const { tracks, originMs: fromMs, createdWallMs, lastDurationMs } = options
  const plan = planFragments(options)
  const range = { fromMs, ...(lastDurationMs !== undefined && { lastDurationMs }) }
  const laid = tracks.flatMap((track, i) => layTrack(track, i, range) ?? [])
  if (laid.length === 0) throw new AppError('InvalidArgument', 'MP4: the segment shows nothing')
  const { init, continuous, fragments, mediaBytes } = plan
  const chunks = chunksOf(plan, laid)
  const beforeMoov = box('free', init)
  const header = buildHeader({ laid, chunks, mediaBytes, fromMs, createdWallMs, beforeMoov })
  return {
    header,
    map: { offset: progressiveHead.length + boxHeadBytes, sizeBytes: init.length },
    continuous,
    fragments,
    totalBytes: header.length + mediaBytes,
    durationMs: shownMs(laid, fromMs),
  }
}

const boxHeadBytes = 8

/** What each fragment holds of a track is a chunk of it; samples before the first that is needed are left out. */
function chunksOf({ fragments }: FragmentedPlan, laid: readonly Laid[]): Chunk[] {
  const chunks: Chunk[] = []
  for (const { runs } of fragments) {
    for (const { track, first, end, offset } of runs) {
      const of = laid.findIndex((candidate) => candidate.track === track)
      const own = laid[of]
      if (!own || end <= own.timing.first) continue
      let skipped = 0
      let from = first
      for (; from < own.timing.first; from += 1) skipped += own.table.sizeBytes(from)
      chunks.push({ of, first: from, end, offset: offset + skipped })
    }
  }
  return chunks
}

/**
 * Appends the samples of one track as they lie in the finished file, which is `source` for `planMovie`: an
 * export reads archived segments like raw ones. `omit` leaves samples out (copies from the segment before).
 */
export function appendArchived(
  into: SampleTable,
  options: SegmentOptions,
  of: { track: number; source: number; omit?: (sample: number) => boolean },
): void {
  into.from(of.source, 'raw')
  const table = options.tracks[of.track]?.samples
  if (!table) return
  const { header, fragments } = planSegment(options)
  for (const { track, first, end, offset } of fragments.flatMap(({ runs }) => runs)) {
    if (track !== of.track) continue
    let at = header.length + offset
    for (let i = first; i < end; i += 1) {
      const sizeBytes = table.sizeBytes(i)
      if (!of.omit?.(i)) {
        into.push({
          dtsMs: table.dtsMs(i),
          ptsMs: table.ptsMs(i),
          sizeBytes,
          offset: at,
          sync: table.isSync(i),
        })
      }
      at += sizeBytes
    }
  }
}
