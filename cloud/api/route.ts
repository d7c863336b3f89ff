import type { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { jsonBodyBytesMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Catalogue, ObjectStore, Queue } from '../ports.ts'
import type { Access, Caller } from './caller.ts'

/** What the routes need of the world. */
export type ApiPorts = {
  store: ObjectStore
  catalogue: Catalogue
  queue: Queue
  clock: Clock
  /** `https://…` under which people reach this API; absent: addresses in answers are path-absolute. */
  publicUrl?: string
  /** The machine that holds the archive; absent on AWS. */
  machine?: () => Promise<Machine>
}

export type Machine = {
  disk: { freeBytes: number; totalBytes: number; low: boolean }
  /** Whether FFmpeg was found. */
  ffmpeg: boolean
}

export type Question<P, Q, B> = { params: P; query: Q; body: B; caller: Caller; headers: Headers }

type Shape<P, Q, B> = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `/v1/recordings/{id}` */
  path: string
  summary: string
  access: Access
  params?: z.ZodType<P>
  query?: z.ZodType<Q>
  body?: z.ZodType<B>
}

/** A route as data: the app, the OpenAPI document and the tests of who may do what are made from one list. */
export type Route = Shape<unknown, unknown, unknown> & {
  /** Of a JSON answer; absent: the handler answers with a redirect or a text. */
  answer?: z.ZodType
  status: number
  handle(question: Question<unknown, unknown, unknown>): Promise<unknown>
}

/** Ties a handler's types to its schemas. `answer` is what is sent: keys that it does not name are left out. */
export function route<P, Q, B, A extends z.ZodType>(
  shape: Shape<P, Q, B> & {
    answer: A
    status?: number
    handle(question: Question<P, Q, B>): Promise<z.input<A>>
  },
): Route {
  return { status: 200, ...shape } as unknown as Route
}

/** A route that answers with something other than JSON. */
export function rawRoute<P, Q, B>(
  shape: Shape<P, Q, B> & { status: number; handle(question: Question<P, Q, B>): Promise<Response> },
): Route {
  return shape as unknown as Route
}

export function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } })
}

/** Parses what came over the wire; the first broken rule is the message. */
export function parseInput<T>(schema: z.ZodType<T> | undefined, input: unknown): T | undefined {
  if (!schema) return undefined
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue?.path.length ? `${issue.path.map(String).join('.')}: ` : ''
  const words = `${where}${issue?.message ?? 'not valid'}`.slice(0, 300)
  throw new AppError('InvalidArgument', `The request is not valid: ${words}.`, { zh: `请求无效：${words}` })
}

/** The JSON body, refused before it is read when it is not JSON or too long. */
export async function readJson(request: Request): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) {
    throw new AppError(
      'InvalidArgument',
      'The body must be JSON, with the header Content-Type: application/json.',
      {
        zh: '请求体必须是 JSON，并带有 Content-Type: application/json 头。',
      },
    )
  }
  const bytes = await readBounded(request, jsonBodyBytesMax)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AppError('InvalidArgument', 'The body is not valid JSON.', {
      cause,
      zh: '请求体不是有效的 JSON。',
    })
  }
}

async function readBounded(request: Request, bytesMax: number): Promise<Uint8Array> {
  const tooLong = () =>
    new AppError('InvalidArgument', `The body is longer than ${bytesMax} bytes.`, {
      zh: `请求体超过 ${bytesMax} 字节。`,
    })
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLong()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > bytesMax) throw tooLong()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
