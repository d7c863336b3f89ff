import { authorize, isStale, nonceOf } from '../digest-auth.ts'
import { loginNeeded, refusal } from './refusal.ts'

export type Credentials = { user: string; password: string }

/**
 * The login of one connection. Nothing is sent before it is asked for: some firmware then does not answer, and a
 * password in clear is not given to who did not ask.
 */
export class RtspLogin {
  readonly #credentials: Credentials | undefined
  readonly #newCnonce: () => string
  #challenges: readonly string[] | undefined
  #nonce: string | undefined
  #cnonce = ''
  #count = 0
  #accepted = false

  /** `newCnonce`: 64 random bits or more, hex. */
  constructor(credentials: Credentials | undefined, newCnonce: () => string) {
    this.#credentials = credentials
    this.#newCnonce = newCnonce
  }

  /** Undefined before the first challenge. */
  header(method: string, uri: string): string | undefined {
    if (!this.#challenges || !this.#credentials) return undefined
    this.#count += 1
    const { user, password } = this.#credentials
    const about = { method, uri, challenges: this.#challenges, user, password }
    return authorize({ ...about, nonceCount: this.#count, cnonce: this.#cnonce })
  }

  /** A request with this login was answered. */
  accepted(): void {
    this.#accepted = this.#challenges !== undefined
  }

  /**
   * A 401. Unauthenticated when another try would only be refused again; `tries`: how often this request was
   * refused before. A nonce that is too old, or that worked until now, is replaced once.
   */
  challenged(challenges: readonly string[], tries: number): void {
    if (!this.#credentials) throw loginNeeded()
    const first = this.#challenges === undefined
    const replaced = tries <= 1 && (isStale(challenges) || this.#accepted)
    if (challenges.length === 0 || !(first || replaced)) throw refusal(401, '')
    this.#accepted = false
    this.#challenges = challenges
    const nonce = nonceOf(challenges)
    if (nonce === this.#nonce && nonce !== undefined) return
    this.#nonce = nonce
    this.#cnonce = this.#newCnonce()
    this.#count = 0
  }
}
