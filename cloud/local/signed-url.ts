import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { presignGetSMax, presignPutSMax } from '../../shared/limits.ts'
import { checkKey } from '../object-key.ts'
import type { UploadOptions } from '../ports.ts'

// `/store/<key>?expires=<s>&…&sig=<hex>`. The signature covers the method, the key, the expiry and, for a
// PUT, the values of the headers that the client must send: another length, digest or key is another signature.

const prefix = '/store/'

type GetRequest = { key: string; expiresS: number; filename?: string; contentType?: string }

export function presignPut(signingKey: Uint8Array, request: UploadOptions, nowMs: number) {
  const expires = expiry(request.expiresS, presignPutSMax, nowMs)
  // The names that S3 uses, so that the agent's uploader is the same for both.
  const headers: Record<string, string> = {
    'content-length': String(request.sizeBytes),
    'content-type': request.contentType,
    'if-none-match': '*',
  }
  if (request.sha256 !== undefined)
    headers['x-amz-checksum-sha256'] = Buffer.from(request.sha256, 'hex').toString('base64')
  const fields = putFields(checkKey(request.key), String(expires), headers)
  const url = `${prefix}${request.key}?expires=${expires}&sig=${sign(signingKey, fields)}`
  return { url, headers, expiresAt: expires * 1000 }
}

/** Fields of a form, as S3 names them (SigV4, "POST policy"); the policy says what they may be, the signature that it is ours. */
export function presignPost(signingKey: Uint8Array, request: UploadOptions, nowMs: number) {
  const expires = expiry(request.expiresS, presignPutSMax, nowMs)
  const { key, sizeBytes, contentType, sha256 } = request
  const said = {
    expires,
    key: checkKey(key),
    sizeBytes,
    contentType,
    ...(sha256 !== undefined && { sha256 }),
  }
  const policy = Buffer.from(JSON.stringify(said)).toString('base64')
  const fields = {
    key,
    'content-type': contentType,
    policy,
    'x-edgereel-signature': sign(signingKey, ['POST', policy]),
  }
  return { url: prefix, fields, expiresAt: expires * 1000 }
}

const postPolicy = z.object({
  expires: z.number(),
  key: z.string(),
  sizeBytes: z.number().int(),
  contentType: z.string(),
  sha256: z.string().optional(),
})

/** What the file behind these fields may be. */
export function verifyPost(
  signingKey: Uint8Array,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): SignedPut {
  const policy = fields.get('policy') ?? ''
  if (!isSignature(fields.get('x-edgereel-signature') ?? '', sign(signingKey, ['POST', policy])))
    throw forbidden('does not fit its signature')
  const said = postPolicy.parse(JSON.parse(Buffer.from(policy, 'base64').toString()))
  if (nowMs >= said.expires * 1000) throw forbidden('has expired: ask for a new one')
  if (fields.get('key') !== said.key || fields.get('content-type') !== said.contentType)
    throw forbidden('is for another key or type')
  const { key, sizeBytes, contentType, sha256 } = said
  return { key: checkKey(key), sizeBytes, contentType, sha256 }
}

export function presignGet(signingKey: Uint8Array, request: GetRequest, nowMs: number): string {
  const expires = expiry(request.expiresS, presignGetSMax, nowMs)
  const query = new URLSearchParams({ expires: String(expires) })
  if (request.filename !== undefined) query.set('filename', request.filename)
  if (request.contentType !== undefined) query.set('type', request.contentType)
  query.set('sig', sign(signingKey, getFields(checkKey(request.key), query)))
  return `${prefix}${request.key}?${query}`
}

export type SignedPut = { key: string; sizeBytes: number; sha256: string | undefined; contentType: string }
export type SignedGet = { key: string; filename: string | undefined; contentType: string | undefined }

/** What a PUT may store. Throws `PermissionDenied` (expired, forged, other headers) or `InvalidArgument`. */
export function verifyPut(signingKey: Uint8Array, url: URL, headers: Headers, nowMs: number): SignedPut {
  const checksum = headers.get('x-amz-checksum-sha256')
  const names = ['content-length', 'content-type', 'if-none-match'] as const
  const values: Record<string, string> = Object.fromEntries(
    names.map((name) => [name, headers.get(name) ?? '']),
  )
  if (checksum !== null) values['x-amz-checksum-sha256'] = checksum // Without the one that was signed it is another signature.
  const key = keyOf(url)
  const expires = url.searchParams.get('expires') ?? ''
  verify(signingKey, putFields(key, expires, values), url, nowMs)
  return {
    key,
    sizeBytes: Number(values['content-length']),
    sha256: checksum === null ? undefined : Buffer.from(checksum, 'base64').toString('hex'),
    contentType: values['content-type'] ?? '',
  }
}

export function verifyGet(signingKey: Uint8Array, url: URL, nowMs: number): SignedGet {
  const key = keyOf(url)
  verify(signingKey, getFields(key, url.searchParams), url, nowMs)
  return {
    key,
    filename: url.searchParams.get('filename') ?? undefined,
    contentType: url.searchParams.get('type') ?? undefined,
  }
}

function expiry(expiresS: number, expiresSMax: number, nowMs: number): number {
  if (!(expiresS > 0 && expiresS <= expiresSMax)) {
    throw new AppError('InvalidArgument', `A signed address lives between 1 and ${expiresSMax} seconds.`)
  }
  return Math.ceil(nowMs / 1000) + expiresS
}

function putFields(key: string, expires: string, headers: Record<string, string>): string[] {
  return ['PUT', key, expires, ...Object.entries(headers).flat()]
}

function getFields(key: string, query: URLSearchParams): string[] {
  return ['GET', key, ...['expires', 'filename', 'type'].map((name) => query.get(name) ?? '')]
}

function keyOf(url: URL): string {
  if (!url.pathname.startsWith(prefix)) throw forbidden('is not one of the store')
  return checkKey(url.pathname.slice(prefix.length))
}

/** JSON, so that no field can run into the next. */
function sign(signingKey: Uint8Array, fields: string[]): string {
  return createHmac('sha256', signingKey).update(JSON.stringify(fields)).digest('hex')
}

function verify(signingKey: Uint8Array, fields: string[], url: URL, nowMs: number): void {
  if (!isSignature(url.searchParams.get('sig') ?? '', sign(signingKey, fields)))
    throw forbidden('does not fit its signature')
  if (nowMs >= Number(url.searchParams.get('expires')) * 1000)
    throw forbidden('has expired: ask for a new one')
}

function isSignature(given: string, right: string): boolean {
  const [one, two] = [Buffer.from(given), Buffer.from(right)]
  return one.length === two.length && timingSafeEqual(one, two)
}

const forbidden = (why: string) =>
  new AppError('PermissionDenied', `The signed address ${why}.`, { zh: '签名链接无效或已过期，请重新获取。' })
