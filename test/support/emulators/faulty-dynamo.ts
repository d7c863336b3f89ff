import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type FaultyDynamo = AsyncDisposable & {
  url: string
  /** What happens to the next requests: an error, or the work is done and its answer lost. */
  fail: { times: number; code: string; isLost: boolean }
}

/** DynamoDB, but its next requests go wrong as they are told to. */
export async function startFaultyDynamo(upstream: string): Promise<FaultyDynamo> {
  const face = { fail: { times: 0, code: '', isLost: false } }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const isHit = face.fail.times > 0
    if (isHit) face.fail.times -= 1
    if (isHit && !face.fail.isLost) {
      const status = face.fail.code === 'InternalServerError' ? 500 : 400
      const words = { __type: `com.amazonaws.dynamodb.v20120810#${face.fail.code}`, message: 'Told to.' }
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(words))
      return
    }
    const { host: _host, connection: _connection, ...headers } = request.headers
    const init = { method: 'POST', headers: headers as Record<string, string>, body: Buffer.concat(chunks) }
    const answer = await fetch(upstream, init)
    const body = Buffer.from(await answer.arrayBuffer())
    if (isHit) return void request.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return Object.assign(face, {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  })
}
