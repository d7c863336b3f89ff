import { randomBytes } from 'node:crypto'
import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DynamoDBClient,
  ScanCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketNotificationConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { Environment } from '../../../cloud/aws/environment.ts'
import { type QueueName, queueNames } from '../../../cloud/ports.ts'
import { bucketCors } from '../../../infra/bucket-cors.ts'
import { receiveCountMax } from '../../../shared/limits.ts'

// What infra/stack.ts makes, as far as the ports and jobs see it; made and removed by the SDK, so that the same
// code serves emulators and an account.

const unique = () => `edgereel-test-${randomBytes(6).toString('hex')}`
const key = (name: string, type: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType: type })

export async function makeTable(): Promise<string> {
  using client = disposable(new DynamoDBClient({}))
  const TableName = unique()
  const names = ['pk', 'sk', 'gsi1pk', 'gsi1sk', 'gsi2pk', 'gsi2sk']
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [key('pk', 'HASH'), key('sk', 'RANGE')],
      GlobalSecondaryIndexes: ['gsi1', 'gsi2'].map((IndexName) => ({
        IndexName,
        KeySchema: [key(`${IndexName}pk`, 'HASH'), key(`${IndexName}sk`, 'RANGE')],
        Projection: { ProjectionType: 'ALL' },
      })),
    }),
  )
  await waitUntilTableExists({ client, maxWaitTime: 120, minDelay: 1 }, { TableName })
  return TableName
}

export async function dropTable(TableName: string): Promise<void> {
  using client = disposable(new DynamoDBClient({}))
  await client.send(new DeleteTableCommand({ TableName }))
}

export async function emptyTable(TableName: string): Promise<void> {
  using client = disposable(new DynamoDBClient({}))
  for (;;) {
    const { Items: items = [] } = await client.send(
      new ScanCommand({ TableName, ProjectionExpression: 'pk, sk', ConsistentRead: true }),
    )
    if (items.length === 0) return
    for (const { pk, sk } of items)
      if (pk && sk) await client.send(new DeleteItemCommand({ TableName, Key: { pk, sk } }))
  }
}

export async function makeQueues(): Promise<Environment['queues']> {
  using client = disposable(new SQSClient({}))
  const make = async (QueueName: string) => {
    const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName }))
    return reachable(QueueUrl)
  }
  const prefix = unique()
  const pairs = await Promise.all(
    queueNames.map(async (name): Promise<[QueueName, Environment['queues'][QueueName]]> => {
      const [url, deadUrl] = await Promise.all([make(`${prefix}-${name}`), make(`${prefix}-${name}-dlq`)])
      const RedrivePolicy = JSON.stringify({
        deadLetterTargetArn: arnOf(deadUrl),
        maxReceiveCount: receiveCountMax,
      })
      const Attributes = { RedrivePolicy, Policy: policyOf(url) }
      await client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes }))
      return [name, { url, deadUrl }]
    }),
  )
  return Object.fromEntries(pairs) as Environment['queues']
}

export async function dropQueues(queues: Environment['queues']): Promise<void> {
  using client = disposable(new SQSClient({}))
  const urls = Object.values(queues).flatMap(({ url, deadUrl }) => [url, deadUrl])
  await Promise.all(urls.map((QueueUrl) => client.send(new DeleteQueueCommand({ QueueUrl }))))
}

/** With the one notification, `raw/`, `.json` to the mux queue, and open to pages. */
export async function makeBucket(muxUrl: string): Promise<string> {
  using client = disposable(new S3Client({}))
  const Bucket = unique()
  await client.send(new CreateBucketCommand({ Bucket }))
  const FilterRules = [
    { Name: 'prefix' as const, Value: 'raw/' },
    { Name: 'suffix' as const, Value: '.json' },
  ]
  const rule = {
    QueueArn: arnOf(muxUrl),
    Events: ['s3:ObjectCreated:*' as const],
    Filter: { Key: { FilterRules } },
  }
  const NotificationConfiguration = { QueueConfigurations: [rule] }
  await client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }))
  const cors = {
    AllowedMethods: [...bucketCors.methods],
    AllowedOrigins: bucketCors.origins,
    AllowedHeaders: bucketCors.headers,
    ExposeHeaders: bucketCors.exposed,
    MaxAgeSeconds: bucketCors.maxAgeS,
  }
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [cors] } }))
  return Bucket
}

export async function dropBucket(Bucket: string): Promise<void> {
  using client = disposable(new S3Client({}))
  for (;;) {
    const { Contents: found = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    if (found.length === 0) break
    for (const { Key } of found) await client.send(new DeleteObjectCommand({ Bucket, Key }))
  }
  await client.send(new DeleteBucketCommand({ Bucket }))
}

function disposable<T extends { destroy(): void }>(client: T): T & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() })
}

/** An emulator names itself `sqs.<region>.localhost`, which not every machine resolves. */
function reachable(url: string): string {
  const endpoint = process.env.AWS_ENDPOINT_URL_SQS
  return endpoint === undefined ? url : new URL(new URL(url).pathname, endpoint).href
}

/** `https://sqs.<region>.amazonaws.com/<account>/<name>` */
function arnOf(url: string): string {
  const [account, name] = new URL(url).pathname.split('/').slice(1)
  return `arn:aws:sqs:${process.env.AWS_REGION}:${account}:${name}`
}

function policyOf(url: string): string {
  const Principal = { Service: 's3.amazonaws.com' }
  const statement = { Effect: 'Allow', Principal, Action: 'sqs:SendMessage', Resource: arnOf(url) }
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
}
