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
import { RangeReader } from './range-reader.ts'
import { movieTracks, segmentMovie } from './segment-movie.ts'
import { type RawTrack, rawTracks, readIndex, readManifest } from './segment-source.ts'

export type PartMovie = {
  plan: MoviePlan
  tracks: MovieTrack[]
  /** The object of each source, by the number that the plan's reads name. */
  sourceKeys: string[]
  video: MovieTrack | undefined
}

/**
 * Plans the file of a part; undefined when nothing of it is to be shown. Reads the indexes, no media. A later part's
 * `from` is set to its first sound, where that comes before its first picture.
 */
export async function planPart(store: ObjectStore, part: Part): Promise<PartMovie | undefined> {
  const sourceKeys: string[] = []
  const tracks: MovieTrack[] = []
  let before: SegmentRow | undefined
  for (const segment of part.segments) {
    const of = await readManifest(store, segment)
    const index = await readIndex(store, of)
    const follows = before?.seq === segment.seq - 1
    appendSegment({ segment, of, index, follows }, tracks, sourceKeys)
    if (!before && part.number > 1) beginWithSound(part, tracks)
    before = segment
  }
  const fromMs = part.from - part.offsetMs
  const untilMs = part.untilMs ?? Number.POSITIVE_INFINITY
  const shown = tracks.filter(
    ({ config, samples }) => shownRange(samples, config.track === 'video', fromMs, untilMs) !== undefined,
  )
  if (shown.length === 0) return undefined
  const plan = planMovie({
    tracks,
    fromMs,
    createdWallMs: part.from,
    ...(part.untilMs !== undefined && { toMs: part.untilMs }),
  })
  return { plan, tracks, sourceKeys, video: tracks.find(({ config }) => config.track === 'video') }
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
  sourceKeys: string[],
): void {
  const skip = new Set(segment.damagedRecords)
  const raw = rawTracks(of, index)
  const archived = segment.rawDeletedAt === undefined ? [] : movieTracks(raw)
  for (const track of raw) {
    const table = tableOf(tracks, track)
    const source = sourceKeys.length
    const place = archived.indexOf(track)
    if (place === -1) {
      sourceKeys.push(track.key)
      const duplicates = follows ? 'skip' : 'keep'
      appendIndex(table, index.records, {
        track: track.track,
        source,
        framing: track.framing,
        duplicates,
        skip,
      })
    } else if (segment.media) {
      sourceKeys.push(segment.media.key)
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

/** At most one body is open for each track: the sources of a track follow each other. */
export class PartReaders implements AsyncDisposable {
  readonly #store: ObjectStore
  readonly #keys: readonly string[]
  readonly #open = new Map<number, { source: number; reader: RangeReader }>()

  constructor(store: ObjectStore, sourceKeys: readonly string[]) {
    this.#store = store
    this.#keys = sourceKeys
  }

  readerOf = (source: number, track: number): RangeReader => {
    const open = this.#open.get(track)
    if (open?.source === source) return open.reader
    void open?.reader[Symbol.asyncDispose]()
    const reader = new RangeReader(this.#store, this.#keys[source] ?? '')
    this.#open.set(track, { source, reader })
    return reader
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reader } of this.#open.values()) await reader[Symbol.asyncDispose]()
  }
}
