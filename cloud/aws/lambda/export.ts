import { openAwsCloud } from '../aws-cloud.ts'
import { queueHandler } from './queue-handler.ts'

/** Messages of the queue `export`, in batches (SQS event source with ReportBatchItemFailures). */
export const handler = queueHandler('export', openAwsCloud())
