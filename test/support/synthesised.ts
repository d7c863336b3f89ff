import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import type { Settings } from '../../infra/settings.ts'
import { EdgereelStack } from '../../infra/stack.ts'

export type Resource = { Type: string; Properties: Record<string, unknown>; [key: string]: unknown }
export type Resources = Record<string, Resource>

/** The stack's template without its bundles: a second instead of six. */
export function synthesised(settings: Partial<Settings> = {}): Template {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } })
  const stack = new EdgereelStack(app, 'edgereel', {
    ...{ stack: 'edgereel', arch: 'arm64', budgetUsd: 50 },
    ...settings,
  })
  return Template.fromStack(stack)
}

export function resourcesOf(template: Template, type: string): Resources {
  return template.findResources(type) as Resources
}
