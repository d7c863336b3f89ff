import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { apiHandler } from '../../cloud/aws/lambda/api-handler.ts'
import { queueNames } from '../../cloud/ports.ts'
import { lambdaContext } from './emulators/lambda-context.ts'

// A process of its own: loads each bundle of a cloud assembly as Lambda does, and asks the API for the page. The
// names it gives are of nothing that exists: whoever calls AWS while it is loaded fails. Prints JSON.

type Assets = { files: Record<string, { displayName?: string; source: { path?: string } }> }
type Handler = ReturnType<typeof apiHandler>

const assembly = resolve(process.argv[2] ?? '')
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

const { files } = JSON.parse(await readFile(join(assembly, 'edgereel.assets.json'), 'utf8')) as Assets
const loaded: Record<string, unknown> = {}
const answers: Record<string, unknown> = {}
for (const { displayName = '', source } of Object.values(files)) {
  const name = /^(\w+)\/.*Function\/Code$/.exec(displayName)?.[1]
  if (name === undefined || source.path === undefined) continue
  const module = (await import(join(assembly, source.path, 'index.mjs'))) as { handler?: Handler }
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
