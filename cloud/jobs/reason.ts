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

  constructor(
    kind: ErrorKind,
    reason: TaskReason,
    message: string,
    options?: ErrorOptions & { zh?: string },
  ) {
    super(kind, message, options)
    this.reason = reason
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
