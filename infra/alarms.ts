import { Aws, Duration, Validations } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Operation, type Table } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import type { ApiDoor } from './api-door.ts'
import type { Handler } from './function.ts'
import { expireSize, jobSizes, visibilityS } from './functions.ts'
import type { QueueWorker } from './queue-worker.ts'

export type Watched = { workers: QueueWorker[]; api: Handler; expire: Handler; door: ApiDoor; table: Table }

type Rule = {
  id: string
  metric: IMetric
  /** At or above it for so many periods. */
  threshold: number
  periods: number
  /** A heading of docs/operations.md, where what to do stands (test/unit/infra/runbook.test.ts). */
  runbook: string
  missingIsBad?: boolean
}

/** What the catalogue asks of the table. */
const tableCalls = [
  Operation.GET_ITEM,
  Operation.PUT_ITEM,
  Operation.DELETE_ITEM,
  Operation.QUERY,
  Operation.TRANSACT_WRITE_ITEMS,
]
const fiveMinutes = Duration.minutes(5)

/** One topic; each alarm names its chapter. */
export class Alarms extends Construct {
  readonly topic: Topic

  constructor(
    scope: Construct,
    id: string,
    watched: Watched & { email: string | undefined; budgetService: string },
  ) {
    super(scope, id)
    this.topic = new Topic(this, 'Topic', { displayName: 'edgereel', enforceSSL: true })
    for (const service of ['cloudwatch.amazonaws.com', watched.budgetService]) {
      this.topic.addToResourcePolicy(
        new PolicyStatement({
          principals: [new ServicePrincipal(service)],
          actions: ['sns:Publish'],
          resources: [this.topic.topicArn],
          conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } }, // Not for another account's alarms.
        }),
      )
    }
    if (watched.email !== undefined) this.topic.addSubscription(new EmailSubscription(watched.email))
    Validations.of(this.topic).acknowledge({
      id: 'Serverless-SNSRedrivePolicy',
      reason:
        'SNS tries an e-mail again for hours, and the alarm stays on in CloudWatch; nobody would read a queue of letters that were not delivered.',
    })
    for (const worker of watched.workers) for (const rule of workerRules(worker)) this.#add(rule)
    for (const rule of otherRules(watched)) this.#add(rule)
  }

  #add({ id, metric, threshold, periods, runbook, missingIsBad = false }: Rule): void {
    const alarm = new Alarm(this, id, {
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: missingIsBad ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      alarmDescription: `docs/operations.md, "${runbook}"`,
    })
    alarm.addAlarmAction(new SnsAction(this.topic))
  }
}

function workerRules({ name, queue, dead, handler }: QueueWorker): Rule[] {
  const waitS = Math.max(15 * 60, 2 * visibilityS(jobSizes[name])) // Two attempts, or a quarter of an hour.
  return [
    {
      id: `${name}DeadLetters`,
      metric: dead.metricApproximateNumberOfMessagesVisible({ period: fiveMinutes, statistic: 'max' }),
      ...{ threshold: 1, periods: 1, runbook: 'dead letters' },
    },
    {
      id: `${name}Waits`,
      metric: queue.metricApproximateAgeOfOldestMessage({ period: fiveMinutes, statistic: 'max' }),
      ...{ threshold: waitS, periods: 2, runbook: 'a queue waits' },
    },
    {
      id: `${name}Throttled`,
      metric: handler.function.metricThrottles({ period: fiveMinutes, statistic: 'sum' }),
      ...{ threshold: 100, periods: 3, runbook: 'functions are throttled' },
    },
  ]
}

function otherRules({ api, expire, door, table }: Watched): Rule[] {
  const sum = { period: fiveMinutes, statistic: 'sum' }
  return [
    {
      id: 'ApiFails',
      metric: door.api.metricServerError(sum),
      ...{ threshold: 5, periods: 2, runbook: 'the API fails' },
    },
    {
      id: 'ApiThrottled',
      metric: api.function.metricThrottles(sum),
      ...{ threshold: 10, periods: 2, runbook: 'functions are throttled' },
    },
    {
      id: 'ExpireFails',
      metric: expire.function.metricErrors({ period: Duration.hours(1), statistic: 'sum' }),
      ...{ threshold: 3, periods: 1, runbook: 'nothing is deleted' },
    },
    {
      // Runs from timeout to timeout: it deletes less than comes.
      id: 'ExpireBehind',
      metric: expire.function.metricDuration({ period: Duration.hours(1), statistic: 'min' }),
      ...{ threshold: 0.95 * 1000 * expireSize.timeoutS, periods: 3, runbook: 'nothing is deleted' },
    },
    {
      id: 'TableThrottled',
      metric: table.metricThrottledRequestsForOperations({ period: fiveMinutes, operations: tableCalls }),
      ...{ threshold: 50, periods: 2, runbook: 'the table is throttled' },
    },
  ]
}
