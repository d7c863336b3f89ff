import { z } from 'zod'
import { type Task, task } from '../../shared/contract/task.ts'
import type { Catalogue, Row } from '../ports.ts'
import { freshJob, jobState, withWorkKeys } from './job-state.ts'
import { monthKey, timeKey } from './keys.ts'
import { newestFirst, noteMonth } from './months.ts'

/** pk `T#<id>`, sk `META`; gsi1 by month and creation. `input` is what its job reads. */
export const taskRow = jobState.extend({
  id: z.string(),
  kind: task.shape.kind,
  title: z.string().optional(),
  input: z.unknown(),
  /** Set by a cancel: the job stops at its next step. */
  cancelled: z.boolean().optional(),
  /** Of a result that can be downloaded: by variant. */
  files: z.record(z.string(), z.object({ key: z.string(), sizeBytes: z.number() })).optional(),
})
export type TaskRow = z.infer<typeof taskRow>

export const taskKey = (id: string) => ({ pk: `T#${id}`, sk: 'META' })

export function newTaskRow(
  options: { id: string; kind: Task['kind']; title?: string; input: unknown },
  nowMs: number,
): TaskRow & Row {
  return withWorkKeys({
    ...taskKey(options.id),
    version: 0,
    gsi1pk: `T#${monthKey(nowMs)}`,
    gsi1sk: `${timeKey(nowMs)}#${options.id}`,
    ...freshJob(nowMs),
    ...options,
  })
}

export async function getTask(catalogue: Catalogue, id: string): Promise<TaskRow | undefined> {
  const { pk, sk } = taskKey(id)
  const row = await catalogue.get(pk, sk)
  return row && taskRow.parse(row)
}

/** What the API answers: the row without the catalogue's and the lease's fields. */
export function toTask(row: TaskRow): Task {
  return task.parse(row)
}

/** Writes a new task, with rows that must not be there without it; `Aborted` when its id is taken. */
export async function addTask(
  catalogue: Catalogue,
  row: TaskRow & Row,
  beside: readonly Row[] = [],
): Promise<void> {
  await noteMonth(catalogue, 'T#', row.createdAt)
  if (beside.length === 0) await catalogue.put(row, 'absent')
  else await catalogue.putAll([row, ...beside].map((each) => ({ row: each, condition: 'absent' })))
}

/** Newest first; `cursor` is opaque. */
export async function listTasks(
  catalogue: Catalogue,
  options: { cursor?: string; limit?: number },
): Promise<{ tasks: TaskRow[]; cursor?: string }> {
  const { rows, cursor } = await newestFirst(catalogue, 'T#', options)
  return { tasks: rows.map((row) => taskRow.parse(row)), ...(cursor !== undefined && { cursor }) }
}
