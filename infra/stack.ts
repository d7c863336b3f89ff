import { CfnOutput, Duration, Stack, Tags } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import type { Construct } from 'constructs'
import { type QueueName, queueNames } from '../cloud/ports.ts'
import { expireEveryMs } from '../shared/limits.ts'
import { acknowledgeFindings } from './acknowledged.ts'
import { Alarms } from './alarms.ts'
import { ApiDoor } from './api-door.ts'
import { ArchiveBucket } from './archive-bucket.ts'
import { Budget, BudgetsHere } from './budget.ts'
import { CatalogueTable } from './catalogue-table.ts'
import { OverviewDashboard } from './dashboard.ts'
import { ffmpegLayer } from './ffmpeg-layer.ts'
import { Handler } from './function.ts'
import { apiSize, expireSize, jobSizes, prefixes, sends } from './functions.ts'
import { QueueWorker } from './queue-worker.ts'
import type { Settings } from './settings.ts'

const needsFfmpeg: ReadonlySet<QueueName> = new Set(['thumbnail', 'export', 'beatsync'])

/** The whole cloud: bucket → queue → function → bucket, a table, an address, and what watches them. */
export class EdgereelStack extends Stack {
  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { description: 'edgereel: recordings of cameras' })
    Tags.of(this).add('app', 'edgereel')
    acknowledgeFindings(this)
    const layer = ffmpegLayer(this, settings)
    const worker = (name: QueueName) =>
      new QueueWorker(this, name, {
        ...{ name, size: jobSizes[name], settings },
        ...(needsFfmpeg.has(name) && { layer }),
        ...(name === 'beatsync' && { threads: ['cloud/jobs/beatsync/align-worker.ts'] }),
      })
    const workers = queueNames.map(worker)
    const of = (name: QueueName) => workers[queueNames.indexOf(name)] as QueueWorker
    const { bucket } = new ArchiveBucket(this, 'Archive', { muxQueue: of('mux').queue })
    const { table } = new CatalogueTable(this, 'Catalogue')
    const api = new Handler(this, 'api', { name: 'api', size: apiSize, settings, files: ['dist/web'] })
    const expire = new Handler(this, 'expire', { name: 'expire', size: expireSize, settings })
    const door = new ApiDoor(this, 'Door', api.function)

    for (const handler of [api, expire, ...workers.map((it) => it.handler)]) {
      const name = handler.name as QueueName | 'api' | 'expire'
      handler.setEnvironment({ EDGEREEL_BUCKET: bucket.bucketName, EDGEREEL_TABLE: table.tableName })
      handler.setEnvironment(queueAddresses(workers))
      handler.allowObjects(bucket, prefixes[name])
      handler.allowRows(table)
      const targets = sends[name].map((target) => of(target).queue.queueArn)
      if (targets.length > 0) handler.allowQueue(['SendMessage'], targets)
    }
    if (settings.keepDays !== undefined)
      expire.setEnvironment({ EDGEREEL_KEEP_DAYS: String(settings.keepDays) })
    if (settings.publicUrl !== undefined) api.setEnvironment({ EDGEREEL_PUBLIC_URL: settings.publicUrl })
    // Lists dead letters, gives them back, and says how long the queues are.
    api.allowQueue(
      ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'],
      workers.map((it) => it.dead.queueArn),
    )
    api.allowQueue(
      ['GetQueueAttributes'],
      workers.flatMap((it) => [it.queue.queueArn, it.dead.queueArn]),
    )
    new Rule(this, 'Expire', {
      schedule: Schedule.rate(Duration.millis(expireEveryMs)),
      targets: [new LambdaFunction(expire.function, { retryAttempts: 0 })], // The next run goes on.
    })

    const parts = { workers, api, expire, door, table, bucket }
    const here = new BudgetsHere(this, 'BudgetsHere')
    const told = { email: settings.alarmEmail, budgetService: here.service }
    const { topic } = new Alarms(this, 'Alarms', { ...parts, ...told })
    const dashboard = new OverviewDashboard(this, 'Overview', parts)
    new Budget(this, 'Budget', { usd: settings.budgetUsd, topic, here })

    const output = (name: string, value: string, description: string) =>
      new CfnOutput(this, name, { value, description })
    output('ApiUrl', settings.publicUrl ?? door.url, 'The page and the API')
    output(
      'TableName',
      table.tableName,
      'Catalogue; `edgereel token create --aws` reads it from cdk-outputs.json',
    )
    output('BucketName', bucket.bucketName, 'Archive')
    output('AlarmTopicArn', topic.topicArn, 'Subscribe to be told of alarms')
    output('DashboardName', dashboard.name, 'In CloudWatch')
  }
}

function queueAddresses(workers: QueueWorker[]): Record<string, string> {
  return Object.fromEntries(
    workers.flatMap(({ name, queue, dead }) => [
      [`EDGEREEL_QUEUE_${name.toUpperCase()}`, queue.queueUrl],
      [`EDGEREEL_QUEUE_${name.toUpperCase()}_DLQ`, dead.queueUrl],
    ]),
  )
}
