import { jobProgressEveryMs } from '../../../shared/limits.ts'
import type { JobRun } from '../run-job.ts'
import type { Tell } from './compute.ts'

/**
 * Writes what was told last once a second, also while nothing new is told: a cancel is noticed within a second or two,
 * and then `signal` is aborted.
 */
export function tellSteadily(run: JobRun): Disposable & { tell: Tell; signal: AbortSignal } {
  const stopped = new AbortController()
  let last: Parameters<Tell> = [0, '', '']
  let isWriting = false
  const write = async () => {
    if (isWriting || stopped.signal.aborted) return
    isWriting = true
    await run.progress(...last).catch((cause: unknown) => {
      if (run.signal.aborted) stopped.abort(cause) // Else the catalogue was away for a moment.
    })
    isWriting = false
  }
  const timer = setInterval(() => void write(), jobProgressEveryMs)
  return {
    signal: stopped.signal,
    tell: (...words) => {
      last = words
      void write()
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
