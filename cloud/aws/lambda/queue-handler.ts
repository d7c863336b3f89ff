import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { AppError } from '../../../shared/error.ts'
import { handlers } from '../../jobs/handlers.ts'
import type { JobPorts } from '../../jobs/job-ports.ts'
import { toJobError } from '../../jobs/reason.ts'
import { retryDelayS } from '../../jobs/retry-delay.ts'
import type { QueueName } from '../../ports.ts'
import { remainingTime } from './remaining-time.ts'
import { telemetryOf } from './telemetry.ts'

/**
 * Turns the job of a queue into a Lambda. A message whose work is done is deleted by Lambda; one that failed
 * comes back after a growing delay; one that can only fail again is moved to the dead letters here. The
 * messages of a batch do not share their fate.
 */
export function queueHandler(queue: QueueName, ports: JobPorts) {
  const telemetry = telemetryOf(queue)
  const work = async (record: SQSRecord, context: Context) => {
    const { body, messageId, receiptHandle, attributes } = record
    const startedMs = ports.clock.monotonicMs()
    using time = remainingTime(context)
    try {
      const job = handlers[queue]
      if (!job) throw new AppError('Unimplemented', `This version has no job for the queue ${queue}.`)
      await job(body, ports, time.signal)
      telemetry.done(startedMs, ports.clock.monotonicMs())
    } catch (cause) {
      const error = toJobError(time.signal.aborted ? time.signal.reason : cause)
      const receiveCount = Number(attributes.ApproximateReceiveCount)
      telemetry.failed(error, error.terminal, { messageId, receiveCount })
      if (error.terminal) return await ports.queue.bury(queue, receiptHandle, body)
      await ports.queue.extend(queue, receiptHandle, retryDelayS(error, receiveCount))
      throw error
    }
  }
  return async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    telemetry.logger.addContext(context)
    const processor = new BatchProcessor(EventType.SQS)
    const options = { context, processInParallel: false, throwOnFullBatchFailure: false }
    const response = await processPartialResponse(
      event,
      (record: SQSRecord) => work(record, context),
      processor,
      options,
    )
    telemetry.flush()
    return response
  }
}
