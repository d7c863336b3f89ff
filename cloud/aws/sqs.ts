import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { awsListPollS, awsListVisibilityS } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import { deadLettersListMax, messageDelaySMax, queueBodyBytesMax } from '../../shared/limits.ts'
import type { Queue, QueueName, Received } from '../ports.ts'
import { awsError } from './aws-error.ts'
import type { Environment } from './environment.ts'

const receiveMax = 10 // SQS's own limit.

/** SQS. `receive` is for tools and tests: in the cloud Lambda polls. */
export class SqsQueue implements Queue {
  readonly #client: SQSClient
  readonly #urls: Environment['queues']

  constructor(client: SQSClient, urls: Environment['queues']) {
    this.#client = client
    this.#urls = urls
  }

  async send(queue: QueueName, body: string, options: { delayS?: number } = {}): Promise<void> {
    const delayS = options.delayS ?? 0
    if (Buffer.byteLength(body) > queueBodyBytesMax || delayS > messageDelaySMax || body === '') {
      throw new AppError(
        'InvalidArgument',
        'The queue refuses the message: it is empty, too long or too late.',
      )
    }
    await this.#send(this.#urls[queue].url, body, delayS)
  }

  async receive(queue: QueueName, options: { max: number; visibilityS: number }): Promise<Received[]> {
    const found = await this.#receive(this.#urls[queue].url, { ...options, waitS: 0 })
    return found.map(({ MessageId, ReceiptHandle, Body, Attributes }) => ({
      id: MessageId ?? '',
      receipt: ReceiptHandle ?? '',
      body: Body ?? '',
      receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
    }))
  }

  async extend(queue: QueueName, receipt: string, visibilityS: number): Promise<void> {
    await this.#setVisibility(this.#urls[queue].url, receipt, visibilityS)
  }

  async remove(queue: QueueName, receipt: string): Promise<void> {
    await this.#remove(this.#urls[queue].url, receipt)
  }

  /** First into the dead letters, then out of the queue: killed in between, it is in both, never in neither. */
  async bury(queue: QueueName, receipt: string, body: string): Promise<void> {
    await this.#send(this.#urls[queue].deadUrl, body, 0)
    await this.#remove(this.#urls[queue].url, receipt)
  }

  /**
   * SQS has no list: the messages are received and put back at once. Who lists at the same moment sees only
   * some of them. One page, at most `deadLettersListMax`.
   */
  async deadLetters(queue: QueueName) {
    const messages: { id: string; body: string }[] = []
    await this.#lookThrough(queue, ({ MessageId, Body }) => {
      messages.push({ id: MessageId ?? '', body: Body ?? '' })
      return messages.length === deadLettersListMax
    })
    return { messages }
  }

  async redrive(queue: QueueName, id: string): Promise<void> {
    const found = await this.#lookThrough(queue, ({ MessageId }) => MessageId === id)
    if (!found)
      throw new AppError('NotFound', `There is no dead letter ${id} in the queue ${queue}.`, {
        zh: `队列 ${queue} 中没有死信 ${id}。`,
      })
    await this.#send(this.#urls[queue].url, found.Body ?? '', 0)
    await this.#remove(this.#urls[queue].deadUrl, found.ReceiptHandle ?? '')
  }

  async depth(queue: QueueName): Promise<{ waiting: number; inFlight: number; dead: number }> {
    const [live, dead] = await Promise.all(
      [this.#urls[queue].url, this.#urls[queue].deadUrl].map((url) => this.#counts(url)),
    )
    return {
      waiting: live?.waiting ?? 0,
      inFlight: live?.inFlight ?? 0,
      dead: (dead?.waiting ?? 0) + (dead?.inFlight ?? 0),
    }
  }

  /** Shows dead letters to `isLast` until it says yes, and returns that one, still out of sight of others. */
  async #lookThrough(queue: QueueName, isLast: (message: Message) => boolean): Promise<Message | undefined> {
    const url = this.#urls[queue].deadUrl
    const seen: Message[] = []
    let last: Message | undefined
    try {
      while (!last && seen.length < deadLettersListMax) {
        const page = await this.#receive(url, {
          max: receiveMax,
          visibilityS: awsListVisibilityS,
          waitS: awsListPollS,
        })
        if (page.length === 0) break
        for (const message of page) {
          if (!last && isLast(message)) last = message
          seen.push(message)
        }
      }
      return last
    } finally {
      const others = seen.filter((message) => message !== last)
      await Promise.allSettled(
        others.map((message) => this.#setVisibility(url, message.ReceiptHandle ?? '', 0)),
      )
    }
  }

  async #send(url: string, body: string, delayS: number): Promise<void> {
    const command = new SendMessageCommand({ QueueUrl: url, MessageBody: body, DelaySeconds: delayS })
    await this.#client.send(command).catch(rethrow)
  }

  async #receive(
    url: string,
    options: { max: number; visibilityS: number; waitS: number },
  ): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: Math.min(options.max, receiveMax),
      VisibilityTimeout: options.visibilityS,
      WaitTimeSeconds: options.waitS,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    })
    return (await this.#client.send(command).catch(rethrow)).Messages ?? []
  }

  async #remove(url: string, receipt: string): Promise<void> {
    const command = new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: receipt })
    await this.#client.send(command).catch(unlessGone)
  }

  async #setVisibility(url: string, receipt: string, visibilityS: number): Promise<void> {
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl: url,
      ReceiptHandle: receipt,
      VisibilityTimeout: visibilityS,
    })
    await this.#client.send(command).catch(unlessGone)
  }

  async #counts(url: string): Promise<{ waiting: number; inFlight: number }> {
    const command = new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesDelayed',
        'ApproximateNumberOfMessagesNotVisible',
      ],
    })
    const { Attributes: counts } = await this.#client.send(command).catch(rethrow)
    return {
      waiting:
        Number(counts?.ApproximateNumberOfMessages ?? 0) +
        Number(counts?.ApproximateNumberOfMessagesDelayed ?? 0),
      inFlight: Number(counts?.ApproximateNumberOfMessagesNotVisible ?? 0),
    }
  }
}

function rethrow(cause: unknown): never {
  throw awsError(cause, 'The queue')
}

/** A receipt whose time is over: somebody else has the message, or has done with it. */
function unlessGone(cause: unknown): void {
  const error = awsError(cause, 'The queue')
  if (error.kind !== 'NotFound') throw error
}
