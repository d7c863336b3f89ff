import { createHash } from 'node:crypto'
import { requeueAfterMs, wakeLostMax, wakeLostParallel } from '../../shared/cloud-limits.ts'
import { keys, segmentName } from '../../shared/contract/segment.ts'
import { exportPatienceMs, messageDelaySMax } from '../../shared/limits.ts'
import { work, workKey } from '../rows/keys.ts'
import { noteMonth } from '../rows/months.ts'
import {
  changeRecording,
  getRecording,
  type RecordingRow,
  type RecordingRows,
  type RecordingStreamRow,
  recordingRow,
  recordingStreamRow,
  segmentIds,
} from '../rows/recording.ts'
import { type SegmentRow, segmentsById } from '../rows/segment.ts'
import { getTask, newTaskRow } from '../rows/task.ts'
import { inParallel } from './in-parallel.ts'
import type { JobPorts } from './job-ports.ts'
import { sendExport, sendThumbnail } from './messages.ts'
import { rawCreatedEvent } from './raw-event.ts'

export type ExportInput = { recording: string; version: number; unavailable: Unavailable }
/** Names of segments that the export goes without, by stream; `failed`: quarantined, else not there. */
export type Unavailable = Record<string, { epoch: number; seq: number; failed: boolean }[]>

type Looked = { missing: Missing[]; unavailable: Unavailable; firstVideo: SegmentRow[] }
type Missing = { stream: string; epoch: number; seq: number }

/**
 * Looks whether a closed recording can be exported, and if so makes the task and sends for it. The same
 * segments are the same version, however often this runs; a late segment makes a new one.
 */
export async function checkExport(
  message: { recording: string; again?: boolean | undefined },
  ports: JobPorts,
): Promise<void> {
  const rows = await getRecording(ports.catalogue, message.recording)
  if (rows?.meta.state !== 'closed' || rows.meta.deletedAt !== undefined) return
  const looked = await lookAtSegments(rows, ports)
  const isLate = ports.clock.nowMs() >= (rows.meta.closedAt ?? 0) + exportPatienceMs
  if (message.again || isLate) await wakeLost(rows.meta, looked.missing, ports)
  if (looked.missing.length > 0 && !isLate) {
    await waitFor(rows.meta, looked.missing, ports)
    return
  }
  // An agent that was offline for days brings hundreds: they make a version every 15 minutes, not one each.
  if (looked.missing.length > 0 && rows.meta.export && !message.again) {
    await lookAgainLater(rows.meta, {}, ports)
    return
  }
  await thumbnailsFor(looked, ports)
  await startExport(rows, looked, ports)
}

async function lookAtSegments({ meta, streams }: RecordingRows, { catalogue }: JobPorts): Promise<Looked> {
  const missing: Missing[] = []
  const unavailable: Unavailable = {}
  const firstVideo: SegmentRow[] = []
  for (const stream of streams) {
    const ids = segmentIds(stream)
    const rows = await segmentsById(catalogue, { ...rangeOf(meta, stream), ids, withDeleted: true })
    const present = ids.flatMap((id) => rows.get(segmentName(id)) ?? []).filter(isWhole)
    const hasPicture = present.some((segment) => segment.thumbnail !== undefined)
    const first = hasPicture ? undefined : present.find((segment) => segment.video)
    if (first) firstVideo.push(first)
    const absent = ids.filter((id) => !isWhole(rows.get(segmentName(id))))
    const failed = (id: (typeof ids)[number]) => rows.get(segmentName(id))?.status === 'FAILED'
    const deleted = (id: (typeof ids)[number]) => rows.get(segmentName(id))?.deletedAt !== undefined
    if (absent.length > 0) unavailable[stream.name] = absent.map((id) => ({ ...id, failed: failed(id) }))
    const awaited = absent.filter((id) => !failed(id) && !deleted(id))
    missing.push(...awaited.map((id) => ({ stream: stream.name, ...id })))
  }
  return { missing, unavailable, firstVideo }
}

function isWhole(row: SegmentRow | undefined): boolean {
  return row?.status === 'SUCCESS' && row.deletedAt === undefined
}

export function rangeOf(meta: RecordingRow, stream: RecordingStreamRow) {
  const to = stream.to ?? meta.to ?? stream.from
  return { agent: meta.agent, stream: stream.name, from: stream.from, to }
}

/**
 * Writes down one segment whose mux will ask again (agents upload the oldest first, so the last one): of all
 * other muxes none need ask.
 */
async function waitFor(meta: RecordingRow, missing: Missing[], ports: JobPorts): Promise<void> {
  const awaiting = missing.at(-1)
  await lookAgainLater(meta, { awaiting }, ports)
  // It may have come between the look and the note; then its mux found no note.
  const rows = await getRecording(ports.catalogue, meta.id)
  const stream = rows?.streams.find(({ name }) => name === awaiting?.stream)
  if (!rows || !stream || !awaiting) return
  const found = await segmentsById(ports.catalogue, { ...rangeOf(rows.meta, stream), ids: [awaiting] })
  const { status } = found.get(segmentName(awaiting)) ?? {}
  if (status === 'SUCCESS' || status === 'FAILED') {
    await sendExport(ports.queue, { kind: 'check', recording: meta.id })
  }
}

/**
 * Segments that lie in the store though nobody told of them: the event was lost, and the agent, which asks for what is
 * no MP4 yet, has been started anew since. What has only not come yet is not there.
 */
async function wakeLost(
  { agent }: RecordingRow,
  missing: Missing[],
  { store, queue, clock }: JobPorts,
): Promise<void> {
  await inParallel(missing.slice(0, wakeLostMax), wakeLostParallel, async (segment) => {
    const key = keys.raw({ agent, ...segment }, 'json')
    const head = await store.head(key, { sizeOnly: true })
    if (head && clock.nowMs() - head.lastModifiedMs >= requeueAfterMs)
      await queue.send('mux', rawCreatedEvent(key, head.sizeBytes))
  })
}

const earlyMs = 1000 // A queue may deliver this much before its time.

/** One message comes back every 15 minutes; `nextCheckAt` keeps two deliveries from making two chains of it. */
async function lookAgainLater(
  meta: RecordingRow,
  note: Pick<RecordingRow, 'awaiting'>,
  { queue, catalogue, clock }: JobPorts,
): Promise<void> {
  const now = clock.nowMs()
  const isDue = (meta.nextCheckAt ?? 0) <= now + earlyMs
  if (isDue) await sendExport(queue, { kind: 'check', recording: meta.id, again: true }, messageDelaySMax)
  const nextCheckAt = isDue ? now + messageDelaySMax * 1000 : meta.nextCheckAt
  await changeRecording(catalogue, meta.id, (row) => ({ ...row, ...note, nextCheckAt }))
}

async function startExport(rows: RecordingRows, looked: Looked, ports: JobPorts): Promise<void> {
  const { catalogue, clock, queue } = ports
  const { meta } = rows
  const inputs = inputsHash(rows, looked)
  const isComplete = Object.keys(looked.unavailable).length === 0
  if (meta.export?.inputs === inputs) {
    // Made before; the message of its task may not have been sent, and a new revision may wait again.
    const task = await getTask(catalogue, meta.export.task)
    if (task?.status === 'PENDING') await sendExport(queue, { kind: 'run', task: task.id })
    const made = meta.export
    if (meta.gsi2pk && isComplete)
      await changeRecording(catalogue, meta.id, (row) => withExport(row, made, true))
    return
  }
  const version = (meta.export?.version ?? 0) + 1
  const id = `export-${meta.id}-v${version}`
  const input: ExportInput = { recording: meta.id, version, unavailable: looked.unavailable }
  const now = clock.nowMs()
  await noteMonth(catalogue, 'T#', now)
  await catalogue.putAll([
    { row: newTaskRow({ id, kind: 'export', input }, now), condition: 'absent' },
    { row: withExport(meta, { version, inputs, task: id }, isComplete), condition: meta.version },
  ])
  await sendExport(queue, { kind: 'run', task: id })
}

function inputsHash({ meta, streams }: RecordingRows, { unavailable }: Looked): string {
  const claims = streams.map(({ name, from, to, runs, gaps }) => [name, from, to, runs, gaps])
  return createHash('sha256')
    .update(JSON.stringify([meta.from, meta.to, claims, unavailable]))
    .digest('hex')
}

/** A complete one waits for nothing more; else any segment that still comes asks for a new version. */
function withExport(meta: RecordingRow, made: RecordingRow['export'], isComplete: boolean) {
  const { gsi2pk: _pk, gsi2sk: _sk, awaiting: _awaiting, ...rest } = meta
  const waits = { gsi2pk: work.waiting(meta.agent), gsi2sk: workKey(meta.closedAt ?? 0, meta.pk, meta.sk) }
  return { ...rest, export: made, ...(isComplete ? {} : waits) }
}

async function thumbnailsFor(looked: Looked, { queue }: JobPorts): Promise<void> {
  for (const { agent, stream, epoch, seq, from } of looked.firstVideo) {
    await sendThumbnail(queue, { agent, stream, epoch, seq, from, needed: true })
  }
}

/** After a mux, whatever its end: the recordings that wait for this segment are looked at again. */
export async function checkWaiting(segment: SegmentRow, { catalogue, queue }: JobPorts): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await catalogue.query({
      index: 'gsi2',
      pk: work.waiting(segment.agent),
      ...(cursor !== undefined && { cursor }),
    })
    for (const row of page.rows) {
      const meta = recordingRow.parse(row)
      if (await wants(meta, segment, catalogue))
        await sendExport(queue, { kind: 'check', recording: meta.id })
    }
    cursor = page.cursor
  } while (cursor !== undefined)
}

async function wants(
  listed: RecordingRow,
  segment: SegmentRow,
  catalogue: JobPorts['catalogue'],
): Promise<boolean> {
  if (!listed.streamNames.includes(segment.stream)) return false
  const row = await catalogue.get(listed.pk, `STREAM#${segment.stream}`)
  if (!row) return false
  const { runs } = recordingStreamRow.parse(row)
  const holds = runs.some(
    ([epoch, first, last]) => epoch === segment.epoch && first <= segment.seq && segment.seq <= last,
  )
  if (!holds) return false
  const meta = await catalogue.get(listed.pk, listed.sk)
  const awaiting = meta && recordingRow.parse(meta).awaiting
  if (!awaiting) return true
  return (
    awaiting.stream === segment.stream && awaiting.epoch === segment.epoch && awaiting.seq === segment.seq
  )
}
