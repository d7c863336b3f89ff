import http from 'node:http'
import https from 'node:https'
import { AppError, kindOfStatus } from '../../shared/error.ts'
import { cloudCallMs, cloudConnectMs, cloudIdleMs, uploadsAtOnceMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type Body, exchange, type Reply, type Timeouts } from './exchange.ts'

export type CloudClient = Disposable & {
  /** A call of the API; the answer is JSON. Throws `AppError`; its cause is the `Reply` when there was one. */
  call(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<unknown>
  /** Sends a body to a signed URL, with no header but those given. Throws only when there was no answer. */
  put(target: PutTarget, body: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Reply>
  /** The cloud's clock minus ours in ms, from the last Date header. */
  readonly skewMs: number
}

export type PutTarget = { url: string; headers: Record<string, string> }

export type CloudClientOptions = {
  /** `https://host[/prefix]`, `http://…` or `unix:/path/of/socket`. */
  base: string
  /** Sent with calls of the API, never with signed URLs. */
  headers: () => Record<string, string>
  clock: Clock
  timeouts?: Timeouts
}

type Outgoing = { method: string; headers: http.OutgoingHttpHeaders; body: () => Body; signal: AbortSignal }

const defaultTimeouts: Timeouts = { connectMs: cloudConnectMs, idleMs: cloudIdleMs, callMs: cloudCallMs }

export function createCloudClient(options: CloudClientOptions): CloudClient {
  const timeouts = options.timeouts ?? defaultTimeouts
  const origin = options.base.startsWith('unix:') ? 'http://localhost' : options.base.replace(/\/+$/, '')
  const send = createSender(options.base, origin, timeouts)
  let skewMs = 0

  return {
    get skewMs() {
      return skewMs
    },
    async call(method, path, body, signal) {
      const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
      const sized = json ? { 'content-type': 'application/json', 'content-length': json.length } : {}
      const reply = await send(new URL(origin + path), {
        method,
        headers: { ...options.headers(), accept: 'application/json', ...sized },
        body: () => json,
        signal: AbortSignal.any([AbortSignal.timeout(timeouts.callMs), signal]),
      })
      if (Number.isFinite(reply.dateMs)) skewMs = reply.dateMs - options.clock.nowMs()
      return parseReply(reply)
    },
    async put(target, body, signal) {
      return send(uploadUrl(target.url, origin), { method: 'PUT', headers: target.headers, body, signal })
    },
    [Symbol.dispose]: () => send[Symbol.dispose](),
  }
}

type Sender = Disposable & ((url: URL, outgoing: Outgoing) => Promise<Reply>)

function createSender(base: string, origin: string, timeouts: Timeouts): Sender {
  const connections = { keepAlive: true, maxSockets: 2 * uploadsAtOnceMax }
  const plain = new http.Agent(connections)
  const secure = new https.Agent(connections)
  const socket = base.startsWith('unix:') ? { socketPath: base.slice('unix:'.length) } : {}

  const attempt = async (url: URL, outgoing: Outgoing, isFirst: boolean): Promise<Reply> => {
    const tls = url.protocol === 'https:'
    const request = (tls ? https : http).request(url, {
      method: outgoing.method,
      headers: outgoing.headers,
      agent: tls ? secure : plain,
      signal: outgoing.signal,
      ...(url.origin === origin ? socket : {}),
    })
    try {
      return await exchange(request, outgoing.body(), timeouts)
    } catch (error) {
      // The other side may close an idle connection just as it is used again: that says nothing about the link.
      // Calls may be repeated blindly; of a PUT, `status` tells whether it is needed.
      const again = isFirst && outgoing.method !== 'PUT' && request.reusedSocket && isReset(error)
      if (again) return attempt(url, outgoing, false)
      throw error
    }
  }
  return Object.assign((url: URL, outgoing: Outgoing) => attempt(url, outgoing, true), {
    [Symbol.dispose]() {
      plain.destroy()
      secure.destroy()
    },
  })
}

function isReset(error: unknown): boolean {
  const code = ((error as AppError).cause as { code?: unknown } | undefined)?.code
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** Path-absolute URLs are the local store's: it is reached where the API is. TLS is never left. */
function uploadUrl(text: string, origin: string): URL {
  const url = URL.canParse(text, `${origin}/`) ? new URL(text, `${origin}/`) : undefined
  const plain = url?.protocol === 'http:' && !origin.startsWith('https:')
  if (url && (plain || url.protocol === 'https:')) return url
  throw new AppError('Unavailable', 'The cloud gave an upload address that is not HTTPS.')
}

/**
 * Only JSON with a good status is an answer of our cloud. A captive portal answers 200 with a page, a
 * proxy redirects: neither is success (RELIABILITY.md B10).
 */
function parseReply(reply: Reply): unknown {
  const json = /^application\/json\b/i.test(reply.contentType) ? parseJson(reply.body) : undefined
  if (reply.status >= 200 && reply.status < 300 && json !== undefined) return json
  const error = (json as { error?: { message?: unknown; messageZh?: unknown } } | undefined)?.error
  if (reply.status >= 400 && typeof error?.message === 'string') {
    const zh = typeof error.messageZh === 'string' ? { zh: error.messageZh } : {}
    throw new AppError(kindOfStatus(reply.status), error.message.slice(0, 500), { cause: reply, ...zh })
  }
  if (reply.status >= 400) {
    const kind = kindOfStatus(reply.status)
    throw new AppError(kind, `The cloud answered ${reply.status}.`, {
      cause: reply,
      zh: `云端返回 ${reply.status}。`,
    })
  }
  throw new AppError(
    'Unavailable',
    'Something between here and the cloud answers in its place (a login page?).',
    {
      cause: reply,
      zh: '网络中有其他设备代替云端应答（登录页面？）。',
    },
  )
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}
