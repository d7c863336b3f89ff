import { expect, test } from 'vitest'
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
