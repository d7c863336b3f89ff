import { beatsyncDiskBytes, beatsyncHardMs, beatsyncSoftMs } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'

/** Of one task. `spareBytes`: of the disk, beside what the task will write. */
export type TaskLimits = { softMs: number; hardMs: number; spareBytes: number }

export const taskLimits: TaskLimits = {
  softMs: beatsyncSoftMs,
  hardMs: beatsyncHardMs,
  spareBytes: beatsyncDiskBytes,
}

/**
 * Runs work that is told to stop after the soft limit, and given up at the hard one, whether it obeys or not.
 * Either way: `DeadlineExceeded`.
 */
export async function withinTime<T>(
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  { softMs, hardMs }: Pick<TaskLimits, 'softMs' | 'hardMs'>,
): Promise<T> {
  const late = () =>
    new AppError('DeadlineExceeded', `The work took longer than ${softMs / 1000} s.`, {
      zh: `处理超过 ${softMs / 1000} 秒。`,
    })
  const soft = new AbortController()
  const hard = Promise.withResolvers<never>()
  const timers = [setTimeout(() => soft.abort(late()), softMs), setTimeout(() => hard.reject(late()), hardMs)]
  hard.promise.catch(() => {}) // Nobody listens any more when the work was in time.
  try {
    return await Promise.race([work(AbortSignal.any([outer, soft.signal])), hard.promise])
  } catch (cause) {
    throw soft.signal.aborted && !outer.aborted ? soft.signal.reason : cause
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}
