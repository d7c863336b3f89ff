import type { Manifest } from '../../shared/contract/segment.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import { shownRange } from '../../shared/media/mp4/edit.ts'
import { appendIndex } from '../../shared/media/mp4/from-index.ts'
import { type MoviePlan, type MovieTrack, planMovie } from '../../shared/media/mp4/movie.ts'
import { SampleTable } from '../../shared/media/mp4/sample-table.ts'
import { appendArchived } from '../../shared/media/mp4/segment.ts'
import type { ObjectStore } from '../ports.ts'
import type { SegmentRow } from '../rows/segment.ts'
import type { Part } from './export-parts.ts'
import type { MediaSource } from './part-readers.ts'
import { type Find, makeAac } from './part-sound.ts'
import { movieTracks, segmentMovie } from './segment-movie.ts'
import { type RawTrack, rawTracks, readIndex, readManifest } from './segment-source.ts'

export type PartMovie = AsyncDisposable & {
  plan: MoviePlan
  tracks: MovieTrack[]
  /** By the number that the plan's reads name. */
  sources: MediaSource[]
  video: MovieTrack | undefined
}

/**
 * Plans the file of a part; undefined when nothing of it is to be shown. Reads the indexes, no media. A later part's
 * `from` is set to its first sound, where that comes before its first picture, and its `soundNote`.
 */
export async function planPart(
  store: ObjectStore,
  part: Part,
  { signal, find }: { signal: AbortSignal; find: Find },
): Promise<PartMovie | undefined> {
  const sources: MediaSource[] = []
  const tracks: MovieTrack[] = []
  let before: SegmentRow | undefined
  for (const segment of part.segments) {
    const of = await readManifest(store, segment)
    const index = await readIndex(store, of)
    const follows = before?.seq === segment.seq - 1
    appendSegment({ segment, of, index, follows }, tracks, { store, sources })
    if (!before && part.number > 1) beginWithSound(part, tracks)
    before = segment
  }
  const fromMs = part.from - part.offsetMs
  const untilMs = part.untilMs ?? Number.POSITIVE_INFINITY
  const shown = tracks.filter(
    ({ config, samples }) => shownRange(samples, config.track === 'video', fromMs, untilMs) !== undefined,
  )
  if (shown.length === 0) return undefined
  await using stack = new AsyncDisposableStack()
  const range = { fromMs, ...(part.untilMs !== undefined && { toMs: part.untilMs }) }
  part.soundNote = await makeAac({ tracks, sources, range, signal, find }, stack)
  if (tracks.length === 0) return undefined
  const plan = planMovie({ tracks, ...range, createdWallMs: part.from })
  const video = tracks.find(({ config }) => config.track === 'video')
  const held = stack.move()
  return {
    ...{ plan, tracks, sources, video },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Sound that is heard before the first picture is shown is in no other part: this one begins with it. */
function beginWithSound(part: Part, tracks: readonly MovieTrack[]): void {
  for (const { config, samples } of tracks)
    if (config.track === 'audio' && samples.length > 0)
      part.from = Math.min(part.from, samples.ptsMs(0) + part.offsetMs)
}

/** `follows`: the segment before is in the file, so that copies at the head of this one are in it already. */
type Appended = { segment: SegmentRow; of: Manifest; index: ParsedIndex; follows: boolean }

function appendSegment(
  { segment, of, index, follows }: Appended,
  tracks: MovieTrack[],
  { store, sources }: { store: ObjectStore; sources: MediaSource[] },
): void {
  const skip = new Set(segment.damagedRecords)
  const raw = rawTracks(of, index)
  const archived = segment.rawDeletedAt === undefined ? [] : movieTracks(raw)
  for (const track of raw) {
    const table = tableOf(tracks, track)
    const source = sources.length
    const place = archived.indexOf(track)
    if (place === -1) {
      sources.push({ store, key: track.key })
      const duplicates = follows ? 'skip' : 'keep'
      appendIndex(table, index.records, {
        track: track.track,
        source,
        framing: track.framing,
        duplicates,
        skip,
      })
    } else if (segment.media) {
      sources.push({ store, key: segment.media.key })
      const isDuplicate = follows ? duplicateSamples(index, track.track, skip) : []
      const omit = (sample: number) => isDuplicate[sample] === true
      appendArchived(table, segmentMovie(of, index, archived, skip), { track: place, source, omit })
    }
  }
}

/** The part's table of this track: one configuration holds for the whole part. */
function tableOf(tracks: MovieTrack[], { track, config }: RawTrack): SampleTable {
  const known = tracks.find((other) => other.config.track === track)
  if (known) return known.samples
  const samples = new SampleTable()
  tracks.push({ config, samples })
  return samples
}

/** For each sample of a segment's MP4 whether it is a copy from the segment before. */
function duplicateSamples(
  { records }: ParsedIndex,
  track: 'video' | 'audio',
  skip: ReadonlySet<number>,
): boolean[] {
  const flags: boolean[] = []
  for (let i = 0; i < records.length; i += 1) {
    const isSample = records.isUnit(i) && records.isVideo(i) === (track === 'video') && !skip.has(i)
    if (isSample) flags.push(records.isDuplicate(i))
  }
  return flags
}
