import { randomBytes, timingSafeEqual } from 'node:crypto'
import { parseChallenges } from '../protocol/auth-challenge.ts'
import { authorize } from '../protocol/digest-auth.ts'

export type SimLogin = { user: string; password: string; algorithm?: 'MD5' | 'SHA-256' | 'Basic' }

/** The camera's side of a login, for one connection. */
export class SimAuth {
  readonly challenge: string
  readonly #login: SimLogin | undefined

  constructor(login: SimLogin | undefined) {
    const { algorithm = 'MD5' } = login ?? {}
    const nonce = randomBytes(16).toString('hex')
    this.#login = login
    this.challenge =
      algorithm === 'Basic'
        ? 'Basic realm="edgereel sim"'
        : `Digest realm="edgereel sim", nonce="${nonce}", qop="auth", algorithm=${algorithm}`
  }

  /** Whether this request may be made: its answer is computed again, and compared. */
  admits(method: string, header: string | undefined): boolean {
    if (!this.#login) return true
    const given = header ?? ''
    const params = parseChallenges([given])[0]?.params ?? new Map<string, string>()
    const expected = authorize({
      method,
      uri: params.get('uri') ?? '',
      challenges: [this.challenge.replace(', qop="auth"', params.has('qop') ? ', qop="auth"' : '')],
      user: this.#login.user,
      password: this.#login.password,
      nonceCount: Number.parseInt(params.get('nc') ?? '0', 16),
      cnonce: params.get('cnonce') ?? '',
    })
    if (this.#login.algorithm === 'Basic') return same(given, expected)
    return same(params.get('response') ?? '', parseChallenges([expected])[0]?.params.get('response') ?? '-')
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
