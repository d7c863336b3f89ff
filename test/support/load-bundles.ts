import type { apiHandler } from '../../cloud/aws/lambda/api-handler.ts'
import { queueNames } from '../../cloud/ports.ts'
import { bundlesOf } from './emulators/bundles.ts'
import { lambdaContext } from './emulators/lambda-context.ts'

// A process of its own: loads each bundle of a cloud assembly as Lambda does, and asks the API for the page. The
// names it gives are of nothing that exists: whoever calls AWS while it is loaded fails. Prints JSON.

type Handler = ReturnType<typeof apiHandler>

const queue = (name: string) => `https://sqs.eu-west-1.amazonaws.com/123456789012/${name}`
Object.assign(process.env, {
  ...{ EDGEREEL_BUCKET: 'edgereel-archive-x', EDGEREEL_TABLE: 'edgereel-catalogue-x' },
  ...{ AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' },
  POWERTOOLS_METRICS_DISABLED: 'true',
  ...Object.fromEntries(
    queueNames.flatMap((name) => [
      [`EDGEREEL_QUEUE_${name.toUpperCase()}`, queue(name)],
      [`EDGEREEL_QUEUE_${name.toUpperCase()}_DLQ`, queue(`${name}-dead`)],
    ]),
  ),
})

const loaded: Record<string, unknown> = {}
const answers: Record<string, unknown> = {}
for (const [name, path] of await bundlesOf(process.argv[2] ?? '')) {
  const module = (await import(path)) as { handler?: Handler }
  loaded[name] = typeof module.handler
  if (name === 'api' && module.handler) await askAll(module.handler)
}
process.stdout.write(JSON.stringify({ loaded, answers }))
process.exit()

async function askAll(handler: Handler): Promise<void> {
  for (const path of ['/', '/app.js', '/v1/recordings']) {
    const http = { method: 'GET', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' }
    const requestContext = { domainName: 'api.example', http } as Parameters<Handler>[0]['requestContext']
    const event = { rawPath: path, rawQueryString: '', headers: {}, requestContext, isBase64Encoded: false }
    const whole = { version: '2.0', routeKey: '$default', ...event }
    const { statusCode, headers = {} } = await handler(whole, lambdaContext('api', 29_000))
    answers[path] = { statusCode, type: headers['content-type'], policy: headers['content-security-policy'] }
  }
}
