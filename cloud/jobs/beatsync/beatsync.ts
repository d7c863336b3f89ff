import { join } from 'node:path'
import { z } from 'zod'
import { beatsyncKeepMs } from '../../../shared/cloud-limits.ts'
import { type BeatsyncResult, beatsyncVariants } from '../../../shared/contract/beatsync-api.ts'
import type { Task } from '../../../shared/contract/task.ts'
import { AppError } from '../../../shared/error.ts'
import { makeTempDir } from '../../../shared/node/temp-dir.ts'
import type { Row } from '../../ports.ts'
import { addCached, type Cached, cacheHash, findCached, ownComputation, ownerOf } from '../../rows/cache.ts'
import { getTask, type TaskRow } from '../../rows/task.ts'
import type { JobPorts } from '../job-ports.ts'
import type { JobRun } from '../run-job.ts'
import { compute, type Outcome, storeResult } from './compute.ts'
import { checkDisk, fetchInput, type Input } from './inputs.ts'
import { type TaskLimits, withinTime } from './limits.ts'
import { tellSteadily } from './tell.ts'

const input = z.object({
  upload: z.string(),
  key: z.string(),
  name: z.string(),
  sizeBytes: z.number(),
  sha256: z.string().optional(),
})

/** What a task of this kind carries as its input. */
export const beatsyncInput = z.object({
  dance: input,
  bgm: input,
  variants: z.array(z.enum(beatsyncVariants)),
  exact: z.boolean(),
  subject: z.string(),
  priority: z.enum(['high', 'normal', 'low']),
})
export type BeatsyncInput = z.infer<typeof beatsyncInput>

/** Raise it with every change that makes another file or number of the same input: older results are then not used. */
const codeVersion = 1

/** Undefined while the contents are not known. */
export function hashOf(task: BeatsyncInput): string | undefined {
  const { dance, bgm, variants, exact } = task
  if (dance.sha256 === undefined || bgm.sha256 === undefined) return undefined
  return cacheHash(['beatsync', codeVersion, dance.sha256, bgm.sha256, [...variants].sort(), exact])
}

/** Another task is at the same computation: its result will do. */
export class SameComputation extends AppError {
  constructor() {
    super('Cancelled', 'The same files are being worked on; waiting for that result.', {
      zh: '相同的文件正在处理，等待其结果。',
    })
  }
}

/** The attributes with which the task becomes SUCCESS: of the cache, or of work done here. */
export async function beatsync(
  task: TaskRow,
  ports: JobPorts,
  run: JobRun,
  limits: TaskLimits,
): Promise<Partial<Row>> {
  const given = beatsyncInput.parse(task.input)
  const work = async (signal: AbortSignal) => {
    using progress = tellSteadily(run)
    await using directory = await makeTempDir('beatsync')
    progress.tell(1, 'Fetching the files', '正在获取文件')
    await checkDisk(directory.path, [given.dance, given.bgm], {
      results: given.variants.length,
      spareBytes: limits.spareBytes,
    })
    const fetch = (of: Input, name: string) => fetchInput(ports.store, of, join(directory.path, name), signal)
    const dance = { ...given.dance, sha256: await fetch(given.dance, 'dance') }
    const bgm = { ...given.bgm, sha256: await fetch(given.bgm, 'bgm') }
    const hash = hashOf({ ...given, dance, bgm }) ?? ''
    const cached = await findCached(ports, hash, ports.clock.nowMs())
    if (cached) return toAttributes(task.id, cached, true)
    await becomeOwner(ports, hash, task.id)
    const { outcome, made } = await compute({
      ...given,
      directory: directory.path,
      tell: progress.tell,
      signal: AbortSignal.any([signal, progress.signal]),
    })
    progress.tell(96, 'Storing the results', '正在保存结果')
    const files: Cached['files'] = {}
    for (const one of made) {
      signal.throwIfAborted()
      files[one.variant] = await storeResult(ports.store, `results/beatsync/${hash}/${one.variant}.mp4`, one)
    }
    const done = { files, outcome, doneAt: ports.clock.nowMs() }
    await addCached(ports.catalogue, hash, { ...done, owner: task.id })
    return toAttributes(task.id, done, false)
  }
  return await withinTime(run.signal, work, limits)
}

async function becomeOwner({ catalogue, clock }: JobPorts, hash: string, task: string): Promise<void> {
  const owner = await ownerOf(catalogue, hash)
  const other = owner === undefined || owner === task ? undefined : await getTask(catalogue, owner)
  if (other && isAtWork(other, clock.nowMs())) throw new SameComputation()
  try {
    await ownComputation(catalogue, hash, task, clock.nowMs())
  } catch (cause) {
    throw AppError.from(cause).kind === 'Aborted' ? new SameComputation() : cause
  }
}

/** It holds a lease that is not over. */
export function isAtWork(task: TaskRow, nowMs: number): boolean {
  return task.status === 'PROCESSING' && task.leaseUntil > nowMs
}

/** What the task's row says of a result; `files` is not part of the answer. */
export function toAttributes(id: string, { files, outcome, doneAt }: Cached, cached: boolean): Partial<Row> {
  const variants: BeatsyncResult['variants'] = {}
  for (const variant of beatsyncVariants) {
    const [of, file] = [(outcome as Outcome)[variant], files[variant]]
    if (!of || !file) continue
    const { sizeBytes, sha256 } = file
    variants[variant] = { ...of, sizeBytes, sha256, download: `/v1/tasks/${id}/download?variant=${variant}` }
  }
  const result: BeatsyncResult = { variants, cached, expiresAt: doneAt + beatsyncKeepMs }
  return { result, files }
}

/** Whether a failure is the fault of what was given, not of the work: nobody who runs the server need look at it. */
export function isGivensFault(
  task: Pick<Task, 'reason' | 'detail'> & { cancelled?: boolean | undefined },
): boolean {
  if (task.cancelled) return true
  const { reason, detail = '' } = task
  if (reason === 'PROCESSING_FAILED')
    return ['not_same_song', 'unsure', 'silent', 'too_short'].includes(detail)
  return reason === 'FILE_NOT_FOUND' || reason === 'FILE_TOO_LARGE' || reason === 'INVALID_FORMAT'
}
