import { expect, test } from 'vitest'
import { queueNames } from '../../../cloud/ports.ts'
import { prefixes, sends } from '../../../infra/functions.ts'
import { resourcesOf, synthesised } from '../../support/synthesised.ts'

type Statement = { Effect: string; Action: string | string[]; Resource: unknown }

const template = synthesised()
const functions = Object.keys(prefixes) as (keyof typeof prefixes)[]
const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])

function statementsOf(name: string): Statement[] {
  const policies = Object.entries(resourcesOf(template, 'AWS::IAM::Policy'))
  const [, policy] =
    policies.find(([id]) => id.startsWith(`${name}Role`) || id.startsWith(`${name}HandlerRole`)) ?? []
  return (policy?.Properties.PolicyDocument as { Statement: Statement[] } | undefined)?.Statement ?? []
}

/** Prefixes of the bucket below which this action is allowed. */
function allowed(name: string, action: string): string[] {
  const statements = statementsOf(name).filter((it) => list(it.Action).includes(action))
  return statements
    .flatMap(({ Resource }) => list(Resource))
    .map((resource) => /"\/([a-z]+\/)\*"/.exec(JSON.stringify(resource))?.[1] ?? JSON.stringify(resource))
    .sort()
}

test.each(functions)('%s reads, writes and deletes below its own prefixes only', (name) => {
  const { read, write, remove } = prefixes[name]
  expect(allowed(name, 's3:GetObject')).toEqual(read.toSorted())
  expect(allowed(name, 's3:PutObject')).toEqual(write.toSorted())
  expect(allowed(name, 's3:DeleteObject')).toEqual(remove.toSorted())
})

test('nobody but expire deletes pictures, and only the API lets agents write them', () => {
  for (const name of functions) {
    const { write, remove } = prefixes[name]
    if (name !== 'expire') expect(remove.filter((it) => it === 'raw/' || it === 'media/')).toEqual([])
    if (name !== 'api') expect(write).not.toContain('raw/')
  }
})

test.each(functions)('%s: no action and no resource is a wildcard; each ARN is of this stack', (name) => {
  const statements = statementsOf(name)
  expect(statements.length).toBeGreaterThan(3)
  for (const { Effect, Action, Resource } of statements) {
    expect(Effect).toBe('Allow')
    for (const action of list(Action)) expect(action).toMatch(/^(logs|s3|dynamodb|sqs):[A-Z][A-Za-z]+$/)
    for (const resource of list(Resource)) {
      const text = JSON.stringify(resource)
      expect(text).toMatch(/"Fn::GetAtt"/)
      expect(text.replace(/"\/[a-z]+\/\*"/, '')).not.toContain('*')
    }
  }
  expect(statements.flatMap(({ Action }) => list(Action))).not.toContain('dynamodb:Scan')
})

test.each(functions)('%s sends to the queues that it needs', (name) => {
  const sending = statementsOf(name).filter(({ Action }) => list(Action).includes('sqs:SendMessage'))
  const targets = sending
    .flatMap(({ Resource }) => list(Resource))
    .map((it) => /"(\w+?)Queue[0-9A-F]{8}"/.exec(JSON.stringify(it))?.[1])
    .filter((it) => it !== undefined)
  expect(targets.sort()).toEqual(sends[name].toSorted())
})

test.each(functions)(
  '%s: who asks for an object is told 404, not 403; who writes parts takes them back',
  (name) => {
    const { read, write } = prefixes[name]
    const listing = statementsOf(name).filter(({ Action }) => list(Action).includes('s3:ListBucket'))
    expect(listing).toHaveLength(read.length > 0 ? 1 : 0)
    for (const { Resource } of listing) expect(JSON.stringify(Resource)).toMatch(/"ArchiveBucket[^"]+","Arn"/)
    expect(allowed(name, 's3:AbortMultipartUpload')).toEqual(write.toSorted())
  },
)

/** `mux dead`, `export` …: queues on which this action is allowed. */
function queuesOf(name: string, action: string): string[] {
  return statementsOf(name)
    .filter(({ Action }) => list(Action).includes(`sqs:${action}`))
    .flatMap(({ Resource }) => list(Resource))
    .map((it) => {
      const [, queue, kind] = /"(\w+?)(Queue|DeadLetters)[0-9A-F]{8}"/.exec(JSON.stringify(it)) ?? []
      return kind === 'Queue' ? `${queue}` : `${queue} dead`
    })
    .sort()
}
const dead = queueNames.map((name) => `${name} dead`).sort()

test.each(queueNames)('%s: its own messages, and its own dead letters', (name) => {
  for (const action of ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'GetQueueAttributes'])
    expect(queuesOf(name, action)).toEqual([name])
  expect(queuesOf(name, 'SendMessage')).toEqual([...sends[name], `${name} dead`].sort())
})

test('the API lists dead letters, gives them back, and says how long the queues are', () => {
  for (const action of ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'])
    expect(queuesOf('api', action)).toEqual(dead)
  expect(queuesOf('api', 'GetQueueAttributes')).toEqual([...queueNames, ...dead].sort())
  expect(queuesOf('api', 'SendMessage')).toEqual(queueNames.toSorted())
})

test('both indexes hold whole rows; one message of a batch fails alone, and ten times before it is a dead letter', () => {
  type Index = { IndexName: string; Projection: object }
  const [table] = Object.values(resourcesOf(template, 'AWS::DynamoDB::Table'))
  const indexes = (table?.Properties.GlobalSecondaryIndexes ?? []) as Index[]
  expect(indexes.map(({ IndexName, Projection }) => [IndexName, Projection])).toEqual([
    ['gsi1', { ProjectionType: 'ALL' }],
    ['gsi2', { ProjectionType: 'ALL' }],
  ])
  const sources = Object.values(resourcesOf(template, 'AWS::Lambda::EventSourceMapping'))
  expect(sources).toHaveLength(queueNames.length)
  for (const { Properties } of sources)
    expect(Properties.FunctionResponseTypes).toEqual(['ReportBatchItemFailures'])
  const redrives = Object.values(resourcesOf(template, 'AWS::SQS::Queue')).flatMap(
    ({ Properties }) => (Properties.RedrivePolicy as { maxReceiveCount: number } | undefined) ?? [],
  )
  expect(redrives.map(({ maxReceiveCount }) => maxReceiveCount)).toEqual(queueNames.map(() => 10))
})

test('pages send files to the bucket by themselves', () => {
  const [bucket] = Object.values(resourcesOf(template, 'AWS::S3::Bucket'))
  expect(bucket?.Properties.CorsConfiguration).toMatchObject({
    CorsRules: [{ AllowedMethods: ['GET', 'HEAD', 'PUT', 'POST'] }],
  })
})
