import { AppError } from '../../shared/error.ts'
import { JobError } from '../jobs/reason.ts'

export const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

const fullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export const isDiskFull = (error: unknown): boolean => fullCodes.has(codeOf(error))

/** For whoever asks: 503, try again later. For a job: RESOURCE_LIMIT. */
export function diskFull(cause: unknown): AppError {
  const words = 'The disk of the archive is full: free some space, or move the data directory.'
  return new JobError('Unavailable', 'RESOURCE_LIMIT', words, {
    cause,
    zh: '归档磁盘空间不足：请清理磁盘或迁移数据目录。',
  })
}

// SQLite's own result codes (sqlite.org/rescode.html): the disk is full; it failed; it takes no writes.
const sqlite = { ioError: 10, full: 13, readOnly: 8 }
const primaryMask = 0xff

/** What a failed statement means when it is the disk's fault; anything else as it is. */
export function databaseError(cause: unknown): unknown {
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & primaryMask : 0
  if (code === sqlite.full) return diskFull(cause)
  if (code !== sqlite.ioError && code !== sqlite.readOnly) return cause
  return new AppError('Unavailable', 'The database of the archive cannot be written; look at the disk.', {
    cause,
    zh: '归档数据库无法写入，请检查磁盘。',
  })
}
