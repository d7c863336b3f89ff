import { App } from 'aws-cdk-lib'
import { expect, test } from 'vitest'
import { addChecks } from '../../../infra/checks.ts'
import { readSettings } from '../../../infra/settings.ts'
import { EdgereelStack } from '../../../infra/stack.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

// As `npx cdk deploy -c key=value …` synthesises, without the bundles.
test.each([
  ['what README types', { alarmEmail: 'you@example.org' }],
  [
    'every setting',
    {
      ...{ stack: 'second', arch: 'x86_64', alarmEmail: 'you@example.org', budgetUsd: '100' },
      ...{ keepDays: '30', publicUrl: 'https://archive.example.org' },
    },
  ],
])('the rules of cdk-nag hold with %s', async (_name, context) => {
  await using outdir = await temporaryDirectory()
  const app = new App({ context: { ...context, 'aws:cdk:bundling-stacks': [] }, outdir: outdir.path })
  const settings = readSettings(app)
  new EdgereelStack(app, settings.stack, settings)
  addChecks(app)
  expect(() => app.synth()).not.toThrow()
})
