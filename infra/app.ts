import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag'
import { readSettings } from './settings.ts'
import { EdgereelStack } from './stack.ts'

// `npx cdk synth|deploy`: one stack, for any account, partition and region (docs/operations.md, Deploy).
const app = new App()
const settings = readSettings(app)
new EdgereelStack(app, settings.stack, settings)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app))
app.synth()
