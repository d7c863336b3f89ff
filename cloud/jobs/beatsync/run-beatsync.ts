import { beatsyncPerUser, beatsyncWaitS, requeueAfterMs } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'
import { changeRow } from '../../rows/change-row.ts'
import { getTask, type TaskRow, taskKey } from '../../rows/task.ts'
import { leaveLine, leaveSeat, readLine, takeSeat } from '../../rows/task-line.ts'
import type { JobPorts } from '../job-ports.ts'
import { sendBeatsync } from '../messages.ts'
import { runJob } from '../run-job.ts'
import {
  type BeatsyncInput,
  beatsync,
  beatsyncInput,
  isAtWork,
  isGivensFault,
  SameComputation,
} from './beatsync.ts'
import { type TaskLimits, taskLimits } from './limits.ts'

export const kind = 'beatsync'

/**
 * Does the task of a message, or sends the message again for later: while one of higher priority waits, while the person
 * has enough at work, while the same files are at work for somebody. A task that failed by what it was given ends here;
 * any other failure goes the way of all jobs, to the dead letters at last.
 */
export async function runBeatsync(
  id: string,
  ports: JobPorts,
  signal: AbortSignal,
  limits: TaskLimits = taskLimits,
): Promise<void> {
  const { catalogue, clock } = ports
  const task = await getTask(catalogue, id)
  if (!task) throw new AppError('NotFound', `There is no task ${id}.`)
  if (task.status === 'SUCCESS' || (task.status === 'FAILED' && isGivensFault(task)))
    return await leave(ports, task)
  if (task.status !== 'FAILED' && isAtWork(task, clock.nowMs()))
    throw new AppError('Aborted', 'Another run is at work on this.')
  const given = beatsyncInput.parse(task.input)
  if (await mustWait(task, given, ports)) return await lookLater(task, ports)
  try {
    await runJob(ports, taskKey(id), { signal, work: (run) => beatsync(task, ports, run, limits) })
  } catch (cause) {
    await leaveSeat(catalogue, { kind, subject: given.subject, task: id })
    if (cause instanceof SameComputation) return await sendBeatsync(ports.queue, id, beatsyncWaitS)
    const after = await getTask(catalogue, id)
    if (after?.status === 'FAILED') await leaveLine(catalogue, kind, id)
    if (after?.status === 'FAILED' && isGivensFault(after)) return
    throw cause
  }
  await leave(ports, task)
}

/** Now and then the row says that its message is not lost: else `expire` would send another (send-again.ts). */
async function lookLater(task: TaskRow, { catalogue, clock, queue }: JobPorts): Promise<void> {
  await sendBeatsync(queue, task.id, beatsyncWaitS)
  const isStale = Math.abs(clock.nowMs() - task.updatedAt) > requeueAfterMs / 3
  if (!isStale) return
  await changeRow(catalogue, taskKey(task.id), (row) =>
    row?.status === 'PENDING' ? { ...row, updatedAt: clock.nowMs() } : undefined,
  )
}

async function leave({ catalogue }: JobPorts, task: TaskRow): Promise<void> {
  const { subject } = beatsyncInput.parse(task.input)
  await leaveSeat(catalogue, { kind, subject, task: task.id })
  await leaveLine(catalogue, kind, task.id)
}

async function mustWait(task: TaskRow, { subject }: BeatsyncInput, ports: JobPorts): Promise<boolean> {
  if (task.status === 'FAILED') return false // Its message is on its way to the dead letters.
  const { catalogue, clock } = ports
  const nowMs = clock.nowMs()
  if (await isBehind(task, ports)) return true
  const seat = { kind, subject, task: task.id, max: beatsyncPerUser, nowMs }
  const works = async (id: string) => {
    const other = await getTask(catalogue, id)
    return other !== undefined && isAtWork(other, nowMs)
  }
  return !(await takeSeat(catalogue, seat, works).catch(lostRace))
}

/** Whether one of higher priority waits for nothing but a worker: not one whose person has enough at work. */
async function isBehind(task: TaskRow, { catalogue, clock }: JobPorts): Promise<boolean> {
  const line = await readLine(catalogue, kind)
  const mine = line.find((waiting) => waiting.task === task.id)
  const ahead = mine ? line.filter(({ rank }) => rank < mine.rank) : []
  const atWork = new Map<string, number>()
  const waiting: string[] = []
  for (const { task: id, subject } of ahead) {
    const other = await getTask(catalogue, id)
    if (other && isAtWork(other, clock.nowMs())) atWork.set(subject, (atWork.get(subject) ?? 0) + 1)
    else if (other?.status === 'PENDING' && other.cancelled !== true) waiting.push(subject)
  }
  return waiting.some((subject) => (atWork.get(subject) ?? 0) < beatsyncPerUser)
}

/** Somebody else of the same person took a place in the same moment: look again later. */
function lostRace(cause: unknown): false {
  if (AppError.from(cause).kind === 'Aborted') return false
  throw cause
}
