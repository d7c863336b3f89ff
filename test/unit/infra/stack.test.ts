import { Match } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { queueNames } from '../../../cloud/ports.ts'
import { jobSizes } from '../../../infra/functions.ts'
import { receiveCountMax } from '../../../shared/limits.ts'
import { resourcesOf, synthesised } from '../../support/synthesised.ts'

const template = synthesised({ alarmEmail: 'ops@example.org' })
const all = Object.values(resourcesOf(template, 'AWS::Lambda::Function'))
const named = (name: string) =>
  Object.entries(resourcesOf(template, 'AWS::Lambda::Function')).find(([id]) => id.startsWith(name))

/** Of the only resource of this type. */
function only(type: string): Record<string, unknown> {
  const [first, ...others] = Object.values(resourcesOf(template, type))
  expect(others).toEqual([])
  return first?.Properties ?? {}
}

test('the bucket is private, encrypted, without versions, and outlives the stack', () => {
  template.resourceCountIs('AWS::S3::Bucket', 1)
  template.hasResource('AWS::S3::Bucket', {
    DeletionPolicy: 'Retain',
    Properties: {
      BucketEncryption: Match.anyValue(),
      VersioningConfiguration: Match.absent(),
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: {
        ...{
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
    },
  })
})

test('only TLS, only fresh signatures, and raw objects are written once', () => {
  const { PolicyDocument } = only('AWS::S3::BucketPolicy')
  const { Statement } = PolicyDocument as {
    Statement: { Effect: string; Action: string; Condition: object }[]
  }
  expect(Statement.map(({ Effect }) => Effect)).toEqual(Statement.map(() => 'Deny'))
  expect(Statement.map(({ Condition }) => Condition)).toEqual([
    { Bool: { 'aws:SecureTransport': 'false' } },
    { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    { NumericGreaterThan: { 's3:signatureAge': 900_000 } },
    { Null: { 's3:if-none-match': 'true' } },
  ])
})

test('aborted multiparts and temporary objects go after a day; raw and media never by age', () => {
  const { LifecycleConfiguration } = only('AWS::S3::Bucket')
  const { Rules } = LifecycleConfiguration as {
    Rules: { Prefix?: string; ExpirationInDays?: number; AbortIncompleteMultipartUpload?: object }[]
  }
  expect(Rules[0]?.AbortIncompleteMultipartUpload).toEqual({ DaysAfterInitiation: 1 })
  const expiring = Rules.filter(({ ExpirationInDays }) => ExpirationInDays !== undefined)
  expect(expiring.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual([
    ['uploads/', 1],
    ['results/', 1],
    ['tmp/', 1],
  ])
})

test('one notification: manifests and recordings, to the mux queue', () => {
  const { NotificationConfiguration } = only('AWS::S3::Bucket')
  const { QueueConfigurations, ...others } = NotificationConfiguration as {
    QueueConfigurations: { Queue: { 'Fn::GetAtt': [string] }; Filter: unknown }[]
  }
  expect(others).toEqual({})
  expect(QueueConfigurations).toHaveLength(1)
  const [first] = QueueConfigurations
  expect(first?.Queue['Fn::GetAtt'][0]).toMatch(/^muxQueue/)
  const rules = [
    { Name: 'prefix', Value: 'raw/' },
    { Name: 'suffix', Value: '.json' },
  ]
  expect(first?.Filter).toEqual({ S3Key: { Rules: rules } })
})

test.each(queueNames)('%s: visibility, dead letters, partial failures, bounded concurrency', (name) => {
  const size = jobSizes[name]
  expect(named(`${name}Handler`)?.[1].Properties).toMatchObject({
    ...{ MemorySize: size.memoryMb, Timeout: size.timeoutS, EphemeralStorage: { Size: size.diskMb } },
  })
  template.hasResourceProperties('AWS::SQS::Queue', {
    VisibilityTimeout: 6 * size.timeoutS,
    SqsManagedSseEnabled: true,
    RedrivePolicy: { maxReceiveCount: receiveCountMax },
  })
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp(`^${name}Queue`), 'Arn'] },
    BatchSize: size.batch,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ScalingConfig: { MaximumConcurrency: size.concurrencyMax },
  })
})

test('functions run on Node 24, on one architecture, and reserve no concurrency', () => {
  expect(all).toHaveLength(6) // Ours, and none of the CDK's own.
  for (const { Properties } of all) {
    expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] })
    expect(Properties).not.toHaveProperty('ReservedConcurrentExecutions')
  }
})

test('each function is told the names of the bucket, of the table and of all queues, and nothing secret', () => {
  const queues = queueNames.flatMap((name) => {
    const key = `EDGEREEL_QUEUE_${name.toUpperCase()}`
    return [key, `${key}_DLQ`]
  })
  const common = ['EDGEREEL_BUCKET', 'EDGEREEL_TABLE', 'NODE_OPTIONS', ...queues].sort()
  for (const [id, { Properties }] of Object.entries(resourcesOf(template, 'AWS::Lambda::Function'))) {
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> }
    const hasFfmpeg = /^(thumbnail|export|beatsync)/.test(id)
    expect(Object.keys(Variables).sort()).toEqual([...common, ...(hasFfmpeg ? ['FFMPEG_BIN'] : [])].sort())
    expect(Properties.Layers !== undefined).toBe(hasFfmpeg)
  }
})

test('the table: one key, two indexes, point-in-time recovery, TTL, and protected', () => {
  template.hasResource('AWS::DynamoDB::Table', {
    DeletionPolicy: 'Retain',
    Properties: {
      BillingMode: 'PAY_PER_REQUEST',
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      DeletionProtectionEnabled: true,
      GlobalSecondaryIndexes: ['gsi1', 'gsi2'].map((IndexName) => ({
        IndexName,
        KeySchema: [
          { AttributeName: `${IndexName}pk`, KeyType: 'HASH' },
          { AttributeName: `${IndexName}sk`, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      })),
    },
  })
})

test('the page and the API: one address, logged without paths, bounded', () => {
  template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: '$default' })
  const [stage] = Object.values(resourcesOf(template, 'AWS::ApiGatewayV2::Stage'))
  expect(stage?.Properties.DefaultRouteSettings).toMatchObject({ ThrottlingRateLimit: expect.any(Number) })
  // The secret of a share stands in its path.
  expect(JSON.stringify(stage?.Properties.AccessLogSettings)).not.toMatch(/path|routeKey|querystring/i)
})

test('for any partition and region, in an account with ten runs at once', () => {
  const text = JSON.stringify(template.toJSON())
  expect(text).not.toMatch(/arn:aws:|arn:aws-cn:/)
  expect(text).not.toMatch(/"(us|eu|ap|cn|sa|ca|me|af|il|mx)-[a-z-]+-\d"/)
  expect(text).not.toContain('ReservedConcurrentExecutions')
  template.hasResource('AWS::Budgets::Budget', { Condition: 'BudgetsHere' })
})

test('alarms of this account alone reach the topic; no policy names a service that a partition lacks', () => {
  const { PolicyDocument } = only('AWS::SNS::TopicPolicy')
  const { Statement } = PolicyDocument as {
    Statement: { Effect: string; Principal: { Service: unknown }; Condition: object }[]
  }
  const allowed = Statement.filter(({ Effect }) => Effect === 'Allow')
  const services = ['budgets.amazonaws.com', 'cloudwatch.amazonaws.com']
  expect(allowed.map(({ Principal }) => Principal.Service)).toEqual([
    'cloudwatch.amazonaws.com',
    { 'Fn::If': ['BudgetsHere', ...services] },
  ])
  const ours = { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }
  expect(allowed.map(({ Condition }) => Condition)).toEqual([ours, ours])
})

test('its outputs are what the command line and people need', () => {
  const outputs = Object.keys(template.toJSON().Outputs as object).sort()
  expect(outputs).toEqual(['AlarmTopicArn', 'ApiUrl', 'BucketName', 'DashboardName', 'TableName'])
})
