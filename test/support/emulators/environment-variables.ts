import type { Environment } from '../../../cloud/aws/environment.ts'

/** As the stack sets them at each function. */
export function environmentVariables({ bucket, table, queues }: Environment): Record<string, string> {
  const urls = Object.entries(queues).flatMap(([name, { url, deadUrl }]) => [
    [`EDGEREEL_QUEUE_${name.toUpperCase()}`, url],
    [`EDGEREEL_QUEUE_${name.toUpperCase()}_DLQ`, deadUrl],
  ])
  return { EDGEREEL_BUCKET: bucket, EDGEREEL_TABLE: table, ...Object.fromEntries(urls) }
}
