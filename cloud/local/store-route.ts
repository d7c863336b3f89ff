import { ReadableStream } from 'node:stream/web'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { contentDisposition } from '../content-disposition.ts'
import type { ObjectStore, PutOptions } from '../ports.ts'
import { readForm } from './form-post.ts'
import { type SignedGet, type SignedPut, verifyGet, verifyPost, verifyPut } from './signed-url.ts'

type Options = { store: ObjectStore; signingKey: Uint8Array; clock: Pick<Clock, 'nowMs'> }

/**
 * Serves the local store's signed addresses, `/store/<key>?…`, as S3 would: PUT (200; 412 when the key is
 * taken, 400 BadDigest, 403 expired or forged), POST of a form (204, else the same), GET and HEAD (200, 206 with one range, 404, 416).
 */
export function storeRoute(options: Options): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      if (request.method === 'PUT') return await put(request, options)
      if (request.method === 'POST') return await post(request, options)
      if (request.method === 'GET' || request.method === 'HEAD') return await get(request, options)
      return refusal(
        405,
        new AppError('InvalidArgument', 'The store knows GET, HEAD, PUT and POST of a form.'),
      )
    } catch (cause) {
      const error = AppError.from(cause)
      return refusal(error.kind === 'AlreadyExists' ? 412 : error.httpStatus, error)
    }
  }
}

async function put(request: Request, { store, signingKey, clock }: Options): Promise<Response> {
  const signed = verifyPut(signingKey, new URL(request.url), request.headers, clock.nowMs())
  await store.put(signed.key, request.body ?? new Uint8Array(), putOptions(signed))
  return new Response(null, {
    status: 200,
    headers: signed.sha256 === undefined ? {} : { etag: `"${signed.sha256}"` },
  })
}

/** A form of a page: 204 as S3's. */
async function post(request: Request, { store, signingKey, clock }: Options): Promise<Response> {
  const form = await readForm(request.headers.get('content-type') ?? '', request.body ?? [])
  const signed = verifyPost(signingKey, form.fields, clock.nowMs())
  await store.put(signed.key, form.file, putOptions(signed))
  return new Response(null, { status: 204 })
}

function putOptions({ sizeBytes, sha256, contentType }: SignedPut): PutOptions {
  return { sizeBytes, contentType, ifAbsent: true, ...(sha256 !== undefined && { sha256 }) }
}

async function get(request: Request, { store, signingKey, clock }: Options): Promise<Response> {
  const signed = verifyGet(signingKey, new URL(request.url), clock.nowMs())
  const head = await store.head(signed.key, { sizeOnly: true })
  if (!head) throw new AppError('NotFound', 'The object is not there any more.')
  const size = head.sizeBytes
  const etag = `"${size}-${head.lastModifiedMs}"` // An object is written once: no need to read all of it for a hash.
  const headers = new Headers({
    ...answerHeaders(signed),
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(head.lastModifiedMs).toUTCString(),
  })
  const ifRange = request.headers.get('if-range')
  const asked = ifRange === null || ifRange === etag ? request.headers.get('range') : null
  const range = parseRange(asked, size)
  if (range === 'unsatisfiable') {
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${size}` } })
  }
  const { start, end } = range ?? { start: 0, end: size }
  headers.set('content-length', String(end - start))
  if (range) headers.set('content-range', `bytes ${start}-${end - 1}/${size}`)
  const body =
    request.method === 'HEAD' || size === 0
      ? null
      : ReadableStream.from(await store.get(signed.key, { start, end }))
  return new Response(body as BodyInit | null, { status: range ? 206 : 200, headers })
}

// What the archive holds; anything else is offered as bytes. A page is never served from here.
const typeByExtension: Record<string, string> = {
  mp4: 'video/mp4',
  jpg: 'image/jpeg',
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
}

function answerHeaders(signed: SignedGet): Record<string, string> {
  const extension = signed.key.split('.').at(-1) ?? ''
  const headers: Record<string, string> = {
    'content-type': signed.contentType ?? typeByExtension[extension] ?? 'application/octet-stream',
    'cache-control': 'private, no-store',
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  }
  if (signed.filename !== undefined) headers['content-disposition'] = contentDisposition(signed.filename)
  return headers
}

/** One range as RFC 9110, 14.1.2; end exclusive. Anything else than one byte range is not a range: the whole is answered. */
export function parseRange(
  header: string | null,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [from, to] = [match[1] ?? '', match[2] ?? '']
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  const start = from === '' ? Math.max(size - Number(to), 0) : Number(from)
  const end = from === '' || to === '' ? size : Math.min(Number(to) + 1, size)
  return start >= end ? 'unsatisfiable' : { start, end }
}

function refusal(status: number, error: AppError): Response {
  const { kind, message, messageZh } = error
  const headers: Record<string, string> = status === 503 ? { 'retry-after': '30' } : {}
  return Response.json({ error: { code: kind, message, messageZh } }, { status, headers })
}
