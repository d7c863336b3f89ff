import { setTimeout as delay } from 'node:timers/promises'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { type Queue, type QueueName, queueNames, type Received } from '../../../cloud/ports.ts'
import { lambdaContext } from './lambda-context.ts'

export type QueueFunction = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
export type QueueFunctions = Record<QueueName, QueueFunction>

const batchMax = 5
const defaultVisibilityS = 90
const pollMs = 50
const timeoutMs = 60_000

/** What Lambda does between a queue and its function: polls, invokes, deletes what did not fail. */
export function pollQueues(queue: Queue, functions: QueueFunctions): AsyncDisposable {
  const stop = new AbortController()
  const polls = queueNames.map(async (name) => {
    while (!stop.signal.aborted) {
      const some = await pollOnce(queue, name, functions[name]).catch((error: unknown) => {
        console.error(name, error)
        return false
      })
      if (!some) await delay(pollMs)
    }
  })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(polls)
    },
  }
}

/** One batch. Returns whether there was one. A function that throws has failed with all of it. */
export async function pollOnce(
  queue: Queue,
  name: QueueName,
  run: QueueFunction,
  visibilityS = defaultVisibilityS,
): Promise<boolean> {
  const messages = await queue.receive(name, { max: batchMax, visibilityS })
  if (messages.length === 0) return false
  const { batchItemFailures } = await run(eventOf(messages), lambdaContext(name, timeoutMs))
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  const done = messages.filter(({ id }) => !failed.has(id))
  await Promise.all(done.map(({ receipt }) => queue.remove(name, receipt)))
  return true
}

export function eventOf(messages: readonly Received[]): SQSEvent {
  return {
    Records: messages.map(({ id, receipt, body, receiveCount }) => ({
      messageId: id,
      receiptHandle: receipt,
      body,
      attributes: {
        ApproximateReceiveCount: String(receiveCount),
        SentTimestamp: '0',
        SenderId: 'test',
        ApproximateFirstReceiveTimestamp: '0',
      },
      messageAttributes: {},
      md5OfBody: '',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:test',
      awsRegion: 'us-east-1',
    })),
  }
}
