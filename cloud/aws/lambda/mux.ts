import { openAwsCloud } from '../aws-cloud.ts'
import { queueHandler } from './queue-handler.ts'

/** Messages of the queue `mux`, in batches (SQS event source with ReportBatchItemFailures). */
export const handler = queueHandler('mux', openAwsCloud())
