import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What goes wrong with one request. The backend sees the request only where it says so. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  | { kind: 'html' } // A captive portal: 200 with a page.
  | { kind: 'reset'; afterBytes: number } // RST while the body is on its way.
  | { kind: 'hang' } // Nothing ever comes back.
  | { kind: 'lost' } // The backend did it; the answer never arrives.
  | { kind: 'flip' } // One bit of the body changes on the way.

export type FaultServer = AsyncDisposable & {
  base: string
  /** `PUT /store/raw/…`, in the order in which they came. */
  readonly log: string[]
  /** Decides the fault of each request; undefined: none. */
  plan: (request: { method: string; path: string; count: number }) => Fault | undefined
}

/** An HTTP server in front of a `fetch`, which breaks requests as planned. `listenOn`: a path for a unix socket. */
export async function startFaultServer(
  fetch: (request: Request) => Promise<Response>,
  listenOn?: string,
): Promise<FaultServer> {
  const log: string[] = []
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/' } = request
    const path = url.split('?')[0] ?? '/'
    log.push(`${method} ${path}`)
    const count = log.filter((line) => line === `${method} ${path}`).length
    const fault = self.plan({ method, path, count })
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? '')
      return
    }
    if (fault?.kind === 'html') {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please log in</html>')
      return
    }
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      sizeBytes += chunk.length
      if (fault?.kind === 'reset' && sizeBytes >= fault.afterBytes)
        return void request.socket.resetAndDestroy()
    }
    if (fault?.kind === 'reset') return void request.socket.resetAndDestroy()
    const body = Buffer.concat(chunks)
    if (fault?.kind === 'flip') body[0] = (body[0] ?? 0) ^ 1
    const answer = await fetch(toRequest(request, body))
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (fault?.kind === 'lost') return void request.socket.resetAndDestroy()
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(bytes)
  }

  server.listen(listenOn ?? { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const self: FaultServer = {
    base: listenOn ? `unix:${listenOn}` : `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    plan: () => undefined,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return self
}

function toRequest(request: IncomingMessage, body: Buffer): Request {
  const { method = 'GET', url = '/', headers } = request
  const init = { method, headers: new Headers(headers as Record<string, string>) }
  const target = new URL(url, 'http://localhost')
  return new Request(
    target,
    method === 'GET' || method === 'HEAD' ? init : { ...init, body: new Uint8Array(body) },
  )
}
