import { mediaUrlS } from '../../shared/cloud-limits.ts'
import { type BeatsyncVariant, beatsyncVariants } from '../../shared/contract/beatsync-api.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { beatsyncInput } from '../jobs/beatsync/beatsync.ts'
import { kind as beatsyncKind } from '../jobs/beatsync/run-beatsync.ts'
import { redriveTask } from '../jobs/redrive.ts'
import { cancelledRow } from '../jobs/run-job.ts'
import { changeRow } from '../rows/change-row.ts'
import { getTask, type TaskRow, taskKey, taskRow, toTask } from '../rows/task.ts'
import { leaveLine } from '../rows/task-line.ts'
import { standInLine } from './beatsync-submit.ts'
import type { ApiPorts } from './route.ts'

export async function findTask({ catalogue }: ApiPorts, id: string): Promise<TaskRow> {
  const task = await getTask(catalogue, id)
  if (task) return task
  throw new AppError('NotFound', `There is no task ${id}.`, { zh: `没有任务 ${id}。` })
}

/** A failed task gets its attempts back and is sent for again. */
export async function retryTask(ports: ApiPorts, id: string): Promise<Task> {
  const task = await findTask(ports, id)
  const isTheirs = task.kind === 'export' || task.kind === 'beatsync'
  if (task.status !== 'FAILED' || !isTheirs) {
    throw new AppError('FailedPrecondition', `The task ${id} has not failed.`, {
      zh: `任务 ${id} 并未失败。`,
    })
  }
  if (task.kind === 'beatsync') await standInLine(ports, id)
  await redriveTask(ports, task.kind === 'beatsync' ? 'beatsync' : 'export', id)
  return toTask(await findTask(ports, id))
}

/** The job stops at its next step; one that has not begun ends at once. */
export async function cancelTask(ports: ApiPorts, id: string): Promise<Task> {
  const task = await findTask(ports, id)
  const row = await changeRow(ports.catalogue, taskKey(id), (before) => {
    if (before?.status === 'SUCCESS' || before?.status === 'FAILED') {
      throw new AppError('FailedPrecondition', `The task ${id} is over.`, { zh: `任务 ${id} 已结束。` })
    }
    if (before?.status === 'PENDING') return cancelledRow(before, ports.clock.nowMs())
    return before && { ...before, cancelled: true }
  })
  if (row?.status === 'FAILED' && task.kind === 'beatsync') await leaveLine(ports.catalogue, beatsyncKind, id)
  return toTask(taskRow.parse(row))
}

/** A fresh address of what the task made; without a variant the first. */
export async function taskFile(ports: ApiPorts, id: string, wanted?: BeatsyncVariant): Promise<string> {
  const task = await findTask(ports, id)
  const variant = wanted ?? beatsyncVariants.find((each) => task.files?.[each])
  const file = variant && task.files?.[variant]
  if (!file) {
    throw new AppError(
      'NotFound',
      `The task ${id} has no such file${task.status === 'SUCCESS' ? '' : ' yet'}.`,
      {
        zh: `任务 ${id} 没有该文件。`,
      },
    )
  }
  if (!(await ports.store.head(file.key, { sizeOnly: true }))) {
    throw new AppError('NotFound', 'The result is gone: it is kept for 24 hours. Submit the files again.', {
      zh: '结果已删除（保留 24 小时），请重新提交。',
    })
  }
  const filename = `${nameOf(task)}-${variant}.mp4`
  return await ports.store.presignGet({
    key: file.key,
    expiresS: mediaUrlS,
    filename,
    contentType: 'video/mp4',
  })
}

/** Of the dance video, without its extension. */
function nameOf(task: TaskRow): string {
  const { data } = beatsyncInput.safeParse(task.input)
  return data?.dance.name.replace(/\.[^.]*$/, '') ?? task.id
}
