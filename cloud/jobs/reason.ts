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

  constructor(kind: ErrorKind, reason: TaskReason, message: string, options?: ErrorOptions) {
    super(kind, message, options)
    this.reason = reason
  }
}

export function reasonOf(error: AppError): TaskReason {
  return error instanceof JobError ? error.reason : (reasonByKind[error.kind] ?? 'PROCESSING_FAILED')
}
