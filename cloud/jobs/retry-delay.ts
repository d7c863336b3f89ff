import type { AppError } from '../../shared/error.ts'
import { workerBackoffSMax } from '../../shared/limits.ts'
import { reasonOf } from './reason.ts'

/** Seconds until a message whose job failed comes again: 1, 2, 4 …; what is full is not emptied within seconds. */
export function retryDelayS(error: AppError, receiveCount: number): number {
  if (reasonOf(error) === 'RESOURCE_LIMIT') return workerBackoffSMax
  return Math.min(workerBackoffSMax, 2 ** Math.min(receiveCount - 1, 10))
}
