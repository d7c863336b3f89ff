import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** Findings of cdk-nag that hold for the whole stack, each with its reason. Those of one resource stand beside it. */
const reasons: Record<string, string> = {
  'Serverless-LambdaDLQ':
    'A target for dead letters is for asynchronous calls. Jobs are called by SQS, whose queues have theirs; the API answers its caller; expire runs again ten minutes later, and an alarm tells when it keeps failing.',
  'Serverless-LambdaEventSourceMappingDestination':
    'Destinations of event source mappings are for streams. For SQS the queue itself has dead letters.',
  'Serverless-EventBusDLQ':
    'The event is a clock: one that is lost is made up for by the next, ten minutes later.',
  'Serverless-LambdaTracing':
    'Each log line has the request, the task and the milliseconds; X-Ray would cost more than the requests it traces. It can be turned on by hand while something is looked for.',
}

export function acknowledgeFindings(stack: IConstruct): void {
  for (const [id, reason] of Object.entries(reasons)) Validations.of(stack).acknowledge({ id, reason })
}
