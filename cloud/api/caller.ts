import { createHash, timingSafeEqual } from 'node:crypto'
import { bearerTokenCharsMax } from '../../shared/cloud-limits.ts'
import { type Role, role as roleSchema } from '../../shared/contract/agent-api.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Catalogue } from '../ports.ts'
import { findToken } from '../rows/access.ts'
import { tokenOfSession } from '../rows/session.ts'

/** Who asks. `stream`: a viewer of this one stream; `agent`: a device's own. */
export type Caller = { role: Role | 'anyone'; subject: string; stream?: string; agent?: string }

/** `anyone`: no token; else the roles that may. `oneStream`: also a viewer whose token is bound to a stream. */
export type Access = 'anyone' | { roles: readonly Role[]; oneStream?: boolean }

export const mayWatch: Access = { roles: ['viewer', 'operator', 'admin'], oneStream: true }
export const mayRead: Access = { roles: ['viewer', 'operator', 'admin'] }
export const mayOperate: Access = { roles: ['operator', 'admin'] }
export const mayAdminister: Access = { roles: ['admin'] }
export const isDevice: Access = { roles: ['device'] }

export const anonymous: Caller = { role: 'anyone', subject: 'anyone' }

export type Authenticator = (request: Request) => Promise<Caller>

export const cookieName = 'edgereel'

export function cookieOf(headers: Headers): string | undefined {
  return /(?:^|;\s*)edgereel=([A-Za-z0-9_-]{43})(?:;|$)/.exec(headers.get('cookie') ?? '')?.[1]
}

const hashOf = (token: string) => createHash('sha256').update(token).digest()

/**
 * By the hash of the bearer token. On one PC the agent has already checked who asks: it says so in two
 * headers, which count only beside the internal token. Where this API serves the page itself (`sessions`), a
 * browser's cookie stands for the token that it was exchanged for.
 */
export function createAuthenticator(options: {
  catalogue: Catalogue
  nowMs: () => number
  internalToken?: string
  sessions?: boolean
}): Authenticator {
  const { catalogue, nowMs } = options
  const internalHash = options.internalToken ? hashOf(options.internalToken) : undefined
  return async (request) => {
    const { headers } = request
    const cookie = options.sessions && !headers.has('authorization') ? cookieOf(headers) : undefined
    const hash = hashOf(cookie ?? bearerOf(headers))
    if (internalHash && timingSafeEqual(hash, internalHash)) return forwardedCaller(headers)
    if (cookie !== undefined) checkOrigin(request)
    const hex = hash.toString('hex')
    const sha256 = cookie === undefined ? hex : await tokenOfSession(catalogue, hex, nowMs())
    const token = sha256 === undefined ? undefined : await findToken(catalogue, sha256, nowMs())
    if (!token) throw unknownCaller()
    const bound = {
      ...(token.stream === undefined ? {} : { stream: token.stream }),
      ...(token.agent === undefined ? {} : { agent: token.agent }),
    }
    return { role: token.role, subject: token.name, ...bound }
  }
}

export function authorize(access: Access, caller: Caller): void {
  if (access === 'anyone') return
  const allowed = caller.role !== 'anyone' && access.roles.includes(caller.role)
  const bound = caller.stream !== undefined && !access.oneStream
  const nameless = caller.role === 'device' && caller.agent === undefined
  if (allowed && !bound && !nameless) return
  throw new AppError('PermissionDenied', `A token with the role ${caller.role} may not do this.`, {
    zh: `角色 ${caller.role} 的令牌无权执行此操作。`,
  })
}

/** The agent that a device's token belongs to. */
export function agentOf(caller: Caller): string {
  if (caller.agent !== undefined) return caller.agent
  throw new AppError('PermissionDenied', 'Only an agent may do this.')
}

/** A browser sends its cookie for any page that asks: what changes something must come from ours. */
function checkOrigin({ method, headers, url }: Request): void {
  if (method === 'GET' || method === 'HEAD') return
  if (URL.parse(headers.get('origin') ?? '')?.host === new URL(url).host) return
  throw new AppError('PermissionDenied', 'This must come from the page itself, or bring a token.', {
    zh: '请求必须来自本页面，或携带令牌。',
  })
}

function bearerOf(headers: Headers): string {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(headers.get('authorization') ?? '')
  const token = match?.[1]
  if (!token || token.length > bearerTokenCharsMax) throw unknownCaller()
  return token
}

function forwardedCaller(headers: Headers): Caller {
  const role = roleSchema.safeParse(headers.get('x-edgereel-role'))
  const subject = headers.get('x-edgereel-subject') ?? ''
  if (!role.success || !isName(subject)) throw unknownCaller()
  return { role: role.data, subject, ...(role.data === 'device' ? { agent: subject } : {}) }
}

function unknownCaller(): AppError {
  return new AppError('Unauthenticated', 'This needs a valid token in the header Authorization.', {
    zh: '需要在 Authorization 头中提供有效令牌。',
  })
}
