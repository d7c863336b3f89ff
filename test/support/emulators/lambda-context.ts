import { randomUUID } from 'node:crypto'
import type { Context } from 'aws-lambda'

/** What Lambda hands to a function, with so much time left. */
export function lambdaContext(name: string, timeoutMs: number): Context {
  const endMs = Date.now() + timeoutMs
  return {
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: name,
    logStreamName: name,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, endMs - Date.now()),
    done: () => {},
    fail: () => {},
    succeed: () => {},
  }
}
