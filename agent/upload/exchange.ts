import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { cloudReplyBytesMax } from '../../shared/limits.ts'

/** What came back, whatever its status. `body` is bounded and is never logged: it may hold signed URLs. */
export type Reply = {
  status: number
  contentType: string
  body: Uint8Array
  /** Of the header Retry-After, 0 when there is none. */
  retryAfterMs: number
  /** Of the header Date, NaN when there is none. */
  dateMs: number
}

export type Timeouts = { connectMs: number; idleMs: number; callMs: number }
export type Body = Uint8Array | AsyncIterable<Uint8Array> | undefined

/** Sends one request and reads its answer. No answer is an error; any answer is a `Reply`. */
export async function exchange(request: ClientRequest, body: Body, timeouts: Timeouts): Promise<Reply> {
  guardTime(request, timeouts)
  const answered = new AbortController()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // Watched below; after the answer nobody asks any more.
  request.on('error', (error) => failed.reject(linkError(error)))
  const response = once(request, 'response').then(([message]) => {
    answered.abort() // A server that has answered reads no more of the body.
    return readReply(message as IncomingMessage)
  })
  response.catch(() => {})
  try {
    const sent = sendBody(request, body, answered.signal)
    sent.catch((error: unknown) => failed.reject(error))
    return await Promise.race([response, failed.promise])
  } catch (error) {
    throw linkError(error)
  } finally {
    // A request whose body was not sent to its end leaves a connection that cannot be used again.
    if (!request.writableFinished) request.destroy()
  }
}

function guardTime(request: ClientRequest, { connectMs, idleMs }: Timeouts): void {
  request.setTimeout(idleMs, () => {
    request.destroy(
      new AppError('DeadlineExceeded', 'The cloud has stopped answering.', { zh: '云端停止响应。' }),
    )
  })
  request.once('socket', (socket: Socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => {
      request.destroy(
        new AppError('DeadlineExceeded', 'The cloud cannot be reached.', { zh: '无法连接云端。' }),
      )
    }, connectMs)
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
}

async function sendBody(request: ClientRequest, body: Body, answered: AbortSignal): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body)
    return
  }
  for await (const chunk of body) {
    if (answered.aborted || request.destroyed) return
    if (request.write(chunk)) continue
    try {
      await once(request, 'drain', { signal: answered })
    } catch {
      return // Answered early or broken: the answer or the request's own error says which.
    }
  }
  request.end()
}

async function readReply(message: IncomingMessage): Promise<Reply> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length
    if (sizeBytes > cloudReplyBytesMax) {
      message.destroy()
      throw new AppError('Unavailable', 'The cloud answered more than it should; is this its address?')
    }
    chunks.push(chunk)
  }
  const retryAfterS = Number(message.headers['retry-after'] ?? 0)
  return {
    status: message.statusCode ?? 0,
    contentType: message.headers['content-type'] ?? '',
    body: Buffer.concat(chunks),
    retryAfterMs: Number.isFinite(retryAfterS) && retryAfterS > 0 ? retryAfterS * 1000 : 0,
    dateMs: Date.parse(message.headers.date ?? ''),
  }
}

const certificateCodes = /^(CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|HOSTNAME_MISMATCH)/

/** Whether the failure is that the other side is not who it says it is. */
export function isCertificateError(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error
  return certificateCodes.test(codeOf(cause))
}

/** Words of a person for what broke; the code of the system stays in `cause`. */
export function linkError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isCertificateError(error)) {
    return new AppError('Unavailable', `The cloud's certificate is not valid (${codeOf(error)}).`, {
      cause: error,
      zh: `云端证书无效（${codeOf(error)}）。`,
    })
  }
  const name = error instanceof Error ? error.name : ''
  if (name === 'TimeoutError') {
    return new AppError('DeadlineExceeded', 'The cloud took too long to answer.', {
      cause: error,
      zh: '云端响应超时。',
    })
  }
  if (name === 'AbortError') return new AppError('Cancelled', 'The upload was stopped.', { cause: error })
  const code = codeOf(error)
  return new AppError('Unavailable', `The connection to the cloud failed${code ? ` (${code})` : ''}.`, {
    cause: error,
    zh: '与云端的连接中断。',
  })
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** The answer behind an error if there was one. */
export function replyOf(error: unknown): Reply | undefined {
  const cause = error instanceof AppError ? error.cause : undefined
  return cause && typeof cause === 'object' && 'status' in cause && 'retryAfterMs' in cause
    ? (cause as Reply)
    : undefined
}
