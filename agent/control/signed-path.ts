import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'

/** What a link is good for: to watch, or to send. */
export type LinkRole = 'viewer' | 'publisher'

export type LinkRequest = {
  role: LinkRole
  app: string
  /** Undefined: the request names none, and no link can be good for it. */
  stream: string | undefined
  query: URLSearchParams
}

/** Secrets of Node-Media-Server's scheme; a role without one takes no such links. */
export type NmsSecrets = Readonly<Record<'play' | 'publish', string | null>>

/** Links that open one stream for a while, and that only a holder of the key can make. */
export type SignedPaths = {
  /** The query that opens this stream in this role until then. */
  sign(link: { role: LinkRole; stream: string; expiresAtS: number }): string
  /** Whether the query holds a link that is good for this. `Unauthenticated` for one that is wrong or too old. */
  opens(request: LinkRequest): boolean
}

type Options = { keyHex: string; nms: NmsSecrets; clock: Pick<Clock, 'nowMs'> }

const expiryPattern = /^[1-9]\d{0,11}$/

/**
 * Two schemes, both bound to a stream and an expiry in seconds since 1970:
 *
 *   ?exp=<s>&sig=<base64url of HMAC-SHA-256(key, "edgereel-link-1" LF role LF stream in lower case LF exp)>
 *   ?sign=<s>-<hex of MD5("/" app "/" stream "-" exp "-" secret)>        Node-Media-Server's, if configured
 *
 * The app is not in ours: it is no part of a stream's name here, and one link then serves every transport. Node-
 * Media-Server's is the same for watching and sending: only different secrets keep the two apart.
 */
export function createSignedPaths({ keyHex, nms, clock }: Options): SignedPaths {
  const key = Buffer.from(keyHex, 'hex')
  const signature = (role: LinkRole, stream: string, exp: string) =>
    createHmac('sha256', key)
      .update(`edgereel-link-1\n${role}\n${stream.toLowerCase()}\n${exp}`)
      .digest('base64url')

  const ours = ({ role, stream, query }: LinkRequest, sig: string): boolean => {
    const exp = query.get('exp') ?? ''
    if (!isName(stream ?? '') || !expiryPattern.test(exp)) return false
    return isSame(signature(role, stream ?? '', exp), sig) && isFresh(exp, clock)
  }

  const theirs = ({ app, stream }: LinkRequest, sign: string, secret: string): boolean => {
    const [exp = '', md5 = ''] = sign.split('-')
    if (!isName(stream ?? '') || !expiryPattern.test(exp)) return false
    const expected = createHash('md5').update(`/${app}/${stream}-${exp}-${secret}`).digest('hex')
    return isSame(expected, md5) && isFresh(exp, clock)
  }

  return {
    sign: ({ role, stream, expiresAtS }) => {
      const exp = String(expiresAtS)
      return `exp=${exp}&sig=${signature(role, stream, exp)}`
    },
    opens: (request) => {
      const sig = request.query.get('sig')
      const sign = request.query.get('sign')
      const secret = request.role === 'viewer' ? nms.play : nms.publish
      if (sig !== null) return ours(request, sig) || refuse()
      if (sign !== null && secret !== null) return theirs(request, sign, secret) || refuse()
      return false
    },
  }
}

/** The text, not what it decodes to: there is one way to write a signature. */
function isSame(expected: string, given: string): boolean {
  const [left, right] = [Buffer.from(expected), Buffer.from(given)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Asked of a signature that is good: only its owner learns that it was one. */
function isFresh(exp: string, clock: Pick<Clock, 'nowMs'>): true {
  if (Number(exp) * 1000 >= clock.nowMs()) return true
  throw new AppError('Unauthenticated', 'this link has expired: ask for a new one', {
    zh: '此链接已过期：请重新获取。',
  })
}

function refuse(): never {
  throw new AppError('Unauthenticated', 'this link is wrong: it opens another stream, or was changed', {
    zh: '此链接无效：不属于该流，或已被改动。',
  })
}
