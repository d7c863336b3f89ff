import { Metadata, type StatusObject } from '@grpc/grpc-js'
import { AppError } from '../../../shared/error.ts'

/** Trailer with the message in Chinese, UTF-8. */
export const messageZhKey = 'edgereel-message-zh-bin'

/** The status with which a call fails. What nobody foresaw is told only to the log. */
export function statusOf(cause: unknown): Error & StatusObject {
  const error = cause instanceof AppError ? cause : new AppError('Internal', 'this failed inside the agent')
  const metadata = new Metadata()
  if (error.messageZh !== undefined) metadata.set(messageZhKey, Buffer.from(error.messageZh))
  return Object.assign(new Error(error.message), {
    code: error.grpcCode,
    details: error.message,
    metadata,
  })
}
