import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError } from '../../shared/error.ts'
import {
  loginAddressesMax,
  loginCodeMs,
  loginCodesMax,
  loginTriesPerMinute,
  sessionMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'

/** Cookies of the page: `<token id>.<expiry, wall ms>.<HMAC-SHA-256>`. Good while the token they were made of is. */
export class Sessions {
  readonly #key: Buffer
  readonly #clock: Clock

  constructor(keyHex: string, clock: Clock) {
    this.#key = Buffer.from(keyHex, 'hex')
    this.#clock = clock
  }

  create(tokenId: string): string {
    const body = `${tokenId}.${this.#clock.nowMs() + sessionMs}`
    return `${body}.${this.#sign(body).toString('base64url')}`
  }

  /** The id of the token, or undefined when the cookie is not ours or has expired. */
  read(cookie: string): string | undefined {
    const [tokenId, expiry, signature, rest] = cookie.split('.')
    if (!tokenId || !expiry || !signature || rest !== undefined) return undefined
    const expected = this.#sign(`${tokenId}.${expiry}`)
    const given = Buffer.from(signature, 'base64url')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    return Number(expiry) > this.#clock.nowMs() ? tokenId : undefined
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

/** Links that open the page without typing a token: each good once, for ten minutes. */
export class LoginCodes {
  readonly #clock: Clock
  readonly #codes = new Map<string, { tokenId: string; expiresMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  create(tokenId: string): string {
    const oldest = this.#codes.keys().next().value
    if (this.#codes.size >= loginCodesMax && oldest !== undefined) this.#codes.delete(oldest)
    const code = randomBytes(24).toString('base64url')
    this.#codes.set(code, { tokenId, expiresMs: this.#clock.monotonicMs() + loginCodeMs })
    return code
  }

  /** The id of the token, once. */
  take(code: string): string | undefined {
    const found = this.#codes.get(code)
    this.#codes.delete(code)
    return found && found.expiresMs > this.#clock.monotonicMs() ? found.tokenId : undefined
  }
}

/** `ResourceExhausted` with the seconds to wait (HTTP: 429 and Retry-After). */
export class TooManyTries extends AppError {
  readonly retryAfterS: number

  constructor(retryAfterS: number) {
    super('ResourceExhausted', `too many tries: wait ${retryAfterS} s`, {
      zh: `尝试次数过多：请等待 ${retryAfterS} 秒。`,
    })
    this.retryAfterS = retryAfterS
  }
}

/** Wrong logins by address: a bucket of ten that fills in a minute. */
export class LoginGuard {
  readonly #clock: Clock
  readonly #tries = new Map<string, { count: number; sinceMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws `TooManyTries` when this address has used up its tries. */
  check(address: string): void {
    const tries = this.#tries.get(address)
    if (!tries) return
    const passedMs = this.#clock.monotonicMs() - tries.sinceMs
    if (passedMs >= 60_000) this.#tries.delete(address)
    else if (tries.count >= loginTriesPerMinute) throw new TooManyTries(Math.ceil((60_000 - passedMs) / 1000))
  }

  failed(address: string): void {
    const tries = this.#tries.get(address) ?? { count: 0, sinceMs: this.#clock.monotonicMs() }
    tries.count += 1
    this.#tries.delete(address) // Last in the map's order: the oldest are forgotten first.
    this.#tries.set(address, tries)
    const oldest = this.#tries.keys().next().value
    if (this.#tries.size > loginAddressesMax && oldest !== undefined) this.#tries.delete(oldest)
  }
}
