import { createHash } from 'node:crypto'
import { AppError } from '../../shared/error.ts'
import { type AuthChallenge, parseChallenges } from './auth-challenge.ts'

export type AuthRequest = {
  method: string
  /** Exactly as in the request line: a device compares it byte by byte. */
  uri: string
  /** Values of all `WWW-Authenticate` headers of the 401. */
  challenges: readonly string[]
  user: string
  password: string
  /** 1 for the first request with this nonce, then one more each time. */
  nonceCount: number
  /** Hex, at least 64 random bits, new for each nonce. */
  cnonce: string
}

type Algorithm = { hash: string; session: boolean }

// Strongest first (RFC 7616, section 3.7). A device that offers both is asked with the better one.
const algorithms: Record<string, Algorithm> = {
  'SHA-512-256': { hash: 'sha512-256', session: false },
  'SHA-512-256-SESS': { hash: 'sha512-256', session: true },
  'SHA-256': { hash: 'sha256', session: false },
  'SHA-256-SESS': { hash: 'sha256', session: true },
  MD5: { hash: 'md5', session: false },
  'MD5-SESS': { hash: 'md5', session: true },
}
const strength = Object.keys(algorithms)

/**
 * Value of the `Authorization` header (RFC 7616, RFC 2617, RFC 7617; RTSP: RFC 2326, appendix D.1).
 * Unauthenticated if no challenge is one that can be answered.
 */
export function authorize(request: AuthRequest): string {
  const challenges = parseChallenges(request.challenges)
  const digests = challenges.filter(isAnswerable).sort((a, b) => rank(a) - rank(b))
  if (digests[0]) return digest(request, digests[0])
  if (challenges.some(({ scheme }) => scheme === 'basic')) return basic(request)
  const offered = challenges.map(({ scheme }) => scheme).join(', ') || 'nothing'
  throw new AppError(
    'Unauthenticated',
    `the camera asks for a login that is not known here (${offered}): set it to Digest or Basic`,
    { zh: '摄像机要求的登录方式不受支持：请改为 Digest 或 Basic。' },
  )
}

/** The password may be right: the nonce was only too old, and the same request is worth one more try. */
export function isStale(challenges: readonly string[]): boolean {
  return parseChallenges(challenges).some(({ params }) => params.get('stale')?.toLowerCase() === 'true')
}

/** The nonce by which requests are counted; undefined without Digest. */
export function nonceOf(challenges: readonly string[]): string | undefined {
  const digests = parseChallenges(challenges).filter(isAnswerable)
  return digests.sort((a, b) => rank(a) - rank(b))[0]?.params.get('nonce')
}

function nameOf({ params }: AuthChallenge): string {
  return (params.get('algorithm') ?? 'MD5').toUpperCase()
}

function rank(challenge: AuthChallenge): number {
  return strength.indexOf(nameOf(challenge))
}

function isAnswerable(challenge: AuthChallenge): boolean {
  if (challenge.scheme !== 'digest' || !challenge.params.has('nonce')) return false
  return rank(challenge) >= 0 && qopOf(challenge) !== 'unknown'
}

/** `auth-int` alone is not answered: no camera was seen that asks for it. */
function qopOf({ params }: AuthChallenge): 'auth' | 'none' | 'unknown' {
  const offered = params
    .get('qop')
    ?.toLowerCase()
    .split(/[\s,]+/)
  if (!offered || offered.join('') === '') return 'none'
  return offered.includes('auth') ? 'auth' : 'unknown'
}

function basic({ user, password }: AuthRequest): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/**
 *   HA1 = H(user:realm:password)            -sess: H(HA1:nonce:cnonce)
 *   HA2 = H(method:uri)
 *   response = H(HA1:nonce:nc:cnonce:auth:HA2), without qop H(HA1:nonce:HA2)
 */
function digest(request: AuthRequest, challenge: AuthChallenge): string {
  const { method, uri, user, password, cnonce } = request
  const { hash, session } = algorithms[nameOf(challenge)] ?? { hash: 'md5', session: false }
  const h = (...parts: string[]) => createHash(hash).update(parts.join(':')).digest('hex')
  const realm = challenge.params.get('realm') ?? ''
  const nonce = challenge.params.get('nonce') ?? ''
  const qop = qopOf(challenge)
  const nc = request.nonceCount.toString(16).padStart(8, '0')
  const secret = h(user, realm, password)
  const ha1 = session ? h(secret, nonce, cnonce) : secret
  const ha2 = h(method, uri)
  const response = qop === 'auth' ? h(ha1, nonce, nc, cnonce, 'auth', ha2) : h(ha1, nonce, ha2)
  const hashed = challenge.params.get('userhash')?.toLowerCase() === 'true'
  const fields = [
    ...(hashed ? [`username="${h(user, realm)}"`] : [userField(user)]),
    ...[`realm=${quote(realm)}`, `nonce=${quote(nonce)}`, `uri=${quote(uri)}`],
    `response="${response}"`,
  ]
  // Old firmware reads MD5 only where it is not named.
  if (challenge.params.has('algorithm')) fields.push(`algorithm=${challenge.params.get('algorithm')}`)
  if (qop === 'auth') fields.push('qop=auth', `nc=${nc}`)
  if (qop === 'auth' || session) fields.push(`cnonce="${cnonce}"`)
  const opaque = challenge.params.get('opaque')
  if (opaque !== undefined) fields.push(`opaque=${quote(opaque)}`)
  if (hashed) fields.push('userhash=true')
  return `Digest ${fields.join(', ')}`
}

/** A name that a quoted string cannot hold is sent in the form of RFC 7616, section 3.4.4. */
function userField(user: string): string {
  if (/^[\x20-\x7e]*$/.test(user)) return `username=${quote(user)}`
  return `username*=UTF-8''${encodeURIComponent(user).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`
}

/** No line break gets into a header. */
function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return `"${text.replace(/[\x00-\x1f\x7f]/g, '').replace(/["\\]/g, '\\$&')}"`
}
