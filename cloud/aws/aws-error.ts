import { AppError, type ErrorKind } from '../../shared/error.ts'

// Names of the services' errors (S3, DynamoDB, SQS API references) that mean more than their HTTP status.
const kindByName: Record<string, ErrorKind> = {
  AbortError: 'Cancelled',
  NoSuchKey: 'NotFound',
  NotFound: 'NotFound',
  NoSuchUpload: 'Aborted', // Taken back on the way: the next try begins another.
  // What the stack made is gone or closed to us: trying again changes nothing, a person has to look.
  NoSuchBucket: 'FailedPrecondition',
  ResourceNotFoundException: 'FailedPrecondition',
  QueueDoesNotExist: 'FailedPrecondition',
  'KMS.DisabledException': 'FailedPrecondition',
  'KMS.NotFoundException': 'FailedPrecondition',
  // S3's own 400s that are no fault of what was sent.
  RequestTimeout: 'Unavailable',
  ExpiredToken: 'Unauthenticated',
  ExpiredTokenException: 'Unauthenticated',
  RequestTimeTooSkewed: 'Unavailable',
  PreconditionFailed: 'AlreadyExists',
  ConditionalRequestConflict: 'Aborted',
  OperationAborted: 'Aborted',
  ConditionalCheckFailedException: 'Aborted',
  TransactionConflictException: 'Aborted',
  TransactionInProgressException: 'Aborted',
  ReceiptHandleIsInvalid: 'NotFound',
  MessageNotInflight: 'NotFound',
  BadDigest: 'InvalidArgument',
  IncompleteBody: 'InvalidArgument',
  InvalidDigest: 'InvalidArgument',
  InvalidRange: 'InvalidArgument',
  ValidationException: 'InvalidArgument',
  SlowDown: 'Unavailable',
  ProvisionedThroughputExceededException: 'Unavailable',
  RequestLimitExceeded: 'Unavailable',
  ThrottlingException: 'Unavailable',
  ThrottledException: 'Unavailable',
  RequestThrottled: 'Unavailable',
}

const kindByStatus: Record<number, ErrorKind> = {
  403: 'PermissionDenied',
  404: 'NotFound',
  409: 'Aborted',
  412: 'AlreadyExists',
  416: 'InvalidArgument',
  429: 'Unavailable',
}

export const nameOf = (cause: unknown): string => (cause instanceof Error ? cause.name : '')

/** How often the SDK sent it. A second time may fail because the first, whose answer was lost, had come through. */
export function attemptsOf(cause: unknown): number {
  return metadataOf(cause).attempts ?? 1
}

/** What a failed call of a service means. `what` begins the sentence: "The object store", "The catalogue". */
export function awsError(cause: unknown, what: string): AppError {
  if (cause instanceof AppError) return cause
  const kind = kindOf(cause)
  const detail = cause instanceof Error && cause.message !== '' ? cause.message : nameOf(cause)
  return new AppError(kind, `${what}: ${detail}`, { cause })
}

function kindOf(cause: unknown): ErrorKind {
  const byName = kindByName[nameOf(cause).replace('AWS.SimpleQueueService.', '')]
  if (byName) return byName
  const status = metadataOf(cause).httpStatusCode
  if (status === undefined) return isNetwork(cause) ? 'Unavailable' : 'Internal'
  return status >= 500 ? 'Unavailable' : (kindByStatus[status] ?? 'Internal')
}

type Metadata = { httpStatusCode?: number; attempts?: number }

function metadataOf(cause: unknown): Metadata {
  if (!(cause instanceof Error) || !('$metadata' in cause)) return {}
  return cause.$metadata as Metadata
}

/** Node's own errors carry a code (ECONNRESET, ENOTFOUND …); the SDK's time limits have a name. */
function isNetwork(cause: unknown): boolean {
  return nameOf(cause) === 'TimeoutError' || (cause instanceof Error && 'code' in cause)
}
