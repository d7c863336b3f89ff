import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../../shared/error.ts'
import { bodyMs, jsonBodyBytesMax } from '../../shared/limits.ts'

/** Thrown for a body over the limit: HTTP 413, which is no kind of its own. */
export class BodyTooLarge extends AppError {
  constructor() {
    super('InvalidArgument', `a body may have ${jsonBodyBytesMax} bytes at most`, {
      zh: `请求正文最多 ${jsonBodyBytesMax} 字节。`,
    })
  }
}

/** The request as the API knows it. Its body is read here, bounded in bytes and time; only JSON is let in. */
export async function toApiRequest(incoming: IncomingMessage, path: string): Promise<Request> {
  const { method = 'GET' } = incoming
  const headers = new Headers()
  for (const [key, value] of Object.entries(incoming.headers)) {
    if (typeof value === 'string') headers.set(key, value)
  }
  const url = `http://agent${path}`
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers })
  const body = await readBody(incoming)
  if (body.length === 0) return new Request(url, { method, headers })
  if (!/^application\/json\s*(;|$)/i.test(incoming.headers['content-type'] ?? '')) {
    throw new AppError('InvalidArgument', 'send the body as content-type: application/json', {
      zh: '请求正文须为 application/json。',
    })
  }
  return new Request(url, { method, headers, body })
}

async function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  if (Number(incoming.headers['content-length'] ?? 0) > jsonBodyBytesMax) throw new BodyTooLarge()
  const timer = setTimeout(() => incoming.destroy(), bodyMs)
  using _ = { [Symbol.dispose]: () => clearTimeout(timer) }
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of whole(incoming)) {
    sizeBytes += chunk.length
    if (sizeBytes > jsonBodyBytesMax) throw new BodyTooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** One that leaves in the middle is no fault of ours. */
async function* whole(incoming: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* incoming
  } catch (cause) {
    throw new AppError('Cancelled', 'the body was cut off', { cause, zh: '请求正文不完整。' })
  }
}

// A client that does not wait for its answer: nobody is there to tell.
const goneCodes = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_UNABLE_TO_PIPE', 'ECONNRESET', 'EPIPE'])

/** Sends the API's answer, as fast as the client reads. */
export async function sendApiResponse(answer: Response, response: ServerResponse): Promise<void> {
  for (const [key, value] of answer.headers) {
    if (key === 'set-cookie') response.appendHeader(key, value)
    else response.setHeader(key, value)
  }
  response.writeHead(answer.status)
  if (!answer.body) return void response.end()
  const body = Readable.from(answer.body as AsyncIterable<Uint8Array>)
  await pipeline(body, response).catch((error: NodeJS.ErrnoException) => {
    if (!goneCodes.has(error.code ?? '')) throw error
  })
}
