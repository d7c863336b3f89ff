/** The gRPC canonical codes in use here: one vocabulary for the agent, the jobs, HTTP and gRPC. */
export type ErrorKind =
  | 'InvalidArgument'
  | 'NotFound'
  | 'AlreadyExists'
  | 'FailedPrecondition'
  | 'PermissionDenied'
  | 'Unauthenticated'
  | 'Aborted'
  | 'ResourceExhausted'
  | 'Unimplemented'
  | 'Unavailable'
  | 'DeadlineExceeded'
  | 'Cancelled'
  | 'DataLoss'
  | 'Internal'

// Trying these again gives the same answer. Anything else is retried: losing a recording to an
// error that nobody had foreseen is worse than a wasted attempt.
const terminalKinds: ReadonlySet<ErrorKind> = new Set([
  'InvalidArgument',
  'NotFound',
  'AlreadyExists',
  'FailedPrecondition',
  'PermissionDenied',
  'Unimplemented',
  'DataLoss',
])

const statusByKind: Record<ErrorKind, number> = {
  InvalidArgument: 400,
  Unauthenticated: 401,
  PermissionDenied: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Aborted: 409,
  FailedPrecondition: 412,
  ResourceExhausted: 429,
  Cancelled: 499,
  Internal: 500,
  DataLoss: 500,
  Unimplemented: 501,
  Unavailable: 503,
  DeadlineExceeded: 504,
}

const grpcCodeByKind: Record<ErrorKind, number> = {
  Cancelled: 1,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
}

/** `message` is one English sentence for a person; `messageZh` the same in Chinese where a person may see it. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly kind: ErrorKind
  readonly messageZh: string | undefined

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions & { zh?: string }) {
    super(message, options)
    this.kind = kind
    this.messageZh = options?.zh
  }

  static from(cause: unknown): AppError {
    if (cause instanceof AppError) return cause
    return new AppError('Internal', cause instanceof Error ? cause.message : 'unexpected failure', { cause })
  }

  get terminal(): boolean {
    return terminalKinds.has(this.kind)
  }

  get httpStatus(): number {
    return statusByKind[this.kind]
  }

  get grpcCode(): number {
    return grpcCodeByKind[this.kind]
  }
}

/** The reverse of `httpStatus`, for clients of our own APIs. */
export function kindOfStatus(status: number): ErrorKind {
  for (const [kind, s] of Object.entries(statusByKind)) if (s === status) return kind as ErrorKind
  return status < 500 ? 'InvalidArgument' : 'Unavailable'
}
