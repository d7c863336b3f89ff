import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { queueNames } from '../../../cloud/ports.ts'
import { repository } from '../../support/modules.ts'
import { resourcesOf, synthesised } from '../../support/synthesised.ts'

const alarms = Object.entries(resourcesOf(synthesised(), 'AWS::CloudWatch::Alarm'))

test('each alarm names a chapter of docs/operations.md that is there, and reaches the topic', async () => {
  const text = await readFile(join(repository, 'docs/operations.md'), 'utf8')
  const headings = new Set([...text.matchAll(/^#{2,4} (.+)$/gm)].map(([, heading]) => heading))
  expect(alarms.length).toBeGreaterThan(10)
  for (const [id, { Properties }] of alarms) {
    const [, named] = /^docs\/operations\.md, "(.+)"$/.exec(String(Properties.AlarmDescription)) ?? []
    expect([id, named, headings.has(named ?? '')]).toEqual([id, named, true])
    expect(Properties.AlarmActions).toHaveLength(1)
  }
})

test('each queue has an alarm for its dead letters, at the first of them, and one for waiting', () => {
  for (const name of queueNames) {
    const of = (what: string) => alarms.find(([id]) => id.startsWith(`Alarms${name}${what}`))?.[1].Properties
    expect(of('DeadLetters')).toMatchObject({ Threshold: 1, EvaluationPeriods: 1 })
    expect(of('Waits')).toMatchObject({ MetricName: 'ApproximateAgeOfOldestMessage' })
  }
})
