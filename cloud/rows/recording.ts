import { z } from 'zod'
import { type Recording, recording } from '../../shared/contract/recording.ts'
import { gap, name } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { recordingRowGapsMax, recordingRunsMax } from '../../shared/limits.ts'
import type { Catalogue, Row } from '../ports.ts'
import { changeRow } from './change-row.ts'
import { clampWallMs, monthKey, timeKey, work, workKey } from './keys.ts'
import { type NewestFirst, newestFirst, noteMonth } from './months.ts'

/** One file of a finished export. `from` is the wall ms that is t = 0 in the file. */
export const exportFile = z.looseObject({
  stream: name,
  part: z.number().int(),
  key: z.string(),
  from: z.number(),
  to: z.number(),
  codec: z.string(),
  width: z.number(),
  height: z.number(),
  units: z.number().int(),
  mp4Bytes: z.number().int(),
  sha256: z.string(),
  /** What became of sound that could not be made AAC, in words. */
  soundNote: z.string().optional(),
})
export type ExportFile = z.infer<typeof exportFile>

/** The newest finished export; while a newer version is made, the old one stays. */
export const exportState = z.looseObject({
  version: z.number().int(),
  /** Hash of what goes into it: the same inputs are the same version. */
  inputs: z.string(),
  task: z.string(),
})

/** `damaged`: of `units`, received so and kept. */
export const unitCounts = z.record(
  z.string(),
  z.object({ units: z.number().int(), damaged: z.number().int() }),
)

/**
 * A recording: pk `R#<id>`, sk `META`; gsi1 by month and start; gsi2 (waiting for segments) while a closed one
 * has no complete export. Its streams are rows of their own: sk `STREAM#<name>`.
 */
export const recordingRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  id: name,
  agent: name,
  rev: z.number().int(),
  state: z.enum(['armed', 'open', 'closed']),
  title: z.string().optional(),
  labels: z.array(z.string()),
  createdAt: z.number(),
  from: z.number(),
  to: z.number().nullable(),
  streamNames: z.array(z.string()),
  /** Wall ms of the cloud when the closed revision came: the 24 h of patience count from here. */
  closedAt: z.number().optional(),
  /** Wall ms before which nobody need ask again whether its segments are there. */
  nextCheckAt: z.number().optional(),
  /** The one missing segment whose mux is to ask again; absent: any of its segments is. */
  awaiting: z.looseObject({ stream: name, epoch: z.number(), seq: z.number() }).optional(),
  export: exportState.optional(),
  /** Finished files, of `export.version` or, while that is being made, of the version before. */
  files: z.array(exportFile).optional(),
  filesVersion: z.number().int().optional(),
  /** By stream, what the files show within the recording: pictures, or audio frames where there is no video. */
  counts: unitCounts.optional(),
  hold: z.boolean().optional(),
  /** The agent's when it comes, the export's when that is done. */
  gapCount: z.number().int().optional(),
  deletedAt: z.number().optional(),
  /** Wall ms when all that it held was gone. */
  purgedAt: z.number().optional(),
})
export type RecordingRow = z.infer<typeof recordingRow>

/** `runs`: [epoch, first seq, last seq], so that 8 hours of segments are a few numbers. */
export const recordingStreamRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  rev: z.number().int(),
  name,
  from: z.number(),
  to: z.number().nullable(),
  runs: z.array(z.tuple([z.number().int(), z.number().int(), z.number().int()])),
  segmentCount: z.number().int(),
  /** The first thousand; all of them are in the recording's own JSON object. */
  gaps: z.array(gap),
  gapCount: z.number().int(),
  fps: z.looseObject({ value: z.number(), source: z.string() }).optional(),
})
export type RecordingStreamRow = z.infer<typeof recordingStreamRow>

export const recordingKey = (id: string) => ({ pk: `R#${id}`, sk: 'META' })

/**
 * Stores a revision; an older one than what is there changes nothing (`old`). `AlreadyExists` when the id
 * belongs to another agent. The streams are written first, META is the commit mark.
 */
export async function saveRecording(
  catalogue: Catalogue,
  value: Recording,
  nowMs: number,
): Promise<'saved' | 'old'> {
  const parsed = recording.parse(value)
  const key = recordingKey(parsed.id)
  const before = await catalogue.get(key.pk, key.sk)
  if (before && before.agent !== parsed.agent) {
    throw new AppError('AlreadyExists', `The recording ${parsed.id} belongs to another agent.`)
  }
  if (before && Number(before.rev) >= parsed.rev) return 'old'
  await noteMonth(catalogue, 'R#', parsed.from)
  for (const stream of parsed.streams) {
    await changeRow(catalogue, { pk: key.pk, sk: `STREAM#${stream.name}` }, (row) =>
      row && Number(row.rev) >= parsed.rev ? undefined : streamRow(key.pk, parsed.rev, stream),
    )
  }
  let saved = false
  await changeRow(catalogue, key, (row) => {
    saved = !row || Number(row.rev) < parsed.rev
    return saved ? metaRow(row, parsed, nowMs) : undefined
  })
  return saved ? 'saved' : 'old'
}

function metaRow(before: Row | undefined, value: Recording, nowMs: number): Row {
  const start = clampWallMs(value.from)
  const { gsi2pk: _pk, gsi2sk: _sk, ...kept } = before ?? {}
  const key = recordingKey(value.id)
  return {
    ...kept,
    ...key,
    gsi1pk: `R#${monthKey(start)}`,
    gsi1sk: `${timeKey(start)}#${value.id}`,
    id: value.id,
    agent: value.agent,
    rev: value.rev,
    state: value.state,
    title: value.title,
    labels: value.labels,
    createdAt: value.createdAt,
    from: value.from,
    to: value.to,
    streamNames: value.streams.map((stream) => stream.name),
    gapCount: value.streams.reduce((sum, { gaps }) => sum + gaps.length, 0),
    ...(value.state === 'closed' && { closedAt: before?.closedAt ?? nowMs }),
    ...workOf(before, value, workKey(nowMs, key.pk, key.sk)),
  }
}

/** A new revision of a deleted recording may name segments that have come since: they go, too. */
function workOf(before: Row | undefined, value: Recording, gsi2sk: string) {
  if (before?.deletedAt !== undefined) return { gsi2pk: work.purge, gsi2sk }
  return value.state === 'closed' ? { gsi2pk: work.waiting(value.agent), gsi2sk } : {}
}

function streamRow(pk: string, rev: number, stream: Recording['streams'][number]): Row {
  const runs = runsOf(stream.segments)
  if (runs.length > recordingRunsMax) {
    throw new AppError('InvalidArgument', `The stream ${stream.name} has too many runs of segments.`)
  }
  return {
    pk,
    sk: `STREAM#${stream.name}`,
    rev,
    name: stream.name,
    from: stream.from,
    to: stream.to,
    runs,
    segmentCount: stream.segments.length,
    gaps: stream.gaps.slice(0, recordingRowGapsMax),
    gapCount: stream.gaps.length,
    fps: stream.fps,
  }
}

type Run = [epoch: number, first: number, last: number]

function runsOf(segments: readonly { epoch: number; seq: number }[]): Run[] {
  const sorted = segments.toSorted((a, b) => a.epoch - b.epoch || a.seq - b.seq)
  const runs: Run[] = []
  for (const { epoch, seq } of sorted) {
    const last = runs.at(-1)
    if (last && last[0] === epoch && seq <= last[2] + 1) last[2] = seq
    else runs.push([epoch, seq, seq])
  }
  return runs
}

/** The exact segments of a stream row, in order. */
export function segmentIds(row: Pick<RecordingStreamRow, 'runs'>): { epoch: number; seq: number }[] {
  return row.runs.flatMap(([epoch, first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => ({ epoch, seq: first + i })),
  )
}

export type RecordingRows = { meta: RecordingRow; streams: RecordingStreamRow[] }

export async function getRecording(catalogue: Catalogue, id: string): Promise<RecordingRows | undefined> {
  const key = recordingKey(id)
  const row = await catalogue.get(key.pk, key.sk)
  if (!row) return undefined
  const meta = recordingRow.parse(row)
  const streams: RecordingStreamRow[] = []
  for (const streamName of meta.streamNames) {
    const stream = await catalogue.get(key.pk, `STREAM#${streamName}`)
    if (stream) streams.push(recordingStreamRow.parse(stream))
  }
  return { meta, streams }
}

/** Newest first, deleted ones left out. The caller filters by stream, title and label. */
export async function listRecordings(
  catalogue: Catalogue,
  options: NewestFirst,
): Promise<{ recordings: RecordingRow[]; cursor?: string }> {
  const { rows, cursor } = await newestFirst(catalogue, 'R#', options)
  const recordings = rows.map((row) => recordingRow.parse(row)).filter((row) => row.deletedAt === undefined)
  return { recordings, ...(cursor !== undefined && { cursor }) }
}

/** Changes META by compare and set; `NotFound` without one. Returns the row as it is now. */
export async function changeRecording(
  catalogue: Catalogue,
  id: string,
  change: (meta: RecordingRow) => Row | undefined,
): Promise<RecordingRow> {
  const row = await changeRow(catalogue, recordingKey(id), (before) => {
    if (!before) throw new AppError('NotFound', `There is no recording ${id}.`)
    return change(recordingRow.parse(before))
  })
  return recordingRow.parse(row)
}
