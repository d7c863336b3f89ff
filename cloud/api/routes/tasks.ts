import { z } from 'zod'
import { listScanMax } from '../../../shared/cloud-limits.ts'
import { exportRequest, taskBody, tasksPage, tasksQuery } from '../../../shared/contract/api.ts'
import { taskRequest, variantQuery } from '../../../shared/contract/beatsync-api.ts'
import type { Task } from '../../../shared/contract/task.ts'
import { listTasks, toTask } from '../../rows/task.ts'
import { submitBeatsync } from '../beatsync-submit.ts'
import { mayOperate, mayRead } from '../caller.ts'
import { exportRange } from '../export-range.ts'
import { type ApiPorts, type Route, rawRoute, redirect, route } from '../route.ts'
import { cancelTask, findTask, retryTask, taskFile } from '../task-actions.ts'

/** `export-<recording>-v<version>` and the like: longer than a name. */
const taskPath = z.object({ id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/) })

export function taskRoutes(ports: ApiPorts): Route[] {
  return [...questions(ports), ...orders(ports)]
}

function questions(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tasks',
      summary: 'Tasks, newest first',
      access: mayRead,
      query: tasksQuery,
      answer: tasksPage,
      handle: ({ query }) => listMatching(ports, query),
    }),
    route({
      method: 'GET',
      path: '/v1/tasks/{id}',
      summary: 'One task: its state, progress and result',
      access: mayRead,
      params: taskPath,
      answer: taskBody,
      handle: async ({ params }) => toTask(await findTask(ports, params.id)),
    }),
    rawRoute({
      method: 'GET',
      path: '/v1/tasks/{id}/download',
      summary: 'Redirects to a file that a task has made, for five minutes',
      access: mayRead,
      params: taskPath,
      query: variantQuery,
      status: 302,
      handle: async ({ params, query }) => redirect(await taskFile(ports, params.id, query.variant)),
    }),
  ]
}

function orders(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/tasks',
      summary: 'Puts a piece of music under a dance video where it belongs; answers the task',
      access: mayOperate,
      body: taskRequest,
      answer: taskBody,
      status: 202,
      handle: ({ body, caller }) => submitBeatsync(ports, body, caller),
    }),
    route({
      method: 'POST',
      path: '/v1/tasks/{id}/retry',
      summary: 'Tries a failed task again, with all its attempts',
      access: mayOperate,
      params: taskPath,
      answer: taskBody,
      handle: ({ params }) => retryTask(ports, params.id),
    }),
    route({
      method: 'POST',
      path: '/v1/tasks/{id}/cancel',
      summary: 'Stops a task at its next step',
      access: mayOperate,
      params: taskPath,
      answer: taskBody,
      handle: ({ params }) => cancelTask(ports, params.id),
    }),
    route({
      method: 'POST',
      path: '/v1/exports',
      summary: 'Makes MP4s of a range that no recording claims; answers the task',
      access: mayOperate,
      body: exportRequest,
      answer: taskBody,
      status: 202,
      handle: ({ body, caller }) => exportRange(ports, body, caller),
    }),
  ]
}

type TasksPage = { tasks: Task[]; cursor?: string }

function isWanted(
  { kind, status }: Pick<Task, 'kind' | 'status'>,
  wanted: z.output<typeof tasksQuery>,
): boolean {
  return (wanted.status ?? status) === status && (wanted.kind ?? kind) === kind
}

/** A page may hold fewer than asked and still go on: it looks at a bounded number of rows. */
async function listMatching({ catalogue }: ApiPorts, query: z.output<typeof tasksQuery>): Promise<TasksPage> {
  const limit = query.limit ?? 50
  const tasks: Task[] = []
  let { cursor } = query
  for (let scanned = 0; scanned < listScanMax && tasks.length < limit; ) {
    const wanted = limit - tasks.length
    const page = await listTasks(catalogue, { limit: wanted, ...(cursor !== undefined && { cursor }) })
    scanned += wanted
    tasks.push(...page.tasks.filter((row) => isWanted(row, query)).map(toTask))
    cursor = page.cursor
    if (cursor === undefined) return { tasks }
  }
  return { tasks, ...(cursor !== undefined && { cursor }) }
}
