import type { TaskReason } from '../../shared/contract/task.ts'
import { AppError, type ErrorKind } from '../../shared/error.ts'

const reasonByKind: Partial<Record<ErrorKind, TaskReason>> = {
  NotFound: 'FILE_NOT_FOUND',
  InvalidArgument: 'INVALID_FORMAT',
  DataLoss: 'INVALID_FORMAT',
  ResourceExhausted: 'RESOURCE_LIMIT',
  DeadlineExceeded: 'TIMEOUT',
}

/** An error that names its reason itself. */
export class JobError extends AppError {
  readonly reason: TaskReason
  /** A word for programs where the reason alone does not tell; else the message is the detail. */
  readonly detail: string | undefined
  /** What was found out before it failed. */
  readonly result: unknown

  constructor(
    kind: ErrorKind,
    reason: TaskReason,
    message: string,
    options?: ErrorOptions & { zh?: string; detail?: string; result?: unknown },
  ) {
    super(kind, message, options)
    this.reason = reason
    this.detail = options?.detail
    this.result = options?.result
  }
}

export function reasonOf(error: AppError): TaskReason {
  return error instanceof JobError ? error.reason : (reasonByKind[error.kind] ?? 'PROCESSING_FAILED')
}

/** Also for what platforms throw when a time limit ends a run (`AbortSignal.timeout`). */
export function toJobError(cause: unknown): AppError {
  const isTimeout = cause instanceof DOMException && cause.name === 'TimeoutError'
  return isTimeout
    ? new AppError('DeadlineExceeded', 'The job took longer than the limit.', { cause })
    : AppError.from(cause)
}
