import { randomUUID } from 'node:crypto'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type HookPost, postByFetch } from '../control/hook-queue.ts'
import type { CommandSink } from './vehicle-command-queue.ts'
import { type AwsCredentials, signedHeaders } from './vehicle-command-sigv4.ts'
import type { VehicleCommand } from './vehicle-command-words.ts'

type SqsOptions = {
  /** Of the queue: https://sqs.<region>.amazonaws.com/<account>/<name>. */
  url: string
  region: string
  /** Read anew for each command, so that short-lived ones may be replaced. FailedPrecondition when there are none. */
  credentials: () => AwsCredentials
  clock: Clock
  post?: HookPost
}

/**
 * The same JSON as a message of an SQS queue (JSON protocol 1.0, SendMessage). In a FIFO queue the commands of one
 * channel keep their order; others may overtake each other, as SQS says of itself.
 */
export function sqsSink({ url, region, credentials, clock, post = postByFetch }: SqsOptions): CommandSink {
  const { host, origin, pathname } = new URL(url)
  const isFifo = pathname.endsWith('.fifo')
  credentials() // Said at the start, not when the first vehicle is wanted.
  const ids = new WeakMap<VehicleCommand, string>() // The same for each attempt: SQS then keeps one of them.
  return {
    display: `sqs ${host} ${pathname.split('/').at(-1)}`,
    send: async (command, signal) => {
      const { channel, json } = command
      const id = ids.get(command) ?? randomUUID()
      ids.set(command, id)
      const order = { MessageGroupId: channel, MessageDeduplicationId: id }
      const body = JSON.stringify({ QueueUrl: url, MessageBody: json, ...(isFifo && order) })
      const headers = signedHeaders({
        ...{ method: 'POST', url: new URL(`${origin}/`), body, service: 'sqs', region },
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' },
        credentials: credentials(),
        nowMs: clock.nowMs(),
      })
      const status = await post(`${origin}/`, { headers, body, signal }).catch((cause: unknown) => {
        throw new AppError('Unavailable', 'SQS cannot be reached', { cause, zh: '无法连接 SQS。' })
      })
      if (status === 200) return
      // The message itself is never wrong: rights, names and clocks are, and people mend them while commands wait.
      throw new AppError('Unavailable', `SQS answered ${status}`, { zh: `SQS 返回 ${status}。` })
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** From the environment only: no key of AWS is kept on this machine (DESIGN.md, promise 5). */
export function environmentCredentials(env: Readonly<Record<string, string | undefined>>): AwsCredentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  const sessionToken = env.AWS_SESSION_TOKEN
  if (!accessKeyId || !secretAccessKey) {
    throw new AppError(
      'FailedPrecondition',
      'vehicles.commands.sqs: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
      { zh: 'vehicles.commands.sqs：请在环境变量中设置 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY。' },
    )
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}
