import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Account, authenticate } from './authenticate.ts'
import { checkSums } from './checksums.ts'
import { type CorsRule, corsHeaders, parseCors } from './cors.ts'
import { checkForm, readForm } from './form.ts'
import { eventMessage, matches, parseNotifications, type Rule } from './notifications.ts'
import { Refusal } from './refusal.ts'
import { Uploads } from './uploads.ts'

export type Asked = {
  method: string
  bucket: string
  key: string
  query: URLSearchParams
  headers: Map<string, string>
}

/**
 * `status`: an answer instead of the work. `reset`: the connection breaks before the work. `lose-answer`: after it.
 * `cut`: the body of the answer breaks off after so many bytes.
 */
export type Fault =
  | { status: number; code: string; retryAfterS?: number }
  | 'reset'
  | 'lose-answer'
  | { cut: number }

export type StrictS3Options = {
  /** An emulator that believes everything. */
  upstream: URL
  account: Account
  nowMs(): number
  /** The bucket's notifications, each once and in order: who wants them otherwise does it there. */
  onEvent(queueArn: string, message: string): void
}

export type StrictS3 = AsyncDisposable & {
  url: string
  /** Asked for each request; set it to break things. */
  fault: (asked: Asked) => Fault | undefined
  /** Codes of what was refused, oldest first. */
  refused: string[]
  /** Multipart uploads that were begun and neither completed nor aborted. */
  openUploads(): number
}

// Who asks was judged here. moto takes no notice of the signature, but shows nothing to a request that has none.
const someone =
  'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0'
const bodyBytesMax = 64 * 1024 * 1024

/**
 * S3's conscience in front of an emulator: signature (header and query), expiry, signed headers, length,
 * checksums, If-None-Match, sizes of parts, overlapping notifications, which pages may read. Path-style addresses.
 */
export async function startStrictS3(options: StrictS3Options): Promise<StrictS3> {
  const judge = new Judge(options)
  const server = createServer((request, response) => void judge.handle(request, response))
  server.keepAliveTimeout = 60_000 // A machine that stands still for seconds finds its connections as it left them.
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return Object.assign(judge.face, {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  })
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }
type Work = Asked & { path: string; body: Buffer }

class Judge {
  readonly face: Omit<StrictS3, 'url' | typeof Symbol.asyncDispose>
  readonly #options: StrictS3Options
  readonly #uploads = new Uploads()
  readonly #sums = new Map<string, Record<string, string>>()
  readonly #rules = new Map<string, Rule[]>()
  readonly #cors = new Map<string, CorsRule[]>()
  readonly #locks = new Map<string, Promise<unknown>>()

  constructor(options: StrictS3Options) {
    this.#options = options
    this.face = { fault: () => undefined, refused: [], openUploads: () => this.#uploads.count }
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const work = await readWork(request)
      const fault = this.face.fault(work)
      if (fault === 'reset') return void request.socket.destroy()
      const answer = typeof fault === 'object' && 'status' in fault ? faulty(fault) : await this.#answer(work)
      if (fault === 'lose-answer') return void request.socket.destroy()
      response.writeHead(answer.status, { ...answer.headers, ...this.#forPages(work), date: this.#date() })
      if (typeof fault !== 'object' || !('cut' in fault)) return void response.end(answer.body)
      response.write(answer.body.subarray(0, fault.cut), () => request.socket.destroy())
    } catch (cause) {
      const refusal = cause instanceof Refusal ? cause : new Refusal(500, 'InternalError', String(cause))
      this.face.refused.push(refusal.code)
      response.writeHead(refusal.status, { 'content-type': 'application/xml', date: this.#date() })
      response.end(request.method === 'HEAD' ? '' : refusal.xml)
    }
  }

  /** Nobody signs a preflight. */
  #preflight(work: Work): Answer {
    if (!this.#forPages(work))
      throw new Refusal(403, 'AccessForbidden', 'CORSResponse: This CORS request is not allowed.')
    return { status: 200, headers: {}, body: Buffer.alloc(0) }
  }

  #forPages({ bucket, method, headers }: Work): Record<string, string> | undefined {
    const origin = headers.get('origin')
    if (origin === undefined) return undefined
    const asked = { origin, method: headers.get('access-control-request-method') ?? method }
    const wanted = headers.get('access-control-request-headers')
    return corsHeaders(this.#cors.get(bucket) ?? [], { ...asked, wanted })
  }

  /** By which a client whose clock is wrong learns what the time is. */
  #date(): string {
    return new Date(this.#options.nowMs()).toUTCString()
  }

  async #answer(work: Work): Promise<Answer> {
    const { account, nowMs } = this.#options
    if (work.method === 'OPTIONS') return this.#preflight(work)
    const type = work.headers.get('content-type') ?? ''
    if (work.method === 'POST' && work.key === '' && type.startsWith('multipart/form-data'))
      return await this.#postForm(work, type)
    authenticate(work, work.body, account, nowMs())
    const { method, query } = work
    const id = query.get('uploadId')
    if (method === 'PUT' && query.has('notification')) return this.#setNotifications(work)
    if (method === 'PUT' && query.has('cors')) return this.#setCors(work)
    if (method === 'POST' && query.has('uploads')) return await this.#beginUpload(work)
    if (id !== null) return await this.#upload(work, id)
    if (method === 'PUT' && work.key !== '') return await this.#putObject(work)
    const answer = await this.#forward(work)
    if (answer.status < 300 && method !== 'PUT') Object.assign(answer.headers, overrides(query))
    if (answer.status === 200 && work.headers.get('x-amz-checksum-mode') === 'ENABLED')
      Object.assign(answer.headers, this.#sumsOf(work, answer))
    return answer
  }

  async #putObject(work: Work): Promise<Answer> {
    const sums = checkSums(work.headers, work.body)
    return await this.#create(work, 's3:ObjectCreated:Put', sums)
  }

  /** To the emulator it goes as a PUT: what a form must hold was judged here. */
  async #postForm(work: Work, type: string): Promise<Answer> {
    const form = await readForm(type, work.body)
    checkForm(form, work.bucket, this.#options.account, this.#options.nowMs())
    const { key, file, fields } = form
    const headers = new Map([['content-type', fields.get('content-type') ?? 'binary/octet-stream']])
    const sums = checkSums(fields, file)
    const path = `/${work.bucket}/${key}`
    const put = { ...work, method: 'PUT', key, path, body: file, headers }
    const answer = await this.#create(put, 's3:ObjectCreated:Post', sums)
    return answer.status === 200 ? { ...answer, status: 204, body: Buffer.alloc(0) } : answer
  }

  async #beginUpload(work: Work): Promise<Answer> {
    const answer = await this.#forward(work)
    const id = /<UploadId>(.*?)<\/UploadId>/.exec(answer.body.toString())?.[1] ?? ''
    const isFullObject = work.headers.get('x-amz-checksum-type') === 'FULL_OBJECT'
    this.#uploads.begin(id, { bucket: work.bucket, key: work.key, isFullObject })
    return answer
  }

  async #upload(work: Work, id: string): Promise<Answer> {
    this.#uploads.check(id, work.key)
    if (work.method === 'PUT') {
      checkSums(work.headers, work.body)
      this.#uploads.addPart(id, Number(work.query.get('partNumber')), work.body)
      return await this.#forward(work)
    }
    if (work.method === 'POST') {
      const sums = this.#uploads.checkComplete(id, work.body.toString(), work.headers)
      const answer = await this.#create(work, 's3:ObjectCreated:CompleteMultipartUpload', sums)
      this.#uploads.end(id)
      return answer
    }
    if (work.method === 'DELETE') this.#uploads.end(id)
    return await this.#forward(work)
  }

  /** Looks for the key and stores it with no one else in between. */
  async #create(work: Work, event: string, sums: Record<string, string>): Promise<Answer> {
    const place = `${work.bucket}/${work.key}`
    const condition = work.headers.get('if-none-match')
    if (condition !== undefined && condition !== '*')
      throw new Refusal(
        501,
        'NotImplemented',
        'A header you provided implies functionality that is not implemented',
      )
    const turn = (this.#locks.get(place) ?? Promise.resolve()).then(async () => {
      if (condition === '*' && (await this.#head(work)).status === 200)
        throw new Refusal(
          412,
          'PreconditionFailed',
          'At least one of the pre-conditions you specified did not hold',
        )
      const answer = await this.#forward(work)
      return { answer, head: answer.status === 200 ? await this.#head(work) : undefined }
    })
    this.#locks.set(
      place,
      turn.catch(() => {}),
    )
    const { answer, head } = await turn
    if (head) {
      this.#sums.set(place, { ...sums, etag: etagOf(head) })
      this.#notify(work, event, Number(head.headers['content-length']), etagOf(head))
    }
    return answer
  }

  #head({ bucket, path, key }: Work): Promise<Answer> {
    const query = new URLSearchParams()
    return this.#forward({
      method: 'HEAD',
      bucket,
      key,
      path,
      query,
      headers: new Map(),
      body: Buffer.alloc(0),
    })
  }

  #notify({ bucket, key }: Work, event: string, sizeBytes: number, etag: string): void {
    for (const rule of this.#rules.get(bucket) ?? []) {
      if (!matches(rule, event, key)) continue
      const nowMs = this.#options.nowMs()
      this.#options.onEvent(rule.queueArn, eventMessage({ event, bucket, key, sizeBytes, etag, nowMs }))
    }
  }

  #setNotifications({ bucket, body }: Work): Answer {
    this.#rules.set(bucket, parseNotifications(body.toString()))
    return { status: 200, headers: {}, body: Buffer.alloc(0) }
  }

  #setCors({ bucket, body }: Work): Answer {
    this.#cors.set(bucket, parseCors(body.toString()))
    return { status: 200, headers: {}, body: Buffer.alloc(0) }
  }

  #sumsOf({ bucket, key }: Work, answer: Answer): Record<string, string> {
    const { etag, ...sums } = this.#sums.get(`${bucket}/${key}`) ?? {}
    return etag === etagOf(answer) ? sums : {}
  }

  /** As it came, without what was judged here: emulators know half of it. */
  async #forward({ method, path, query, headers, body }: Work): Promise<Answer> {
    const kept = [...headers].filter(
      ([name]) =>
        !/^(host|connection|if-none-match$|x-amz-checksum|x-amz-sdk-checksum|x-amz-mp-|expect)/.test(name),
    )
    const unsigned = [...query].filter(([name]) => !name.startsWith('X-Amz-'))
    const search = unsigned.length > 0 ? `?${new URLSearchParams(unsigned)}` : ''
    const request = send(new URL(`${path}${search}`, this.#options.upstream), {
      method,
      headers: Object.fromEntries([
        ...kept,
        ['authorization', someone],
        ['content-length', String(body.length)],
      ]),
    })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const { connection: _connection, 'transfer-encoding': _coding, ...all } = response.headers
    const rest = Object.fromEntries(
      Object.entries(all).filter(([name]) => !name.startsWith('access-control-')),
    )
    const bytes = Buffer.concat(chunks)
    // moto says text/html of nothing; to an uploader that is the mark of a captive portal.
    if (bytes.length === 0 && method === 'PUT') delete rest['content-type']
    return { status: response.statusCode ?? 500, headers: rest, body: bytes }
  }
}

async function readWork(request: IncomingMessage): Promise<Work> {
  const [path = '', search = ''] = (request.url ?? '').split('?', 2)
  const headers = new Map<string, string>()
  for (const [name, value] of Object.entries(request.headersDistinct))
    headers.set(name, (value ?? []).join(','))
  const [, bucket = '', ...rest] = path.split('/')
  const method = request.method ?? 'GET'
  if (method === 'PUT' && !headers.has('content-length'))
    throw new Refusal(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request) {
    sizeBytes += (chunk as Buffer).length
    if (sizeBytes > bodyBytesMax)
      throw new Refusal(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum')
    chunks.push(chunk as Buffer)
  }
  const key = rest.map(decodeURIComponent).join('/')
  return {
    method,
    path,
    bucket,
    key,
    query: new URLSearchParams(search),
    headers,
    body: Buffer.concat(chunks),
  }
}

/** `response-content-type=…` and the like, which only a signed request may ask for. */
function overrides(query: URLSearchParams): Record<string, string> {
  const wanted = [...query].filter(([name]) => name.startsWith('response-'))
  return Object.fromEntries(wanted.map(([name, value]) => [name.slice('response-'.length), value]))
}

function faulty({ status, code, retryAfterS }: Extract<Fault, { status: number }>): Answer {
  const { xml } = new Refusal(status, code, 'Told to.')
  const headers = {
    'content-type': 'application/xml',
    ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
  }
  return { status, headers, body: Buffer.from(xml) }
}

const etagOf = ({ headers }: Answer): string => String(headers.etag ?? '')
