import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import { type Gap, segmentName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Catalogue } from '../ports.ts'
import {
  getRecording,
  type RecordingRow,
  type RecordingRows,
  type RecordingStreamRow,
  segmentIds,
} from '../rows/recording.ts'
import { type SegmentRow, segmentsById } from '../rows/segment.ts'
import { getTask } from '../rows/task.ts'
import type { Caller } from './caller.ts'

/** A recording that is there and that the caller may see: a token bound to one stream shows only that stream. */
export async function findRecording(
  catalogue: Catalogue,
  id: string,
  caller: Caller,
): Promise<RecordingRows> {
  const found = await getRecording(catalogue, id)
  const rows = found && found.meta.deletedAt === undefined ? visibleTo(caller, found) : undefined
  if (rows) return rows
  throw new AppError('NotFound', `There is no recording ${id}.`, { zh: `没有录像 ${id}。` })
}

function visibleTo(caller: Caller, { meta, streams }: RecordingRows): RecordingRows | undefined {
  if (caller.stream === undefined) return { meta, streams }
  const own = streams.filter((stream) => stream.name === caller.stream)
  return own.length > 0 ? { meta: { ...meta, streamNames: [caller.stream] }, streams: own } : undefined
}

/** The stream that is asked for, else the first. */
export function pickStream({ meta, streams }: RecordingRows, name: string | undefined): RecordingStreamRow {
  const stream = name === undefined ? streams[0] : streams.find((row) => row.name === name)
  if (stream) return stream
  throw new AppError('NotFound', `The recording ${meta.id} has no stream ${name ?? ''}.`, {
    zh: `录像 ${meta.id} 中没有流 ${name ?? ''}。`,
  })
}

/** A name for a person's disk: the title where there is one, and the beginning. */
export function fileTitle({ meta }: RecordingRows): string {
  const start = new Date(meta.from).toISOString().replaceAll(':', '-').slice(0, 19)
  const title = (meta.title ?? meta.id).replaceAll(/[\p{C}/\\:*?"<>|]/gu, '_').slice(0, 80)
  return `${title}-${start}`
}

/** The rows of a stream's segments that have arrived, by `<epoch>-<seq>`. */
export function arrivedSegments(
  catalogue: Catalogue,
  { meta }: RecordingRows,
  stream: RecordingStreamRow,
  nowMs: number,
): Promise<Map<string, SegmentRow>> {
  const range = { agent: meta.agent, stream: stream.name, from: stream.from, to: stream.to ?? nowMs }
  return segmentsById(catalogue, { ...range, ids: segmentIds(stream) })
}

export async function stateOf(catalogue: Catalogue, meta: RecordingRow): Promise<RecordingItem['state']> {
  if (meta.state !== 'closed') return meta.state
  if (meta.filesVersion !== undefined) return 'ready'
  const task = meta.export && (await getTask(catalogue, meta.export.task))
  return task?.status === 'FAILED' ? 'failed' : 'processing'
}

function headOf(meta: RecordingRow, state: RecordingItem['state']) {
  const { id, agent, title, labels, from, to, createdAt } = meta
  return {
    id,
    agent,
    title,
    labels,
    from,
    to,
    createdAt,
    hold: meta.hold === true,
    gapCount: meta.gapCount ?? 0,
    state,
  }
}

export async function recordingItemOf(catalogue: Catalogue, meta: RecordingRow): Promise<RecordingItem> {
  return { ...headOf(meta, await stateOf(catalogue, meta)), streams: meta.streamNames }
}

export async function recordingDetailOf(
  catalogue: Catalogue,
  rows: RecordingRows,
  nowMs: number,
): Promise<RecordingDetail> {
  const { meta } = rows
  const streams: RecordingDetail['streams'] = []
  for (const stream of rows.streams) {
    const arrived = await arrivedSegments(catalogue, rows, stream, nowMs)
    streams.push(streamDetail(meta, stream, arrived))
  }
  return { ...headOf(meta, await stateOf(catalogue, meta)), streams }
}

function streamDetail(
  meta: RecordingRow,
  stream: RecordingStreamRow,
  arrived: Map<string, SegmentRow>,
): RecordingDetail['streams'][number] {
  const rows = [...arrived.values()]
  const segments = segmentIds(stream).map((id) => ({
    ...id,
    state: segmentState(arrived.get(segmentName(id))),
  }))
  const clock = clockOf(rows)
  const damaged = rows.reduce((sum, row) => sum + (row.video?.damaged ?? 0), 0)
  return {
    name: stream.name,
    from: stream.from,
    to: stream.to,
    units: rows.reduce((sum, row) => sum + unitsOf(row), 0),
    ...(damaged > 0 && { damaged }),
    gaps: gapsOf(stream, rows),
    segments,
    ...(clock && { clock }),
    export: {
      ...(meta.export && { task: meta.export.task }),
      files: (meta.files ?? []).filter((file) => file.stream === stream.name),
    },
  }
}

/** `muxed`: watchable; `stored`: its bytes are there; `quarantined`: they could not be read; `missing`: not there yet. */
export function segmentState(row: SegmentRow | undefined): string {
  if (!row) return 'missing'
  if (row.status === 'SUCCESS') return 'muxed'
  return row.status === 'FAILED' ? 'quarantined' : 'stored'
}

/** Pictures, or audio frames where there is no video. */
export function unitsOf(row: SegmentRow): number {
  return row.video?.units ?? row.audio?.units ?? 0
}

function clockOf(rows: SegmentRow[]): RecordingDetail['streams'][number]['clock'] {
  const [first] = rows
  if (!first) return undefined
  return {
    offsetMs: first.wallOffsetMs,
    boundMs: Math.max(...rows.map((row) => row.wallBoundMs)),
    source: rows.some((row) => row.timeSource === 'arrival') ? 'arrival' : 'device',
  }
}

/** The agent's gaps and those that the archive found, within the recording, each once. */
function gapsOf(stream: RecordingStreamRow, rows: SegmentRow[]): Gap[] {
  const to = stream.to ?? Number.POSITIVE_INFINITY
  const found = rows.flatMap((row) => row.gaps).filter((gap) => gap.to > stream.from && gap.from < to)
  const unique = new Map([...stream.gaps, ...found].map((gap) => [`${gap.from} ${gap.to} ${gap.cause}`, gap]))
  return [...unique.values()].sort((a, b) => a.from - b.from)
}
