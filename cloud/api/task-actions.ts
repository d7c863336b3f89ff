import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { redriveExport } from '../jobs/redrive.ts'
import { changeRow } from '../rows/change-row.ts'
import { getTask, type TaskRow, taskKey, taskRow, toTask } from '../rows/task.ts'
import type { ApiPorts } from './route.ts'

export async function findTask({ catalogue }: ApiPorts, id: string): Promise<TaskRow> {
  const task = await getTask(catalogue, id)
  if (task) return task
  throw new AppError('NotFound', `There is no task ${id}.`, { zh: `没有任务 ${id}。` })
}

/** A failed task gets its attempts back and is sent for again. */
export async function retryTask(ports: ApiPorts, id: string): Promise<Task> {
  const task = await findTask(ports, id)
  if (task.status !== 'FAILED' || task.kind !== 'export') {
    throw new AppError('FailedPrecondition', `The task ${id} has not failed.`, {
      zh: `任务 ${id} 并未失败。`,
    })
  }
  await redriveExport(ports, id)
  return toTask(await findTask(ports, id))
}

/** The job stops at its next step; one that has not begun ends when its turn comes. */
export async function cancelTask(ports: ApiPorts, id: string): Promise<Task> {
  await findTask(ports, id)
  const row = await changeRow(ports.catalogue, taskKey(id), (before) => {
    if (before?.status === 'SUCCESS' || before?.status === 'FAILED') {
      throw new AppError('FailedPrecondition', `The task ${id} is over.`, { zh: `任务 ${id} 已结束。` })
    }
    return before && { ...before, cancelled: true }
  })
  return toTask(taskRow.parse(row))
}
