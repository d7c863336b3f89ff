import { App } from 'aws-cdk-lib'
import { addChecks } from './checks.ts'
import { readSettings } from './settings.ts'
import { EdgereelStack } from './stack.ts'

// `npx cdk synth|deploy`: one stack, for any account, partition and region (docs/operations.md, Deployment to AWS).
const app = new App()
const settings = readSettings(app)
new EdgereelStack(app, settings.stack, settings)
addChecks(app)
app.synth()
