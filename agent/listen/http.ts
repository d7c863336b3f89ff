import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerOptions, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { hostname } from 'node:os'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { doorCloseMs, headerBytesMax, headersMs, keepAliveMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Pages } from '../../shared/node/read-pages.ts'
import {
  type Auth,
  type Credentials,
  type MediaRequest,
  type Principal,
  requireRole,
} from '../control/auth.ts'
import type { RequestContext } from '../control/route.ts'
import { TooManyTries } from '../control/sessions.ts'
import { type LiveClient, liveClient } from '../live-client.ts'
import type { FlvPlay, FoundStream } from '../play/flv.ts'
import { BodyTooLarge, sendApiResponse, toApiRequest } from './api-bridge.ts'
import { flvHead, flvSocket } from './flv-socket.ts'
import { type ArchiveElsewhere, type CloudDoor, type Forward, forwardTo, isCloudPath } from './forward.ts'
import { checkOrigin, type HostRule, hostAllowed, isLoopback } from './guard.ts'
import { type CertificateFiles, plainPort, tlsPort } from './one-port.ts'
import { openPort } from './open-port.ts'
import { securityHeaders, servePage } from './pages.ts'
import { type Refusal, refuse, refuseUpgrade } from './refuse.ts'
import { createWebSockets, type PhoneSocket, type WebSockets } from './websocket.ts'

export type DoorEvent =
  | { type: 'refused'; door: 'http' | 'websocket'; reason: string; status: number }
  | { type: 'socket-guard'; reason: string }
  | { type: 'fault'; error: unknown; requestId: string }

export type HttpOptions = {
  host: string
  port: number
  /** `ca`: the authority that browsers must trust, given to whoever asks for `/ca.pem`. */
  tls?: CertificateFiles & { ca?: string | undefined }
  publicUrl?: string
  clock: Clock
  pages: Pages
  auth: Pick<Auth, 'authorize' | 'identify' | 'admit'>
  api: (request: Request, context: RequestContext) => Promise<Response>
  play: FlvPlay
  /** A phone that may come in, or may wait (RELIABILITY.md C7): its role says which. */
  onPhone: (socket: PhoneSocket, info: { principal: Principal; address: string }) => void
  cloud?: CloudDoor | ArchiveElsewhere
  onEvent: (event: DoorEvent) => void
}

export type HttpDoor = AsyncDisposable & {
  readonly port: number
  /** Another certificate than the one of the start, from now on. */
  show(files: CertificateFiles): void
}

const phonePath = '/android-cam'
const apiPaths = /^\/(agent\/v1\/.*|healthz|readyz|metrics|openapi\.json|login)$/

/** Opens the port. `FailedPrecondition`, in words, when it is taken or not ours to open. */
export async function openHttp(options: HttpOptions): Promise<HttpDoor> {
  const door = new Door(options)
  const { listener, servers, show, close } = options.tls
    ? tlsPort(serverOptions, options.tls)
    : plainPort(serverOptions)
  for (const server of servers) {
    server.on('request', (request, response) => door.request(request, response))
    server.on('upgrade', (request, socket, head) => door.upgrade(request, socket, head))
    server.on('clientError', (_error, socket) => socket.destroy())
  }
  await openPort(listener, { host: options.host, port: options.port, hint: '--port' })
  return {
    port: (listener.address() as AddressInfo).port,
    show,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
      door[Symbol.dispose]()
      close()
      const late = new AbortController()
      const waited = options.clock.sleep(doorCloseMs, late.signal).catch(() => undefined)
      await Promise.race([closed, waited])
      late.abort()
    },
  }
}

const serverOptions: ServerOptions = {
  maxHeaderSize: headerBytesMax,
  headersTimeout: headersMs,
  requestTimeout: 0, // Uploads to the cloud may take long; they have an idle limit, bodies of the API their own.
  keepAliveTimeout: keepAliveMs,
  connectionsCheckingInterval: 2000,
  noDelay: true,
  // Offers of HTTP/2 (`curl --http2`) are passed over, as RFC 9110 allows.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
}

type Upgrade = { client: LiveClient; socket: Duplex; readAhead: Buffer }

type Visit = { request: IncomingMessage; path: string; query: URLSearchParams; requestId: string }

class Door implements Disposable {
  readonly #options: HttpOptions
  readonly #hosts: HostRule
  readonly #sockets: WebSockets
  readonly #forward: Forward | undefined

  constructor(options: HttpOptions) {
    this.#options = options
    const publicHost = options.publicUrl === undefined ? undefined : URL.parse(options.publicUrl)?.hostname
    this.#hosts = { hostname: hostname(), publicHost }
    this.#forward = options.cloud && forwardTo(options.cloud)
    this.#sockets = createWebSockets({
      clock: options.clock,
      onGuard: (reason) => options.onEvent({ type: 'socket-guard', reason }),
    })
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    const requestId = randomUUID()
    response.on('error', () => undefined) // The client is gone; `close` tells those who care.
    for (const [key, value] of Object.entries(securityHeaders)) response.setHeader(key, value)
    response.setHeader('x-request-id', requestId)
    this.#route(request, response, requestId).catch((error: unknown) => {
      refuse(response, this.#refusal('http', error, requestId))
    })
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = randomUUID()
    socket.on('error', () => undefined)
    try {
      this.#routeUpgrade(request, socket, head, requestId)
    } catch (error) {
      refuseUpgrade(socket, this.#refusal('websocket', error, requestId))
    }
  }

  [Symbol.dispose](): void {
    this.#sockets[Symbol.dispose]()
    this.#forward?.[Symbol.dispose]()
  }

  async #route(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    const visit = this.#enter(request, requestId)
    if (this.#sendToTls(visit, response)) return
    const flv = parseFlvPath(visit.path)
    const { method } = request
    if (flv) return this.#playHttp(visit, flv, response)
    const principal = this.#authorize(visit)
    if (method !== 'GET' && method !== 'HEAD') this.#checkOrigin(visit, principal)
    if (apiPaths.test(visit.path)) return this.#api(visit, principal, response)
    if (isCloudPath(visit.path) && this.#forward) {
      return this.#forward.handle(request, response, principal, requestId)
    }
    if (servePage(this.#options.pages, visit.path, request, response)) return
    throw new AppError('NotFound', 'there is nothing at this address', { zh: '此地址没有内容。' })
  }

  #routeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): void {
    const visit = this.#enter(request, requestId)
    if (visit.path !== phonePath && this.#mustEncrypt(request)) throw new PlainHttp()
    const flv = parseFlvPath(visit.path)
    if (flv) {
      const principal = this.#options.auth.admit(watching(visit, flv))
      this.#checkOrigin(visit, principal)
      const client = clientOf(visit, flv.app, principal)
      this.#playSocket(request, this.#options.play.find(flv.stream), { client, socket, readAhead: head })
    } else if (visit.path === phonePath) {
      const principal = this.#admitPhone(visit)
      const address = request.socket.remoteAddress ?? ''
      this.#sockets.acceptPhone(request, socket, head, (phone) =>
        this.#options.onPhone(phone, { principal, address }),
      )
    } else {
      throw new AppError('NotFound', 'there is no WebSocket at this address', {
        zh: '此地址没有 WebSocket。',
      })
    }
  }

  /** Without a token a phone may come in and wait to be allowed; a wrong one is a mistake to be told. */
  #admitPhone(visit: Visit): Principal {
    const asked = phoneSending(visit)
    const principal = this.#options.auth.identify(asked)
    this.#checkOrigin(visit, principal)
    if (principal.role === 'anonymous') return principal
    const stream = asked.stream ?? principal.stream
    requireRole(principal, 'publisher', stream)
    return stream === undefined ? principal : { ...principal, stream }
  }

  #enter(request: IncomingMessage, requestId: string): Visit {
    if (!hostAllowed(request.headers.host, this.#hosts)) throw new WrongHost()
    const url = request.url?.startsWith('/') ? URL.parse(`http://agent${request.url}`) : undefined
    if (!url) throw new AppError('InvalidArgument', 'this is no address', { zh: '地址无效。' })
    return { request, path: url.pathname, query: url.searchParams, requestId }
  }

  /** Under TLS only this machine's own programs speak plain, and phones, whose app knows nothing else. */
  #mustEncrypt(request: IncomingMessage): boolean {
    return this.#options.tls !== undefined && !isEncrypted(request) && !isLoopback(request)
  }

  #sendToTls({ request, path }: Visit, response: ServerResponse): boolean {
    const { ca } = this.#options.tls ?? {}
    if (ca !== undefined && path === '/ca.pem') {
      response.writeHead(200, { 'content-type': 'application/x-x509-ca-cert' }).end(ca)
      return true
    }
    if (!this.#mustEncrypt(request)) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new PlainHttp()
    response.writeHead(308, { location: `https://${request.headers.host}${request.url}` }).end()
    return true
  }

  #authorize({ request }: Visit): Principal {
    return this.#options.auth.authorize(credentialsOf(request))
  }

  #checkOrigin({ request }: Visit, principal: Principal): void {
    checkOrigin(request, principal, this.#options.publicUrl)
  }

  #playHttp(visit: Visit, flv: FlvPath, response: ServerResponse): void {
    const { method } = visit.request
    if (method !== 'GET')
      throw new AppError('InvalidArgument', 'live streams are read with GET', { zh: '请使用 GET。' })
    // Asked for behind an answer that is not over, as no player does: two would write to one socket.
    if (!response.socket) return void visit.request.socket.destroy()
    const principal = this.#options.auth.admit(watching(visit, flv))
    const stream = this.#options.play.find(flv.stream)
    const client = clientOf(visit, flv.app, principal)
    const { requestId, request } = visit
    const { socket } = request
    const head = flvHead(response.getHeaders(), this.#options.clock.nowMs())
    const handover = { socket, request: { transport: 'http', head, requestId } } as const
    if (canBeHanded(socket) && stream.hand(handover, client)) return
    const viewer = stream.join('http', flvSocket(socket, head, requestId), client)
    socket.on('close', () => viewer.gone())
  }

  #playSocket(request: IncomingMessage, stream: FoundStream, { client, socket, readAhead }: Upgrade): void {
    const headers = handshakeHeaders(request)
    const asked = { transport: 'ws', method: request.method ?? '', headers, readAhead } as const
    if (canBeHanded(socket) && stream.hand({ socket, request: asked }, client)) return
    this.#sockets.acceptViewer(request, socket, readAhead, (viewer) => stream.join('ws', viewer, client))
  }

  async #api({ request, requestId }: Visit, principal: Principal, response: ServerResponse): Promise<void> {
    const apiRequest = await toApiRequest(request, request.url ?? '/')
    const answer = await this.#options.api(apiRequest, {
      principal,
      address: request.socket.remoteAddress ?? '',
      loopback: isLoopback(request),
      secure: isEncrypted(request),
      requestId,
    })
    if (request.method === 'HEAD') await answer.body?.cancel()
    await sendApiResponse(request.method === 'HEAD' ? new Response(null, answer) : answer, response)
  }

  #refusal(door: 'http' | 'websocket', cause: unknown, requestId: string): Refusal {
    const error = AppError.from(cause)
    if (error.kind === 'Internal') this.#options.onEvent({ type: 'fault', error: cause, requestId })
    const status = statusOf(error)
    this.#options.onEvent({ type: 'refused', door, reason: error.kind, status })
    const headers: Record<string, string> = {}
    if (error instanceof TooManyTries) headers['retry-after'] = String(error.retryAfterS)
    if (error.kind === 'Unauthenticated') headers['www-authenticate'] = 'Bearer'
    return { error, requestId, status, headers }
  }
}

/** HTTP 421, which is no kind of its own. */
class WrongHost extends AppError {
  constructor() {
    super(
      'FailedPrecondition',
      'this agent is not known by that name: use its address, or set http.publicUrl',
      {
        zh: '此主机名未被接受：请使用 IP 地址，或设置 http.publicUrl。',
      },
    )
  }
}

/** HTTP 426: what it would have sent must not go over the network as it is. */
class PlainHttp extends AppError {
  constructor() {
    super('FailedPrecondition', 'this agent speaks TLS: use https:// or wss://', {
      zh: '此服务已启用 TLS：请使用 https:// 或 wss://。',
    })
  }
}

function isEncrypted({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket
}

function statusOf(error: AppError): number {
  if (error instanceof PlainHttp) return 426
  if (error instanceof WrongHost) return 421
  return error instanceof BodyTooLarge ? 413 : error.httpStatus
}

/** A process has no part in the TLS session of another. */
function canBeHanded(socket: Duplex): socket is Socket {
  return socket instanceof Socket && !(socket instanceof TLSSocket)
}

/** Cookies and tokens stay here. */
function handshakeHeaders({ headers }: IncomingMessage): IncomingHttpHeaders {
  const ofHandshake = ([name]: [string, unknown]) => name === 'upgrade' || name.startsWith('sec-websocket-')
  return Object.fromEntries(Object.entries(headers).filter(ofHandshake))
}

type FlvPath = { app: string; stream: string }

/** `/{app}/{name}.flv` → the name as it stands in the path; whether it is a name is the hub's to say. */
function parseFlvPath(path: string): FlvPath | undefined {
  const match = /^\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\/([^/]{1,200})\.flv$/.exec(path)
  return match?.[1] && match[2] ? { app: match[1], stream: match[2] } : undefined
}

function credentialsOf(request: IncomingMessage): Pick<Credentials, 'authorization' | 'cookie' | 'loopback'> {
  const { authorization, cookie } = request.headers
  return { authorization, cookie, loopback: isLoopback(request) }
}

function clientOf({ request, query }: Visit, app: string, { subject }: Principal): LiveClient {
  return liveClient(request.socket.remoteAddress ?? '', app, query, subject)
}

function watching({ request, query }: Visit, { app, stream }: FlvPath): MediaRequest {
  return { ...credentialsOf(request), role: 'viewer', app, stream, query }
}

/** A link opens the stream that the phone names; a token that is bound to one names it itself. */
function phoneSending({ request, query }: Visit): MediaRequest {
  const stream = query.get('stream') ?? undefined
  if (stream !== undefined && !isName(stream)) {
    throw new AppError('InvalidArgument', 'this is not a name of a stream', { zh: '流名称无效。' })
  }
  return { ...credentialsOf(request), role: 'publisher', app: phonePath.slice(1), stream, query }
}
