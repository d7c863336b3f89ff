import { z } from 'zod'
import { taskReasons, taskStatuses } from '../../shared/contract/task.ts'
import type { Row } from '../ports.ts'
import { clampWallMs, work, workKey } from './keys.ts'

/** What every row that a job works on carries: a task's row, a segment's (its mux), a thumbnail's. */
export const jobState = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  status: z.enum(taskStatuses),
  /** 0 to 100; never falls within one attempt. */
  progress: z.number(),
  message: z.string(),
  messageZh: z.string().optional(),
  reason: z.enum(taskReasons).optional(),
  detail: z.string().optional(),
  attempts: z.number().int(),
  /** Grows with every claim. A run whose number is not the row's has lost its lease and may not write. */
  fence: z.number().int(),
  /** Wall ms until which the run that claimed the row owns it; 0 when nobody does. */
  leaseUntil: z.number(),
  createdAt: z.number(),
  updatedAt: z.number(),
  result: z.unknown().optional(),
})
export type JobState = z.infer<typeof jobState>

/** The fields of a job that has not run yet. */
export function freshJob(nowMs: number) {
  return {
    status: 'PENDING' as const,
    progress: 0,
    message: '',
    attempts: 0,
    fence: 0,
    leaseUntil: 0,
    createdAt: nowMs,
    updatedAt: nowMs,
  }
}

/** Puts the row into the partition of unfinished or failed work, or takes it out when it is done. */
export function withWorkKeys<R extends Row & { status?: unknown; createdAt?: unknown }>(row: R): R {
  const { gsi2pk: _pk, gsi2sk: _sk, ...rest } = row
  if (row.status === 'SUCCESS') return rest as R
  const createdAt = typeof row.createdAt === 'number' ? row.createdAt : 0
  const partition = row.status === 'FAILED' ? work.failed : work.open
  return { ...(rest as R), gsi2pk: partition, gsi2sk: workKey(clampWallMs(createdAt), row.pk, row.sk) }
}
