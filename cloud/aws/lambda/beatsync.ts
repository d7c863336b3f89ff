import { openAwsCloud } from '../aws-cloud.ts'
import { queueHandler } from './queue-handler.ts'

/** Messages of the queue `beatsync`, in batches (SQS event source with ReportBatchItemFailures). */
export const handler = queueHandler('beatsync', openAwsCloud())
