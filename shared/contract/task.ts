import { z } from 'zod'

export const taskStatuses = ['PENDING', 'PROCESSING', 'SUCCESS', 'FAILED'] as const
export type TaskStatus = (typeof taskStatuses)[number]

export const taskReasons = [
  'FILE_NOT_FOUND',
  'FILE_TOO_LARGE',
  'INVALID_FORMAT',
  'PROCESSING_FAILED',
  'RESOURCE_LIMIT',
  'TIMEOUT',
] as const
export type TaskReason = (typeof taskReasons)[number]

export const task = z.object({
  id: z.string(),
  kind: z.enum(['mux', 'thumbnail', 'export', 'beatsync']),
  /** What it works on, as the person called it. */
  title: z.string().optional(),
  status: z.enum(taskStatuses),
  progress: z.number().min(0).max(100),
  message: z.string(),
  messageZh: z.string().optional(),
  reason: z.enum(taskReasons).optional(),
  detail: z.string().optional(),
  attempts: z.number().int().min(0),
  createdAt: z.number(),
  updatedAt: z.number(),
  result: z.unknown().optional(),
})
export type Task = z.infer<typeof task>
