import type { Role } from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { AgentFile, StoredToken } from './agent-file.ts'
import { LoginCodes, LoginGuard, Sessions } from './sessions.ts'
import type { LinkRole, SignedPaths } from './signed-path.ts'
import type { Tokens } from './tokens.ts'

/** Who asks. `stream` binds to one stream; `unknown` gave a token that this agent does not know. */
export type Principal = {
  readonly role: Role | 'anonymous' | 'unknown'
  /** The token's name; `link:` and the stream for a signed link. */
  readonly subject: string
  readonly stream?: string
  readonly via: 'none' | 'bearer' | 'query' | 'link' | 'cookie' | 'socket'
}

/** What a door knows of a request. `loopback`: from this machine itself, not through a proxy on it. */
export type Credentials = {
  authorization?: string | undefined
  cookie?: string | undefined
  /** `?token=`: given by the doors of players and sockets only. */
  queryToken?: string | undefined
  loopback: boolean
}

/** A stream that somebody wants to watch or to send, whatever the transport. RTMP has neither header. */
export type MediaRequest = Pick<Credentials, 'authorization' | 'cookie' | 'loopback'> & {
  role: LinkRole
  app: string
  /** Undefined: a phone, whose token names its stream. */
  stream: string | undefined
  query: URLSearchParams
}

export const anonymous: Principal = { role: 'anonymous', subject: 'anonymous', via: 'none' }

export type Auth = {
  authorize(credentials: Credentials): Principal
  /** Who asks for a stream: by token, by signed link, by cookie. */
  identify(request: MediaRequest): Principal
  /** The policy of every transport: who asks, if that one may. `Unauthenticated` or `PermissionDenied`. */
  admit(request: MediaRequest): Principal
  /** The value of a cookie for this token. `Unauthenticated`, or `TooManyTries` for this address. */
  login(token: string, address: string): { principal: Principal; cookie: string }
  /** As `login`, by a code of `createLoginCode`. */
  loginByCode(code: string, address: string): { principal: Principal; cookie: string }
  /** For the link that `up` prints: `/login?code=…` opens the page as admin, once. */
  createLoginCode(): string
  readonly cookieName: string
}

type AuthOptions = { tokens: Tokens; links: SignedPaths; file: AgentFile; clock: Clock; port: number }

export function createAuth({ tokens, links, file, clock, port }: AuthOptions): Auth {
  const sessions = new Sessions(file.record.sessionKey, clock)
  const codes = new LoginCodes(clock)
  const guard = new LoginGuard(clock)
  const cookieName = `edgereel-${port}` // Cookies know no port: two agents of one host must not log each other out.

  const enter = (address: string, find: () => StoredToken | undefined) => {
    guard.check(address)
    const stored = find()
    if (!stored) {
      guard.failed(address)
      throw wrongLogin()
    }
    return { principal: principalOf(stored, 'cookie'), cookie: sessions.create(stored.id) }
  }

  const authorize = (credentials: Credentials): Principal => {
    const { authorization, queryToken } = credentials
    if (authorization !== undefined) return byBearer(tokens, authorization)
    if (queryToken !== undefined) return byQuery(tokens, queryToken, credentials.loopback)
    return bySession(tokens, sessions, cookieValue(credentials.cookie, cookieName))
  }

  const identify = (request: MediaRequest): Principal => {
    const { authorization, cookie, loopback, query } = request
    const queryToken = query.get('token') ?? undefined
    const isTold = authorization !== undefined || queryToken !== undefined
    if (!isTold && links.opens(request)) return principalOfLink(request)
    return authorize({ authorization, cookie, queryToken, loopback })
  }

  return {
    cookieName,
    authorize,
    identify,
    admit: (request) => {
      const principal = identify(request)
      requireRole(principal, request.role, request.stream)
      return principal
    },
    login: (token, address) => enter(address, () => tokens.find(token)),
    loginByCode: (code, address) =>
      enter(address, () => {
        const id = codes.take(code)
        return id === undefined ? undefined : tokens.byId(id)
      }),
    createLoginCode: () => {
      const admin = file.record.tokens.find(({ role }) => role === 'admin')
      if (!admin) throw new AppError('Internal', 'there is no admin token')
      return codes.create(admin.id)
    },
  }
}

function principalOf(stored: StoredToken, via: Principal['via']): Principal {
  const bound = stored.stream === undefined ? {} : { stream: stored.stream }
  return { role: stored.role, subject: stored.name, ...bound, via }
}

function principalOfLink({ role, stream = '' }: MediaRequest): Principal {
  return { role, subject: `link:${stream}`, stream, via: 'link' }
}

function byBearer(tokens: Tokens, authorization: string): Principal {
  const token = /^bearer +([^\s]+)$/i.exec(authorization)?.[1]
  const stored = token === undefined ? undefined : tokens.find(token)
  return stored ? principalOf(stored, 'bearer') : { role: 'unknown', subject: 'unknown', via: 'bearer' }
}

// A query ends up in histories and proxies' logs: only tokens that open one stream, or any on this very machine.
function byQuery(tokens: Tokens, token: string, loopback: boolean): Principal {
  const stored = tokens.find(token)
  if (!stored) return { role: 'unknown', subject: 'unknown', via: 'query' }
  const narrow = (stored.role === 'viewer' || stored.role === 'publisher') && stored.stream !== undefined
  if (narrow || loopback) return principalOf(stored, 'query')
  throw new AppError('PermissionDenied', 'in a query only a token that is bound to one stream is accepted', {
    zh: '查询参数中只接受绑定单个流的令牌。',
  })
}

function bySession(tokens: Tokens, sessions: Sessions, cookie: string | undefined): Principal {
  const id = cookie === undefined ? undefined : sessions.read(cookie)
  const stored = id === undefined ? undefined : tokens.byId(id)
  return stored ? principalOf(stored, 'cookie') : anonymous
}

function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name) return value
  }
  return undefined
}

function unauthenticated(): AppError {
  return new AppError('Unauthenticated', 'this needs a token: see admin.token, or `edgereel token create`', {
    zh: '需要令牌：请查看 admin.token，或使用 edgereel token create 创建。',
  })
}

function wrongLogin(): AppError {
  return new AppError(
    'Unauthenticated',
    'this token is wrong or was revoked, or the link was used or is too old',
    {
      zh: '令牌错误或已撤销，或者链接已使用或已过期。',
    },
  )
}

const rolesThatMay: Record<Role, readonly Role[]> = {
  viewer: ['viewer', 'operator', 'admin'],
  publisher: ['publisher', 'admin'],
  operator: ['operator', 'admin'],
  admin: ['admin'],
  device: ['device'],
}

/**
 * The one rule of every door. `stream` is the one that is asked for; a principal bound to a stream may ask for
 * nothing else. Throws `Unauthenticated` or `PermissionDenied`.
 */
export function requireRole(principal: Principal, needed: Role, stream?: string): void {
  if (principal.role === 'anonymous' || principal.role === 'unknown') throw unauthenticated()
  const bound = principal.stream?.toLowerCase()
  const mayStream = bound === undefined || bound === stream?.toLowerCase()
  if (!rolesThatMay[needed].includes(principal.role) || !mayStream) {
    throw new AppError('PermissionDenied', 'this token does not allow that', { zh: '此令牌没有该权限。' })
  }
}
