import { AppError } from '../../error.ts'
import { box, fullBox, join, u32 } from './box.ts'
import { sampleDescription } from './entry.ts'
import { buildFragment, type Fragment, type FragmentTrack } from './fragment.ts'
import type { MovieTrack } from './movie.ts'
import { fileType, movieHeader, movieSeconds, trackBox } from './movie-header.ts'
import { ReadCursor } from './reads.ts'
import { timeTrack } from './timing.ts'

/**
 * A fragmented MP4, one fragment a GOP:
 *
 *   ftyp │ moov (no samples) │ moof, mdat: GOP 1 │ moof, mdat: GOP 2 │ …
 *   └── init ────────────────┘ └─ one fragment ──┘
 *
 * Timescale 1000 for pictures, sample rate for sound. `tfdt` (version 1) is the source's DTS − `baseMs`, and
 * `trun` has non-negative composition offsets: each picture is shown at exactly PTS − `baseMs`. There are no
 * edits, so that fragments of one `baseMs` follow each other behind the `init` of any of them.
 */
export type FragmentedPlan = {
  init: Uint8Array
  /** Media times are relative to the `baseMs` that was given. */
  continuous: boolean
  fragments: Fragment[]
  /** Of all fragments. */
  mediaBytes: number
}

export type FragmentOptions = {
  /** The first track with pictures decides the cuts; without one, sound is cut every second. */
  tracks: readonly MovieTrack[]
  /**
   * Timeline ms of media time 0. One that lies behind the first DTS, or more than a year before it, cannot be
   * used: media time then begins with the first DTS.
   */
  baseMs?: number
  createdWallMs: number
  lastDurationMs?: number
}

const baseReachMs = 366 * 86_400_000 // Media time stays far below 2^53 in samples.

/** InvalidArgument when there is no sample at all, or a codec that MP4 files of ours do not hold. */
export function planFragments(options: FragmentOptions): FragmentedPlan {
  const timed = options.tracks.flatMap(({ config, samples: table }, track) => {
    if (table.length === 0) return []
    const timing = timeTrack(config, table, { first: 0, end: table.length }, options.lastDurationMs)
    return [{ track, config, table, timing, id: track + 1 }]
  })
  if (timed.length === 0) throw new AppError('InvalidArgument', 'MP4: the segment holds no unit')
  const startMs = Math.min(...timed.map(({ timing }) => timing.startMs))
  const { baseMs = Number.NaN } = options
  const continuous = baseMs <= startMs && startMs - baseMs < baseReachMs
  const zeroMs = continuous ? baseMs : startMs
  const tracks = timed.map(
    (track): FragmentTrack => ({
      ...track,
      mediaTime: Math.round(((track.timing.startMs - zeroMs) * track.timing.timescale) / 1000),
      next: 0,
      cursor: new ReadCursor(track.table, track.track, 0),
    }),
  )
  const init = initSegment(tracks, options.createdWallMs)
  const fragments: Fragment[] = []
  const lead = tracks.find(({ config }) => config.track === 'video') ?? tracks[0]
  const cuts = lead ? cutsOf(lead) : []
  let offset = 0
  for (const [i, cut] of cuts.entries()) {
    const ends = tracks.map((track) => (track === lead ? cut.end : endBefore(track, cuts[i + 1]?.dtsMs)))
    const fragment = buildFragment({ sequence: i + 1, tracks, ends, offset, sync: cut.sync })
    fragments.push(fragment)
    offset += fragment.sizeBytes
  }
  return { init, continuous, fragments, mediaBytes: offset }
}

/** A fragment of the leading track: up to sample `end`, beginning at `dtsMs`. */
type Cut = { end: number; dtsMs: number; sync: boolean }

const soundFragmentMs = 1000

function cutsOf({ config, table }: FragmentTrack): Cut[] {
  const cuts: Cut[] = []
  let first = 0
  for (let i = 1; i <= table.length; i += 1) {
    const cut =
      i === table.length ||
      (config.track === 'video' ? table.isSync(i) : table.dtsMs(i) - table.dtsMs(first) >= soundFragmentMs)
    if (!cut) continue
    cuts.push({ end: i, dtsMs: table.dtsMs(first), sync: table.isSync(first) })
    first = i
  }
  return cuts
}

function endBefore({ table, next }: FragmentTrack, dtsMs = Number.POSITIVE_INFINITY): number {
  let end = next
  while (end < table.length && table.dtsMs(end) < dtsMs) end += 1
  return end
}

/** Without a duration: whoever plays many segments behind each other knows his own. */
function initSegment(tracks: readonly FragmentTrack[], createdWallMs: number): Uint8Array {
  const createdS = movieSeconds(createdWallMs)
  const noSamples = [
    fullBox('stts', 0, 0, u32(0)),
    fullBox('stsc', 0, 0, u32(0)),
    fullBox('stsz', 0, 0, u32(0, 0)),
    fullBox('stco', 0, 0, u32(0)),
  ]
  const traks = tracks.map(({ config, id, timing: { timescale } }) =>
    trackBox({
      config,
      id,
      createdS,
      durationMs: 0,
      timescale,
      mediaUnits: 0,
      edits: [],
      tables: [sampleDescription(config), noSamples],
    }),
  )
  const extend = box(
    'mvex',
    tracks.map(({ id }) => fullBox('trex', 0, 0, u32(id, 1, 0, 0, 0))),
  )
  const header = movieHeader({ createdS, durationMs: 0, tracks: tracks.length })
  return join(fileType(['isom', 'iso5', 'iso6', 'mp41']), box('moov', header, traks, extend))
}
