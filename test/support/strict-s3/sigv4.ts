import { createHash, createHmac } from 'node:crypto'

/** What of a request SigV4 looks at. Names of headers are lower case; `path` is as it stood in the request line. */
export type Signable = { method: string; path: string; query: URLSearchParams; headers: Map<string, string> }

export type Scope = { accessKeyId: string; date: string; region: string; service: string }

/** `AKIA…/20260301/eu-central-1/s3/aws4_request` */
export function parseScope(credential: string): Scope | undefined {
  const parts = credential.split('/')
  const [accessKeyId, date, region, service, end] = parts
  if (parts.length !== 5 || end !== 'aws4_request') return undefined
  if (!accessKeyId || !/^\d{8}$/.test(date ?? '') || !date || !region || !service) return undefined
  return { accessKeyId, date, region, service }
}

/** `20260301T120000Z`, ms since the epoch; NaN for anything else. */
export function parseAmzDate(text: string): number {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (!found) return Number.NaN
  const [year = 0, month = 0, ...rest] = found.slice(1).map(Number)
  return Date.UTC(year, month - 1, ...(rest as [number, number, number, number]))
}

/**
 * The signature that a request must have (AWS General Reference, Signature Version 4, with S3's rules: the path
 * is not normalised and is encoded once). Written from the specification, not with the SDK that it judges.
 */
export function signatureOf(
  request: Signable,
  signing: { secret: string; scope: Scope; amzDate: string; signedHeaders: string[]; payloadHash: string },
): string {
  const { scope, amzDate, signedHeaders, payloadHash, secret } = signing
  const canonical = [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...signedHeaders.map(
      (name) => `${name}:${(request.headers.get(name) ?? '').trim().replaceAll(/ +/g, ' ')}`,
    ),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
  const scopeText = `${scope.date}/${scope.region}/${scope.service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', amzDate, scopeText, sha256Hex(canonical)].join('\n')
  return signTextWith(signingKeyOf(secret, scope), toSign)
}

export function signingKeyOf(secret: string, scope: Scope): Buffer {
  return ['aws4_request', scope.service, scope.region, scope.date].reduceRight<Buffer>(
    (secretKey, part) => hmac(secretKey, part),
    Buffer.from(`AWS4${secret}`),
  )
}

export const signTextWith = (key: Buffer, text: string): string => hmac(key, text).toString('hex')

export const sha256Hex = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()

const canonicalPath = (path: string) =>
  path
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/')

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b))

/** RFC 3986's unreserved characters stay. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
