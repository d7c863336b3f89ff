import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import type { JobPorts } from '../jobs/job-ports.ts'
import { clientSettings, s3Settings } from './client-settings.ts'
import { DynamoCatalogue } from './dynamodb.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { S3Store } from './s3.ts'
import { SqsQueue } from './sqs.ts'

export type AwsCloud = JobPorts & Disposable

/**
 * The cloud on AWS. Region, credentials and endpoints are the SDK's own affair (its environment variables,
 * profiles, roles): no key is handed around here.
 */
export function openAwsCloud(
  environment: Environment = readEnvironment(process.env),
  clock: Clock = systemClock,
): AwsCloud {
  const s3 = new S3Client(s3Settings)
  const dynamodb = new DynamoDBClient(clientSettings)
  const sqs = new SQSClient(clientSettings)
  return {
    store: new S3Store(s3, environment.bucket, clock),
    catalogue: new DynamoCatalogue(dynamodb, environment.table, clock),
    queue: new SqsQueue(sqs, environment.queues),
    clock,
    [Symbol.dispose]() {
      for (const client of [s3, dynamodb, sqs]) client.destroy()
    },
  }
}
