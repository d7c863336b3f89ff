import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import { type Gap, segmentName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { exportGaps } from '../jobs/export-gaps.ts'
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
import { countWithin, type UnitCount } from './count-within.ts'
import type { ApiPorts } from './route.ts'

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
  { catalogue, store, clock }: ApiPorts,
  rows: RecordingRows,
): Promise<RecordingDetail> {
  const { meta } = rows
  const streams: RecordingDetail['streams'] = []
  for (const stream of rows.streams) {
    const arrived = await arrivedSegments(catalogue, rows, stream, clock.nowMs())
    const range = { from: stream.from, to: stream.to ?? Number.POSITIVE_INFINITY }
    // The export has counted what its files show; before it, and while a newer one is made, the indexes are asked.
    const counted = meta.filesVersion === meta.export?.version ? meta.counts?.[stream.name] : undefined
    const count = counted ?? (await countWithin(store, [...arrived.values()], range))
    const gaps = gapsOf(meta, { ...stream, to: stream.to ?? clock.nowMs() }, arrived)
    streams.push({ ...streamDetail(meta, stream, arrived, count), gaps })
  }
  return { ...headOf(meta, await stateOf(catalogue, meta)), streams }
}

function streamDetail(
  meta: RecordingRow,
  stream: RecordingStreamRow,
  arrived: Map<string, SegmentRow>,
  { units, damaged }: UnitCount,
): Omit<RecordingDetail['streams'][number], 'gaps'> {
  const segments = segmentIds(stream).map((id) => ({
    ...id,
    state: segmentState(arrived.get(segmentName(id))),
  }))
  const clock = clockOf([...arrived.values()])
  return {
    name: stream.name,
    from: stream.from,
    to: stream.to,
    units,
    ...(damaged > 0 && { damaged }),
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

function clockOf(rows: SegmentRow[]): RecordingDetail['streams'][number]['clock'] {
  const [first] = rows
  if (!first) return undefined
  return {
    offsetMs: first.wallOffsetMs,
    boundMs: Math.max(...rows.map((row) => row.wallBoundMs)),
    source: rows.some((row) => row.timeSource === 'arrival') ? 'arrival' : 'device',
  }
}

/** The agent's gaps and those that the archive found, within the recording; what is not there yet is none before an export went without it. */
function gapsOf(
  meta: RecordingRow,
  stream: RecordingStreamRow & { to: number },
  arrived: Map<string, SegmentRow>,
): Gap[] {
  const isWhole = (row: SegmentRow | undefined) => row !== undefined && row.status !== 'FAILED'
  const absent = segmentIds(stream).flatMap((id) => {
    const row = arrived.get(segmentName(id))
    const isGap = !isWhole(row) && (row !== undefined || meta.filesVersion !== undefined)
    return isGap ? [{ ...id, failed: row !== undefined }] : []
  })
  return exportGaps(stream, [...arrived.values()].filter(isWhole), absent)
}
