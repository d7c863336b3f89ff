import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { lambdaContext } from './lambda-context.ts'

type ApiFunction = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>

const apiTimeoutMs = 29_000 // An HTTP API waits no longer for its function.
const answerBytesMax = 6 * 1024 * 1024 // Of a function, its headers and base64 included.

/** An HTTP API of API Gateway before a function: payload format 2.0, 6 MB an answer. */
export async function serveFunction(handler: ApiFunction): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((request, response) => {
    const answer = async () => {
      const result = await handler(await eventOf(request), lambdaContext('api', apiTimeoutMs))
      if (JSON.stringify(result).length > answerBytesMax) throw new Error('the answer is longer than 6 MB')
      for (const [name, value] of Object.entries(result.headers ?? {}))
        response.setHeader(name, String(value))
      if (result.cookies?.length) response.setHeader('set-cookie', result.cookies)
      response.statusCode = result.statusCode ?? 200
      response.end(Buffer.from(result.body ?? '', result.isBase64Encoded ? 'base64' : 'utf8'))
    }
    answer().catch((error: unknown) => {
      console.error(error)
      response.writeHead(500).end('{"message":"Internal Server Error"}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function eventOf(request: IncomingMessage): Promise<APIGatewayProxyEventV2> {
  const [rawPath = '/', rawQueryString = ''] = (request.url ?? '/').split('?', 2)
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { cookie, ...headers } = request.headers
  const method = request.method ?? 'GET'
  const domainName = request.headers.host ?? 'localhost'
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split('; ') }),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    requestContext: {
      accountId: '000000000000',
      apiId: 'test',
      domainName,
      domainPrefix: 'test',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      requestId: 'test',
      routeKey: '$default',
      stage: '$default',
      time: new Date().toISOString(),
      timeEpoch: Date.now(),
    },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks).toString('base64') }),
    isBase64Encoded: chunks.length > 0,
  }
}
