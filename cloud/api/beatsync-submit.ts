import { randomBytes } from 'node:crypto'
import { beatsyncOpenMax, beatsyncOpenPerUser } from '../../shared/cloud-limits.ts'
import { beatsyncVariants, type TaskRequest } from '../../shared/contract/beatsync-api.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { type BeatsyncInput, beatsyncInput, hashOf, toAttributes } from '../jobs/beatsync/beatsync.ts'
import type { Input } from '../jobs/beatsync/inputs.ts'
import { kind } from '../jobs/beatsync/run-beatsync.ts'
import { sendBeatsync } from '../jobs/messages.ts'
import { findCached } from '../rows/cache.ts'
import { withWorkKeys } from '../rows/job-state.ts'
import { addTask, getTask, newTaskRow, toTask } from '../rows/task.ts'
import { leaveLine, newLineRow, readLine } from '../rows/task-line.ts'
import type { Caller } from './caller.ts'
import { findUpload } from './own-files.ts'
import type { ApiPorts } from './route.ts'

/** Answers the task: finished at once when the same files were worked on in the last hours, else in line. */
export async function submitBeatsync(ports: ApiPorts, request: TaskRequest, caller: Caller): Promise<Task> {
  const input: BeatsyncInput = {
    dance: await inputOf(ports, request.dance, caller),
    bgm: await inputOf(ports, request.bgm, caller),
    variants: request.variants ?? [...beatsyncVariants],
    exact: request.exact ?? false,
    subject: caller.subject,
    priority: request.priority ?? 'normal',
  }
  const now = ports.clock.nowMs()
  const id = `beatsync-${randomBytes(8).toString('hex')}`
  const row = newTaskRow({ id, kind, title: `${input.dance.name} + ${input.bgm.name}`, input }, now)
  const hash = hashOf(input)
  const cached = hash === undefined ? undefined : await findCached(ports, hash, now)
  if (cached) {
    const done = { ...row, status: 'SUCCESS' as const, progress: 100, ...toAttributes(id, cached, true) }
    await addTask(ports.catalogue, withWorkKeys(done))
    return toTask(done)
  }
  await checkRoom(ports, caller)
  await addTask(ports.catalogue, row, [newLineRow(kind, { ...input, task: id, createdAt: now })])
  await sendBeatsync(ports.queue, id)
  return toTask(row)
}

/** The store's own checksum, where it has one; a file that is not there is the task's failure. */
async function inputOf(ports: ApiPorts, upload: string, caller: Caller): Promise<Input> {
  const { key, name, sizeBytes, sha256: announced } = await findUpload(ports, upload, caller)
  const sha256 = (await ports.store.head(key))?.sha256 ?? announced
  return { upload, key, name, sizeBytes, ...(sha256 !== undefined && { sha256 }) }
}

async function checkRoom({ catalogue }: ApiPorts, { subject }: Caller): Promise<void> {
  let line = await readLine(catalogue, kind)
  const isFull = () => line.length >= beatsyncOpenMax
  const isMineFull = () => line.filter((waiting) => waiting.subject === subject).length >= beatsyncOpenPerUser
  if (!isFull() && !isMineFull()) return
  // A worker that was killed at the end of a task has left it standing in line.
  for (const { task } of line) {
    const status = (await getTask(catalogue, task))?.status
    if (status !== 'PENDING' && status !== 'PROCESSING') await leaveLine(catalogue, kind, task)
  }
  line = await readLine(catalogue, kind)
  if (isMineFull()) {
    throw new AppError(
      'ResourceExhausted',
      `You have ${beatsyncOpenPerUser} unfinished tasks: wait for one, or cancel one.`,
      {
        zh: `您有 ${beatsyncOpenPerUser} 个未完成的任务：请等待或取消其中之一。`,
      },
    )
  }
  if (isFull()) {
    throw new AppError('ResourceExhausted', 'There are too many tasks in line: try again in a few minutes.', {
      zh: '排队任务过多，请几分钟后再试。',
    })
  }
}

/** For a retry: back in line, if it is not. */
export async function standInLine(ports: ApiPorts, id: string): Promise<void> {
  const task = await getTask(ports.catalogue, id)
  const input = beatsyncInput.parse(task?.input)
  const createdAt = task?.createdAt ?? ports.clock.nowMs()
  await ports.catalogue.put(newLineRow(kind, { ...input, task: id, createdAt }), 'any')
}
