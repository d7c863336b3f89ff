import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { AppError } from '../../shared/error.ts'
import { cameraHttpHeadMs, cameraRedirectsMax } from '../../shared/limits.ts'
import { authorize, isStale, nonceOf } from '../protocol/digest-auth.ts'
import type { CameraGuard } from './camera-guard.ts'

export type CameraHttpRequest = {
  /** Without credentials. */
  url: string
  user: string | undefined
  password: string | undefined
  guard: CameraGuard
  /** Ends the answer's body too. */
  signal: AbortSignal
}

/** 200 with its body still to be read. */
export type CameraHttpAnswer = { response: IncomingMessage; contentType: string }

/**
 * GET from a camera: no credentials before they are asked for (some firmware then stops answering), Digest before
 * Basic, a stale nonce once more. Redirects are looked up and checked like the address itself; credentials go to
 * the host that was meant, and to no other, nor from HTTPS to HTTP.
 *
 * `Unauthenticated` for credentials that are refused, `PermissionDenied` for an address that is, `NotFound` for 404;
 * otherwise `Unavailable`. No message holds a secret.
 */
export async function getFromCamera(request: CameraHttpRequest): Promise<CameraHttpAnswer> {
  let url = new URL(request.url)
  for (let redirects = 0; ; redirects += 1) {
    const answer = await getOnce({ ...request, ...(keepsLogin(request.url, url) ? {} : noLogin) }, url)
    const next = redirectOf(answer, url)
    if (!next) return accept(answer, url)
    answer.destroy()
    if (redirects === cameraRedirectsMax) throw unavailable(url, 'it redirects too often', '重定向次数过多')
    url = next
  }
}

const noLogin = { user: undefined, password: undefined }

function keepsLogin(first: string, now: URL): boolean {
  const meant = new URL(first)
  return meant.hostname === now.hostname && !(meant.protocol === 'https:' && now.protocol === 'http:')
}

/** One address, with as many tries as a login takes. */
async function getOnce(request: CameraHttpRequest, url: URL): Promise<IncomingMessage> {
  const uri = url.pathname + url.search
  const first = await send(request, url, undefined)
  if (first.statusCode !== 401) return first
  let challenges = challengesOf(first)
  first.destroy()
  if (request.user === undefined) throw unauthenticated(url, 'asks for a user name and a password')
  for (let tries = 0; ; tries += 1) {
    const login = { user: request.user, password: request.password ?? '' }
    const cnonce = randomBytes(16).toString('hex')
    const header = authorize({ method: 'GET', uri, challenges, ...login, nonceCount: 1, cnonce })
    const answer = await send(request, url, header)
    if (answer.statusCode !== 401) return answer
    const refused = challenges
    challenges = challengesOf(answer)
    answer.destroy()
    const isNew = isStale(challenges) && nonceOf(challenges) !== nonceOf(refused)
    if (tries > 0 || !isNew) throw unauthenticated(url, 'refuses the user name or the password')
  }
}

async function send(
  { guard, signal }: CameraHttpRequest,
  url: URL,
  authorization: string | undefined,
): Promise<IncomingMessage> {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const slow = AbortSignal.timeout(cameraHttpHeadMs)
  const { address, family, port } = await guard
    .resolve(host, Number(url.port) || (secure ? 443 : 80), AbortSignal.any([signal, slow]))
    .catch((cause) => Promise.reject(slow.aborted ? tooSlow(url, cause) : cause))
  const outgoing = (secure ? requestHttps : requestHttp)({
    ...{ host: address, family, port, path: url.pathname + url.search, agent: false, signal },
    ...(secure ? { servername: host } : {}),
    headers: { host: url.host, accept: '*/*', ...(authorization ? { authorization } : {}) },
  })
  const giveUp = () => outgoing.destroy(tooSlow(url))
  slow.addEventListener('abort', giveUp, { once: true })
  try {
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.on('error', () => undefined) // Whoever reads it hears of it; one that is thrown away does not matter.
    return response
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof AppError) throw cause
    if (isUntrusted(cause)) throw untrusted(url, cause)
    throw unavailable(url, 'there is no answer', '没有应答', cause)
  } finally {
    slow.removeEventListener('abort', giveUp)
    outgoing.on('error', () => undefined)
  }
}

function challengesOf({ headersDistinct }: IncomingMessage): string[] {
  return headersDistinct['www-authenticate'] ?? []
}

function redirectOf({ statusCode = 0, headers }: IncomingMessage, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const next = URL.parse(headers.location ?? '', from)
  if (next?.protocol !== 'http:' && next?.protocol !== 'https:') {
    throw unavailable(from, 'it redirects to nowhere', '重定向地址无效')
  }
  return next
}

function accept(response: IncomingMessage, url: URL): CameraHttpAnswer {
  const { statusCode = 0, headers } = response
  if (statusCode === 200) return { response, contentType: headers['content-type'] ?? '' }
  response.destroy()
  if (statusCode === 403) throw unauthenticated(url, 'does not allow this to the user (403)')
  if (statusCode === 404) {
    throw new AppError(
      'NotFound',
      `camera ${url.host}: it has nothing at this path (404); check the address`,
      {
        zh: `摄像机 ${url.host}：该路径不存在（404），请检查地址。`,
      },
    )
  }
  throw unavailable(url, `it answers ${statusCode}`, `返回状态 ${statusCode}`)
}

function unauthenticated(url: URL, what: string): AppError {
  return new AppError('Unauthenticated', `camera ${url.host}: it ${what}; check them in its address`, {
    zh: `摄像机 ${url.host}：用户名或密码未被接受，请检查地址中的用户名和密码。`,
  })
}

function isUntrusted(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code)
}

function untrusted({ host }: URL, cause: unknown): AppError {
  const message = `camera ${host}: its certificate is not trusted; give its authority in NODE_EXTRA_CA_CERTS, or use http://`
  return new AppError('FailedPrecondition', message, {
    cause,
    zh: `摄像机 ${host}：证书不受信任；请在 NODE_EXTRA_CA_CERTS 中提供其 CA，或改用 http://。`,
  })
}

function tooSlow(url: URL, cause?: unknown): AppError {
  return unavailable(url, `no answer within ${cameraHttpHeadMs / 1000} s`, '应答超时', cause)
}

function unavailable(url: URL, en: string, zh: string, cause?: unknown): AppError {
  return new AppError('Unavailable', `camera ${url.host}: ${en}`, {
    cause,
    zh: `摄像机 ${url.host}：${zh}。`,
  })
}
