import { z } from 'zod'
import { recording } from '../../shared/contract/recording.ts'
import { keys, type SegmentId } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { jsonBodyBytesMax, rebuildParallel, recordingBytesMax } from '../../shared/limits.ts'
import { planSegment } from '../../shared/media/mp4/segment.ts'
import type { ObjectStore } from '../ports.ts'
import { newestFirst } from '../rows/months.ts'
import { beginRebuild, endRebuild } from '../rows/rebuild.ts'
import { changeRecording, exportFile, exportState, recordingRow, saveRecording } from '../rows/recording.ts'
import { getSegment, newSegmentRow, noteSegmentDay } from '../rows/segment.ts'
import { inParallel } from './in-parallel.ts'
import type { JobPorts } from './job-ports.ts'
import { sendExport } from './messages.ts'
import { muxFacts } from './mux.ts'
import { parseRawKey, type RawObject, rawCreatedEvent } from './raw-event.ts'
import { movieTracks, segmentMovie } from './segment-movie.ts'
import { rawTracks, readIndex, readManifest, readObject } from './segment-source.ts'

/** What one step found: rows made again, segments sent to the mux, and what nothing can be made of, with the reason. */
export type Rebuilt = {
  segments: number
  muxing: number
  recordings: number
  exports: number
  failed: { key: string; error: string }[]
  /** Give it to the next step; absent: all is done. */
  cursor?: string
}

/**
 * One step of making the catalogue again from the objects: first what agents wrote (`raw/`), then the exports,
 * then a look at every recording. What the catalogue holds already is left as it is, so that a step may be done
 * twice, and beside work that goes on; until the last step nothing is deleted that a recording which is not there
 * again may want. Not in the objects: tokens, shares, who did what, agents.
 */
export async function rebuildStep(ports: JobPorts, cursor: string | undefined): Promise<Rebuilt> {
  const { phase, inner } = splitCursor(cursor)
  const found: Rebuilt = { segments: 0, muxing: 0, recordings: 0, exports: 0, failed: [] }
  if (phase === 'look') {
    const next = await lookAtRecordings(ports, inner)
    if (next !== undefined) return { ...found, cursor: `look|${next}` }
    await endRebuild(ports.catalogue)
    return found
  }
  await beginRebuild(ports.catalogue)
  const page = await ports.store.list(phase === 'raw' ? 'raw/' : 'exports/', inner)
  await inParallel(page.keys, rebuildParallel, async ({ key, sizeBytes }) => {
    try {
      if (phase === 'raw') await rawObject(key, sizeBytes, ports, found)
      else await exportObject(key, ports, found)
    } catch (cause) {
      const error = AppError.from(cause)
      if (!error.terminal) throw error
      found.failed.push({ key, error: error.message })
    }
  })
  const after = phase === 'raw' ? 'exports|' : 'look|'
  return { ...found, cursor: page.cursor === undefined ? after : `${phase}|${page.cursor}` }
}

type Phase = 'raw' | 'exports' | 'look'

function splitCursor(cursor = 'raw|'): { phase: Phase; inner: string | undefined } {
  const match = /^(raw|exports|look)\|(.*)$/s.exec(cursor)
  if (!match) throw new AppError('InvalidArgument', 'The cursor is not one of a rebuild; begin without.')
  return { phase: match[1] as Phase, inner: match[2] || undefined }
}

async function rawObject(key: string, sizeBytes: number, ports: JobPorts, found: Rebuilt): Promise<void> {
  if (!key.endsWith('.json')) return
  const object = parseRawKey(key)
  if (object.kind === 'segment') await rebuildSegment(object, sizeBytes, ports, found)
  else await rebuildRecording(object.key, ports, found)
}

const damage = z.object({ damagedRecords: z.array(z.number().int()) })

/** Raw pictures that are still there are muxed, as when they came; else the index says how the MP4 is laid out. */
async function rebuildSegment(
  { key, id }: Extract<RawObject, { kind: 'segment' }>,
  sizeBytes: number,
  { store, catalogue, queue, clock }: JobPorts,
  found: Rebuilt,
): Promise<void> {
  const of = await readManifest(store, id)
  const known = await getSegment(catalogue, id, of.from)
  if (known && known.status !== 'FAILED') return
  const index = await readIndex(store, of)
  const tracks = rawTracks(of, index)
  const rest = await Promise.all(tracks.map((track) => store.head(track.key, { sizeOnly: true })))
  const chosen = movieTracks(tracks)
  if (chosen.every((track) => rest[tracks.indexOf(track)] !== undefined)) {
    await queue.send('mux', rawCreatedEvent(key, sizeBytes))
    found.muxing += 1
    return
  }
  const damaged = new Set(await damagedOf(store, id))
  const plan = planSegment(segmentMovie(of, index, chosen, damaged))
  if ((await store.head(keys.media(id), { sizeOnly: true }))?.sizeBytes !== plan.totalBytes) {
    throw new AppError(
      'DataLoss',
      'Neither its raw pictures nor an MP4 of the size that its index says is there.',
    )
  }
  const now = clock.nowMs()
  const { gsi2pk: _pk, gsi2sk: _sk, ...row } = newSegmentRow(of, now)
  const hasThumbnail = await store.head(keys.thumbnail(id), { sizeOnly: true })
  await noteSegmentDay(catalogue, of)
  await catalogue.put(
    {
      ...row,
      ...muxFacts({ of, index, tracks }, plan, damaged),
      status: 'SUCCESS',
      progress: 100,
      rawDeletedAt: now,
      ...(hasThumbnail && { thumbnail: keys.thumbnail(id) }),
    },
    known?.version ?? 'absent',
  )
  found.segments += 1
}

async function damagedOf(store: ObjectStore, id: SegmentId): Promise<number[]> {
  const key = keys.damage(id)
  if (!(await store.head(key, { sizeOnly: true }))) return []
  return damage.parse(await readJson(store, key, jsonBodyBytesMax)).damagedRecords
}

async function rebuildRecording(key: string, { store, catalogue, clock }: JobPorts, found: Rebuilt) {
  const parsed = recording.parse(await readJson(store, key, recordingBytesMax))
  const saved = await saveRecording(catalogue, parsed, clock.nowMs())
  // Also of one that is there: a rebuild may have been killed between the two.
  if ((await store.head(keys.hold(parsed.id), { sizeOnly: true })) !== undefined)
    await changeRecording(catalogue, parsed.id, (row) => (row.hold ? undefined : { ...row, hold: true }))
  if (saved === 'saved') found.recordings += 1
}

const exportManifest = z.looseObject({
  recording: z.string(),
  export: exportState,
  files: z.array(exportFile),
  streams: z.array(
    z.looseObject({
      name: z.string(),
      gaps: z.array(z.unknown()),
      units: z.number().int().optional(),
      damaged: z.number().int().optional(),
    }),
  ),
})

/** Of several versions the newest is named, in whatever order they are found. */
async function exportObject(key: string, ports: JobPorts, found: Rebuilt): Promise<void> {
  const { store, catalogue } = ports
  if (/^exports\/[^/]+\/recording\.json$/.test(key)) await rebuildRecording(key, ports, found)
  if (!/^exports\/[^/]+\/v\d+\/manifest\.json$/.test(key)) return
  const made = exportManifest.parse(await readJson(store, key, recordingBytesMax))
  let isNew = false
  await changeRecording(catalogue, made.recording, (row) => {
    isNew = (row.filesVersion ?? 0) < made.export.version && row.deletedAt === undefined
    const gapCount = made.streams.reduce((sum, { gaps }) => sum + gaps.length, 0)
    const files = { files: made.files, filesVersion: made.export.version, gapCount, ...countsOf(made) }
    return isNew ? { ...row, ...files, export: made.export } : undefined
  })
  found.exports += isNew ? 1 : 0
}

/** None where an older export did not count. */
function countsOf({ streams }: z.infer<typeof exportManifest>) {
  const counts = streams.flatMap(({ name, units, damaged = 0 }) =>
    units === undefined ? [] : [[name, { units, damaged }] as const],
  )
  return counts.length === streams.length ? { counts: Object.fromEntries(counts) } : {}
}

/** A closed recording whose export is not known gets one; one that is complete waits for nothing. */
async function lookAtRecordings({ catalogue, queue }: JobPorts, cursor: string | undefined) {
  const page = await newestFirst(catalogue, 'R#', cursor === undefined ? {} : { cursor })
  for (const row of page.rows) {
    const { id, state, deletedAt, gsi2pk } = recordingRow.parse(row)
    if (state === 'closed' && deletedAt === undefined && gsi2pk !== undefined)
      await sendExport(queue, { kind: 'check', recording: id })
  }
  return page.cursor
}

async function readJson(store: ObjectStore, key: string, max: number): Promise<unknown> {
  const bytes = await readObject(store, key, max)
  try {
    return JSON.parse(bytes.toString())
  } catch (cause) {
    throw new AppError('InvalidArgument', `${key} is not JSON.`, { cause })
  }
}
