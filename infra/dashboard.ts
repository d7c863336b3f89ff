import { Duration } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { Watched } from './alarms.ts'

/** Six graphs: what waits, what is dead, how long work takes, how much runs, the API, the bytes. */
export class OverviewDashboard extends Construct {
  readonly name: string

  constructor(scope: Construct, id: string, watched: Watched & { bucket: Bucket }) {
    super(scope, id)
    const { workers, api, expire, door, bucket } = watched
    const functions = [...workers.map((it) => it.handler), api, expire]
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.days(1) })
    dashboard.addWidgets(
      graph(
        'Age of the oldest message, s',
        workers.map(({ name, queue }) =>
          queue.metricApproximateAgeOfOldestMessage({ label: name, statistic: 'max' }),
        ),
      ),
      graph(
        'Dead letters',
        workers.map(({ name, dead }) =>
          dead.metricApproximateNumberOfMessagesVisible({ label: name, statistic: 'max' }),
        ),
      ),
      graph(
        'Duration, p99',
        functions.map((it) => it.function.metricDuration({ label: it.name, statistic: 'p99' })),
      ),
    )
    dashboard.addWidgets(
      graph(
        'Runs at once',
        functions.map((it) =>
          it.function.metric('ConcurrentExecutions', { label: it.name, statistic: 'max' }),
        ),
      ),
      graph('API: requests, refused, failed', [
        door.api.metricCount({ label: 'requests', statistic: 'sum' }),
        door.api.metricClientError({ label: '4xx', statistic: 'sum' }),
        door.api.metricServerError({ label: '5xx', statistic: 'sum' }),
      ]),
      graph('Bytes kept', [bytesKept(bucket)]),
    )
    this.name = dashboard.dashboardName
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8, height: 6 })
}

/** S3 counts once a day. */
function bytesKept(bucket: Bucket): IMetric {
  return new Metric({
    namespace: 'AWS/S3',
    metricName: 'BucketSizeBytes',
    dimensionsMap: { BucketName: bucket.bucketName, StorageType: 'StandardStorage' },
    period: Duration.days(1),
    statistic: 'Average',
    label: 'standard',
  })
}
