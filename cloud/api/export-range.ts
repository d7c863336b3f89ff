import { randomBytes } from 'node:crypto'
import type { z } from 'zod'
import { segmentsRangeMsMax } from '../../shared/cloud-limits.ts'
import type { exportRequest } from '../../shared/contract/api.ts'
import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import { keys } from '../../shared/contract/segment.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { checkExport } from '../jobs/export-check.ts'
import { putJson } from '../jobs/put-json.ts'
import { addAudit } from '../rows/access.ts'
import { getRecording, saveRecording } from '../rows/recording.ts'
import { type SegmentRow, segmentsBetween } from '../rows/segment.ts'
import { toTask } from '../rows/task.ts'
import type { Caller } from './caller.ts'
import { nothingArchived, onlyAgentWith } from './only-agent.ts'
import type { ApiPorts } from './route.ts'
import { findTask } from './task-actions.ts'

type ExportRequest = z.output<typeof exportRequest>
type Found = { name: string; rows: SegmentRow[] }

/**
 * A range of streams that nobody claimed (`upload: always`) becomes a closed recording of what the archive
 * holds of it, which is exported as any other.
 */
export async function exportRange(ports: ApiPorts, request: ExportRequest, caller: Caller): Promise<Task> {
  const { catalogue, clock } = ports
  const lengthMs = request.to - request.from
  if (lengthMs <= 0 || lengthMs > segmentsRangeMsMax) {
    throw new AppError('InvalidArgument', 'The range must end after it begins, and within 31 days.', {
      zh: '时间范围无效：结束须晚于开始，且不超过 31 天。',
    })
  }
  const agent =
    request.agent ?? (await onlyAgentWith(ports, { ...request, stream: request.streams[0] ?? '' }))
  const found: Found[] = []
  for (const name of new Set(request.streams))
    found.push({ name, rows: await settledRows(ports, agent, name, request) })
  const id = `range-${randomBytes(8).toString('hex')}`
  const claim = claimOf({ id, agent, request, found, nowMs: clock.nowMs() })
  await putJson(ports.store, keys.rangeRecording(id), claim)
  await saveRecording(catalogue, claim, clock.nowMs())
  await addAudit(catalogue, { recording: id, atMs: clock.nowMs(), who: caller.subject, what: 'export' })
  await checkExport({ recording: id }, ports)
  const task = (await getRecording(catalogue, id))?.meta.export?.task
  if (task === undefined) throw new AppError('Aborted', 'The archive changed meanwhile; ask again.')
  return toTask(await findTask(ports, task))
}

async function settledRows(
  { catalogue }: ApiPorts,
  agent: string,
  stream: string,
  { from, to }: ExportRequest,
): Promise<SegmentRow[]> {
  const rows = await Array.fromAsync(segmentsBetween(catalogue, { agent, stream, from, to }))
  if (rows.length === 0) throw nothingArchived(stream)
  const unfinished = rows.filter((row) => row.status !== 'SUCCESS' && row.status !== 'FAILED').length
  if (unfinished === 0) return rows
  throw new AppError(
    'Aborted',
    `${unfinished} segments of ${stream} are still being prepared; ask again in a moment.`,
    {
      zh: `${stream} 有 ${unfinished} 个片段仍在处理，请稍后再试。`,
    },
  )
}

function claimOf(of: {
  id: string
  agent: string
  request: ExportRequest
  found: Found[]
  nowMs: number
}): Recording {
  const { from, to, title } = of.request
  return {
    version: 1,
    id: of.id,
    agent: of.agent,
    rev: 1,
    state: 'closed',
    ...(title === undefined ? {} : { title }),
    labels: ['range'],
    createdAt: of.nowMs,
    from,
    to,
    streams: of.found.map(({ name, rows }): RecordingStream => {
      const segments = rows.map(({ epoch, seq }) => ({ epoch, seq }))
      return { ...{ name, from, to }, segments, gaps: [] } // Its gaps are those of its segments, which say them.
    }),
  }
}
