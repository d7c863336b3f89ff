import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream'
import { AppError } from '../../shared/error.ts'
import { forwardBodyBytesMin, forwardIdleMs, forwardsAtOnceMax } from '../../shared/limits.ts'
import type { Principal } from '../control/auth.ts'
import { refuse } from './refuse.ts'

/** Where the cloud of this PC listens, and the secret by which it knows this agent. */
export type CloudDoor = { socketPath: string; internalToken: string }

/** The origin of the cloud that this agent uploads to: people go there themselves, with tokens of that cloud. */
export type ArchiveElsewhere = { elsewhere: string }

export type Forward = Disposable & {
  /** Streams the request to the cloud and the answer back, each as fast as the other side reads. */
  handle(request: IncomingMessage, response: ServerResponse, principal: Principal, requestId: string): void
}

// RFC 9110 7.6.1: these speak of one connection only.
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** `idleMs`: for how long a transfer may move nothing, or next to nothing. */
export function forwardTo(cloud: CloudDoor | ArchiveElsewhere, idleMs?: number): Forward {
  if (!('elsewhere' in cloud)) return createForward(cloud, idleMs)
  const { elsewhere } = cloud
  return {
    handle: () => {
      const zh = `此采集端的存档位于 ${elsewhere}，请到该处查看。`
      const words = `The archive of this agent is at ${elsewhere}: look there.`
      throw new AppError('FailedPrecondition', words, { zh })
    },
    [Symbol.dispose]: () => undefined,
  }
}

function createForward({ socketPath, internalToken }: CloudDoor, idleMs = forwardIdleMs): Forward {
  // Two: those whom nobody knows must not hold all the ways there are to the archive.
  const [ours, others] = [forwardsAtOnceMax, forwardsAtOnceMax].map((maxSockets) => new Agent({ maxSockets }))
  return {
    handle: (incoming, response, principal, requestId) => {
      const headers = {
        ...forwardedHeaders(incoming.headers),
        ...framing(incoming.headers),
        ...identity(principal, internalToken),
        'x-request-id': requestId,
      }
      const { method, url } = incoming
      const agent = 'x-edgereel-role' in headers ? ours : others
      const upstream = request({ socketPath, method, path: url, headers, agent })
      keepPace(incoming, idleMs)
      upstream.setTimeout(idleMs, () => upstream.destroy(new Error('the cloud does not answer')))
      upstream.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answerHeaders(answer.headers))
        pipeline(answer, response, () => undefined) // Either side's end ends the other; there is nobody to tell.
      })
      upstream.on('error', () =>
        refuse(response, { error: cloudAway(), requestId, headers: { 'retry-after': '2' } }),
      )
      response.on('close', () => {
        if (!response.writableFinished) upstream.destroy()
      })
      incoming.pipe(upstream)
    },
    [Symbol.dispose]: () => {
      for (const agent of [ours, others]) agent?.destroy()
    },
  }
}

/** A body that comes in drops is cut: it would hold its connection for ever. */
function keepPace(incoming: IncomingMessage, everyMs: number): void {
  let before = incoming.socket.bytesRead
  const timer = setInterval(() => {
    const { bytesRead } = incoming.socket
    if (bytesRead - before < forwardBodyBytesMin) incoming.destroy()
    before = bytesRead
  }, everyMs)
  for (const event of ['end', 'close']) incoming.once(event, () => clearInterval(timer))
}

/** Whom the cloud may believe: only headers that stand beside the internal token, and none that came from outside. */
function identity(principal: Principal, internalToken: string): Record<string, string> {
  if (principal.role === 'anonymous' || principal.role === 'unknown') return {}
  // The archive knows no tokens of one stream: such a token would open all of it.
  if (principal.stream !== undefined || principal.role === 'publisher') {
    throw new AppError('PermissionDenied', 'a token of one stream does not open the archive', {
      zh: '仅限单个流的令牌不能访问存档。',
    })
  }
  return {
    authorization: `Bearer ${internalToken}`,
    'x-edgereel-role': principal.role,
    'x-edgereel-subject': principal.subject,
  }
}

/**
 * Where the body ends is said anew, whatever the client calls a matter of its own connection: without it the body of a
 * GET would stand on the socket as the next request, and its answer be another's.
 */
function framing(headers: IncomingHttpHeaders): Record<string, string> {
  const { 'transfer-encoding': coding, 'content-length': length } = headers
  if (coding !== undefined) return { 'transfer-encoding': 'chunked' }
  return length === undefined ? {} : { 'content-length': length }
}

function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/))
  for (const [key, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(key) || named.has(key)) continue
    if (key === 'cookie' || key === 'expect' || key.startsWith('x-edgereel-')) continue
    kept[key] = value
  }
  return kept
}

function answerHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  for (const [key, value] of Object.entries(headers)) {
    if (value !== undefined && !hopByHop.has(key) && key !== 'set-cookie') kept[key] = value
  }
  return kept
}

function cloudAway(): AppError {
  return new AppError('Unavailable', 'the archive does not answer: live goes on, try again in a moment', {
    zh: '存档暂时无响应：直播不受影响，请稍后重试。',
  })
}

/** `/v1`, shares and the local store's signed files belong to the cloud. */
export function isCloudPath(path: string): boolean {
  return /^\/(v1|s|store)(\/|$)/.test(path)
}
