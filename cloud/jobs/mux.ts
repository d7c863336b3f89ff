import { createHash } from 'node:crypto'
import { keys, type Manifest, type SegmentId, segmentName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { rawKeepMs } from '../../shared/limits.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import { planSegment, type SegmentPlan } from '../../shared/media/mp4/segment.ts'
import type { ObjectStore, Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { freshJob } from '../rows/job-state.ts'
import { clampWallMs, work, workKey } from '../rows/keys.ts'
import {
  findSegment,
  newSegmentRow,
  noteSegmentDay,
  type SegmentRow,
  segmentKey,
  segmentRow,
} from '../rows/segment.ts'
import { checkDamage, damageGaps } from './damage.ts'
import type { JobPorts } from './job-ports.ts'
import { putJson } from './put-json.ts'
import { RangeReader } from './range-reader.ts'
import { reasonOf } from './reason.ts'
import { type JobRun, runJob } from './run-job.ts'
import { movieTracks, segmentMovie } from './segment-movie.ts'
import { findDamaged, type RawTrack, rawTracks, readIndex, readManifest } from './segment-source.ts'
import { mediaBytes, putOnce } from './write-movie.ts'

/**
 * Makes the MP4 of a segment whose manifest lies in the store. Its state is that of the segment's row.
 * Returns the row when it is SUCCESS; throws as `runJob` does. A manifest that cannot be read becomes a
 * FAILED row of its own, so that the agent learns that the segment is quarantined.
 */
export async function muxSegment(id: SegmentId, ports: JobPorts, signal: AbortSignal): Promise<SegmentRow> {
  let found: Manifest
  try {
    found = await readManifest(ports.store, id)
  } catch (cause) {
    return await withoutManifest(id, ports, AppError.from(cause))
  }
  const key = segmentKey(found, found.from)
  await noteSegmentDay(ports.catalogue, found)
  const create = () => newSegmentRow(found, ports.clock.nowMs())
  const row = await runJob(ports, key, { create, signal, work: (run) => mux(found, key, ports, run) })
  return segmentRow.parse(row)
}

/** An event may come again after the segment was deleted: then its row says so. */
async function withoutManifest(id: SegmentId, ports: JobPorts, error: AppError): Promise<SegmentRow> {
  const known = error.kind === 'NotFound' ? await findSegment(ports.catalogue, id) : undefined
  if (known?.deletedAt !== undefined) return known
  if (error.terminal) await quarantine(id, ports, error)
  throw error
}

async function mux(
  of: Manifest,
  key: { pk: string; sk: string },
  { store, clock }: JobPorts,
  { signal }: JobRun,
): Promise<Partial<Row>> {
  const index = await readIndex(store, of)
  const tracks = rawTracks(of, index)
  const { plan, damaged } = await writeChecked({ of, index, tracks }, store, signal)
  if (damaged.size > 0) await putJson(store, keys.damage(of), { damagedRecords: [...damaged] })
  return {
    ...muxFacts({ of, index, tracks }, plan, damaged),
    ...(plan && {
      gsi2pk: work.expire,
      gsi2sk: workKey(clampWallMs(clock.nowMs() + rawKeepMs), key.pk, key.sk),
    }),
  }
}

type Segment = { of: Manifest; index: ParsedIndex; tracks: readonly RawTrack[] }
/** Without a plan there is nothing for an MP4. */
type Written = { plan: SegmentPlan | undefined; damaged: Set<number> }

/**
 * Every unit is compared with its checksum as it is copied: one pass over the bytes. Only when one does not
 * match are all of them looked at, and the file is made again without the damaged ones.
 */
async function writeChecked(segment: Segment, store: ObjectStore, signal: AbortSignal): Promise<Written> {
  const inMovie = movieTracks(segment.tracks)
  const damaged = new Set<number>()
  const look = async (tracks: readonly RawTrack[]) => {
    for (const track of tracks) {
      await using reader = new RangeReader(store, track.key)
      for (const record of await findDamaged(reader, segment.index, track)) damaged.add(record)
      signal.throwIfAborted()
    }
    checkDamage(damaged)
  }
  await look(segment.tracks.filter((track) => !inMovie.includes(track)))
  try {
    return { plan: await writeMovie(segment, damaged, store, signal), damaged }
  } catch (error) {
    if (AppError.from(error).kind !== 'DataLoss') throw error
    await look(inMovie)
    return { plan: await writeMovie(segment, damaged, store, signal), damaged }
  }
}

async function writeMovie(
  { of, index, tracks }: Segment,
  skip: Set<number>,
  store: ObjectStore,
  signal: AbortSignal,
) {
  const chosen = movieTracks(tracks)
  if (chosen.length === 0) return undefined
  const movie = segmentMovie(of, index, chosen, skip)
  const plan = planSegment(movie)
  await using readers = new AsyncDisposableStack()
  const sources = chosen.map((track) => readers.use(new RangeReader(store, track.key)))
  const readerOf = (source: number) => sourceOf(sources, source)
  // Each unit has its checksum in the index: one of the file would cost as much CPU as all the rest.
  await putOnce(store, keys.media(of), {
    body: () => movieBytes(plan, { tracks: movie.tracks, readerOf }, signal),
    sizeBytes: plan.totalBytes,
    contentType: 'video/mp4',
    unsummed: true,
  })
  return plan
}

/** What the row of a segment says of its MP4; the rebuild says the same of one that it finds. */
export function muxFacts(
  { of, index, tracks }: Segment,
  plan: SegmentPlan | undefined,
  damaged: ReadonlySet<number>,
) {
  return {
    ...(plan && {
      media: { key: keys.media(of), sizeBytes: plan.totalBytes, ...mediaFacts(plan, tracks) },
    }),
    config: configHash(index),
    damagedUnits: damaged.size,
    damagedRecords: [...damaged],
    gaps: [...of.gaps, ...damageGaps(of, index, damaged)],
  }
}

/** Segments with the same one fit into one file. */
function configHash({ header }: ParsedIndex): string {
  return createHash('sha256')
    .update(JSON.stringify([header.video, header.audio]))
    .digest('hex')
}

function mediaFacts(plan: SegmentPlan, tracks: readonly RawTrack[]) {
  const { header, map, continuous, durationMs } = plan
  const audio = movieTracks(tracks).some(({ track }) => track === 'audio')
  return { headerBytes: header.length, map, continuous, durationMs, audio }
}

async function* movieBytes(
  plan: SegmentPlan,
  from: Parameters<typeof mediaBytes>[0],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield plan.header
  for (const fragment of plan.fragments) {
    yield fragment.header
    yield* mediaBytes(from, fragment.reads, { check: true, signal })
  }
}

function sourceOf<T>(sources: readonly T[], source: number): T {
  const found = sources[source]
  if (found === undefined)
    throw new AppError('Internal', `The plan names a source ${source} that is not there.`)
  return found
}

/** Without a manifest nothing is known but the name; the epoch, which is near the wall time, has to do for the key. */
async function quarantine(id: SegmentId, { catalogue, clock }: JobPorts, error: AppError): Promise<void> {
  const at = clampWallMs(id.epoch)
  const now = clock.nowMs()
  const facts = { wallOffsetMs: 0, wallBoundMs: 0, timeSource: 'arrival', continues: false, gaps: [] }
  await changeRow(catalogue, segmentKey(id, at), (before) =>
    before?.status === 'SUCCESS'
      ? undefined
      : {
          ...segmentKey(id, at),
          gsi1pk: `S#${id.agent}#${id.stream}`,
          gsi1sk: segmentName(id),
          gsi2pk: work.failed,
          gsi2sk: workKey(at, id.agent, segmentName(id)),
          ...freshJob(now),
          status: 'FAILED',
          reason: reasonOf(error),
          detail: error.message,
          ...id,
          from: at,
          to: at,
          ...facts,
        },
  )
}
