import { Duration, Validations } from 'aws-cdk-lib'
import { CfnEventSourceMapping } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { QueueName } from '../cloud/ports.ts'
import { receiveCountMax } from '../shared/limits.ts'
import { Handler, type HandlerOptions } from './function.ts'
import { type JobSize, visibilityS } from './functions.ts'

/** A job: its queue, its dead letters, and the function that a message wakes. Its alarms are in alarms.ts. */
export class QueueWorker extends Construct {
  readonly name: QueueName
  readonly queue: Queue
  readonly dead: Queue
  readonly handler: Handler

  constructor(scope: Construct, id: string, options: HandlerOptions & { name: QueueName; size: JobSize }) {
    super(scope, id)
    const { name, size } = options
    this.name = name
    const shared = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    }
    this.dead = new Queue(this, 'DeadLetters', shared)
    Validations.of(this.dead).acknowledge({
      id: 'Serverless-SQSRedrivePolicy',
      reason: 'It is itself the dead letters of a queue; what lies here waits for a person (edgereel dlq).',
    })
    this.queue = new Queue(this, 'Queue', {
      ...shared,
      visibilityTimeout: Duration.seconds(visibilityS(size)),
      receiveMessageWaitTime: Duration.seconds(20),
      deadLetterQueue: { queue: this.dead, maxReceiveCount: receiveCountMax },
    })
    this.handler = new Handler(this, 'Handler', options)
    // Its messages, and its own dead letters: what can only fail again goes there at once.
    this.handler.allowQueue(
      ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'GetQueueAttributes'],
      [this.queue.queueArn],
    )
    this.handler.allowQueue(['SendMessage'], [this.dead.queueArn])
    const source = new CfnEventSourceMapping(this, 'Source', {
      functionName: this.handler.function.functionName,
      eventSourceArn: this.queue.queueArn,
      batchSize: size.batch,
      scalingConfig: { maximumConcurrency: size.concurrencyMax },
      functionResponseTypes: ['ReportBatchItemFailures'],
    })
    source.node.addDependency(this.handler.role)
  }
}
