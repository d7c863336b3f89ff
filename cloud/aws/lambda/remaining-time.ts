import { lambdaShutdownMs } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'

/** Aborted a little before Lambda ends the process: time for FFmpeg to die and for the row to be given back. */
export function remainingTime(context: {
  getRemainingTimeInMillis(): number
}): Disposable & { signal: AbortSignal } {
  const late = new AbortController()
  const words = 'The job took longer than the limit of its function.'
  const end = () => late.abort(new AppError('DeadlineExceeded', words, { zh: '任务处理超时。' }))
  const timer = setTimeout(end, Math.max(0, context.getRemainingTimeInMillis() - lambdaShutdownMs))
  timer.unref()
  return { signal: late.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}
