import { openAwsCloud } from '../aws-cloud.ts'
import { queueHandler } from './queue-handler.ts'

/** Messages of the queue `thumbnail`, in batches (SQS event source with ReportBatchItemFailures). */
export const handler = queueHandler('thumbnail', openAwsCloud())
