import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AppError } from '../../shared/error.ts'

/** `status` where HTTP knows more than the kind of the error (413, 421). */
export type Refusal = {
  error: AppError
  requestId: string
  status?: number
  headers?: Record<string, string>
}

/** The body of every error: what went wrong is told, its cause and its stack are not. */
export function errorBody({ error, requestId }: { error: AppError; requestId: string }): string {
  const shown = error.kind === 'Internal' ? 'something failed here; the log knows more' : error.message
  const zh = error.kind === 'Internal' ? '内部错误，详情见日志。' : error.messageZh
  const messageZh = zh === undefined ? {} : { messageZh: zh }
  return JSON.stringify({ error: { code: error.kind, message: shown, ...messageZh, requestId } })
}

const jsonHeaders = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }

/** Answers an error and closes the connection: what is left of the body is not waited for. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) return void response.destroy()
  const body = errorBody(refusal)
  response.writeHead(refusal.status ?? refusal.error.httpStatus, {
    ...jsonHeaders,
    'content-length': Buffer.byteLength(body),
    'x-request-id': refusal.requestId,
    connection: 'close',
    ...refusal.headers,
  })
  response.end(body)
}

/** The same for an upgrade, which has a socket and no response. */
export function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  const status = refusal.status ?? refusal.error.httpStatus
  const body = errorBody(refusal)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'connection: close',
    `content-type: ${jsonHeaders['content-type']}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${refusal.requestId}`,
  ]
  socket.once('finish', () => socket.destroy()) // Else it stays half open until the other side closes.
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
