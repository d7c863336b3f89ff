import { AppError } from '../../error.ts'
import { box, fullBox, join, u32 } from './box.ts'
import { sampleDescription } from './entry.ts'
import { buildFragment, type Fragment, type FragmentTrack, shownTimes } from './fragment.ts'
import type { MovieTrack } from './movie.ts'
import { fileType, movieHeader, movieSeconds, trackBox } from './movie-header.ts'
import { ReadCursor } from './reads.ts'
import type { SampleTable } from './sample-table.ts'
import { timeTrack } from './timing.ts'

/**
 * A fragmented MP4 of one segment:
 *
 *   ftyp │ moov (no samples) │ moof, mdat: GOP 1 │ moof, mdat: GOP 2 │ …
 *   └── init, EXT-X-MAP ─────┘ └─ one byte range ┘
 *
 * Timescale 1000 for pictures, sample rate for sound. `tfdt` (version 1) is the source's DTS and `trun` has
 * non-negative composition offsets, so that PTS − `originMs` is what a player shows. Where the first DTS lies
 * before `originMs` (B-frames, an origin at the first picture shown), media time is ahead by that much and
 * an edit list in the init segment takes it back.
 *
 * There is no `sidx`: the byte ranges are in the plan, and playlists name them.
 */
export type FragmentedPlan = {
  init: Uint8Array
  fragments: Fragment[]
  totalBytes: number
  /** From the origin to the end of what is shown last. */
  durationMs: number
}

export type FragmentOptions = {
  /** The first track with pictures decides the cuts; without one, sound is cut every second. */
  tracks: readonly MovieTrack[]
  /** Timeline ms that is t = 0 of the presentation. */
  originMs: number
  /** Wall time of the origin. */
  createdWallMs: number
  lastDurationMs?: number
}

/** InvalidArgument when there is no sample at all, or a codec that MP4 files of ours do not hold. */
export function planFragments(options: FragmentOptions): FragmentedPlan {
  const timed = options.tracks.flatMap(({ config, samples: table }, track) => {
    if (table.length === 0) return []
    const timing = timeTrack(config, table, { first: 0, end: table.length }, options.lastDurationMs)
    return [{ track, config, table, timing, id: track + 1 }]
  })
  if (timed.length === 0) throw new AppError('InvalidArgument', 'MP4: the segment holds no unit')
  const aheadMs = Math.max(0, options.originMs - Math.min(...timed.map(({ timing }) => timing.startMs)))
  const zeroMs = options.originMs - aheadMs
  const tracks = timed.map(
    (track): FragmentTrack => ({
      ...track,
      mediaTime: Math.round(((track.timing.startMs - zeroMs) * track.timing.timescale) / 1000),
      next: 0,
      cursor: new ReadCursor(track.table, track.track, 0),
    }),
  )
  const fragments: Fragment[] = []
  const lead = tracks.find(({ config }) => config.track === 'video') ?? tracks[0]
  const cuts = lead ? cutsOf(lead) : []
  const durationMs =
    Math.max(...tracks.map((track) => shownTimes(track, track.table.length).toMs)) - options.originMs
  const init = initSegment(options, tracks, aheadMs, durationMs)
  let offset = init.length
  for (const [i, cut] of cuts.entries()) {
    const ends = tracks.map((track) => (track === lead ? cut.end : endBefore(track, cuts[i + 1]?.dtsMs)))
    const fragment = buildFragment({
      sequence: i + 1,
      tracks,
      ends,
      offset,
      originMs: options.originMs,
      sync: cut.sync,
    })
    fragments.push(fragment)
    offset += fragment.sizeBytes
  }
  return { init, fragments, totalBytes: offset, durationMs }
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

function initSegment(
  options: FragmentOptions,
  tracks: readonly FragmentTrack[],
  aheadMs: number,
  durationMs: number,
): Uint8Array {
  const createdS = movieSeconds(options.createdWallMs)
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
      edits: aheadMs > 0 ? [{ durationMs: 0, mediaUnits: Math.round((aheadMs * timescale) / 1000) }] : [],
      tables: [sampleDescription(config), noSamples],
    }),
  )
  const extend = box(
    'mvex',
    fullBox('mehd', 0, 0, u32(durationMs)),
    tracks.map(({ id }) => fullBox('trex', 0, 0, u32(id, 1, 0, 0, 0))),
  )
  const header = movieHeader({ createdS, durationMs: 0, tracks: options.tracks.length })
  return join(fileType(['isom', 'iso5', 'iso6', 'mp41']), box('moov', header, traks, extend))
}

/**
 * Appends the samples of one track as they lie in the finished file, which is `source` for `planMovie`: an
 * export reads archived segments like raw ones. `omit` leaves samples out (copies from the segment before).
 */
export function appendArchived(
  into: SampleTable,
  options: FragmentOptions,
  of: { track: number; source: number; omit?: (sample: number) => boolean },
): void {
  into.from(of.source, 'raw')
  for (const fragment of planFragments(options).fragments) {
    let offset = fragment.offset + fragment.header.length
    for (const { track, firstSample, samples } of fragment.reads) {
      const table = options.tracks[track]?.samples
      for (let i = firstSample; table && i < firstSample + samples; i += 1) {
        const sizeBytes = table.sizeBytes(i)
        if (track === of.track && !of.omit?.(i)) {
          into.push({
            dtsMs: table.dtsMs(i),
            ptsMs: table.ptsMs(i),
            sizeBytes,
            offset,
            sync: table.isSync(i),
          })
        }
        offset += sizeBytes
      }
    }
  }
}
