import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, kindOfStatus } from '../../shared/error.ts'
import { dataDirectory } from '../config.ts'
import { failure } from './words.ts'

/** How a client command finds its server; the options that every such command takes. */
export type ServerOptions = { data?: string; port?: string; api?: string; token?: string }

/** A running edgereel, spoken to over HTTP. */
export type Server = {
  base: URL
  /** JSON in, JSON out. Errors are AppError with the server's own sentence. */
  call<Answer>(method: string, path: string, body?: unknown): Promise<Answer>
  /** The response itself, redirects followed, for downloads. */
  fetch(path: string, request?: { method: string; body: unknown }): Promise<Response>
}

const requestTimeoutMs = 60_000 // The longest answer is `phones start`, which waits for every phone.

/** `--api`, then EDGEREEL_API, then this machine's port; the token likewise, then the data directory's admin.token. */
export async function findServer(options: ServerOptions): Promise<Server> {
  const api = options.api ?? process.env.EDGEREEL_API
  const data = dataDirectory(options.data)
  const base = addressOf(api ?? `http://127.0.0.1:${options.port ?? (await runningPort(data)) ?? 50001}`)
  const token = options.token ?? process.env.EDGEREEL_TOKEN ?? (api ? undefined : await adminToken(data))
  return serverAt(base, token ? { authorization: `Bearer ${token}` } : {})
}

function addressOf(text: string): URL {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol)) return url
  throw failure('InvalidArgument', {
    en: `${text} is no address of a server: check --api or --port; it looks like http://127.0.0.1:50001`,
    zh: `${text} 不是服务器地址：请检查 --api 或 --port，形如 http://127.0.0.1:50001`,
  })
}

/** A server at a given address. */
export function serverAt(base: URL, headers: Record<string, string>): Server {
  return {
    base,
    call: (method, path, body) => call(base, headers, method, path, body),
    fetch: (path, asked) => request(new URL(path, base), asked ? sending(headers, asked) : { headers }),
  }
}

/** The agent that this process has started, whatever the environment names. */
export async function ownServer({ data, port }: { data: string; port: string }): Promise<Server> {
  const token = (await adminToken(data)) ?? ''
  return serverAt(new URL(`http://127.0.0.1:${port}`), { authorization: `Bearer ${token}` })
}

/** `up` writes where it listens, so that `--port` need not be given again. */
async function runningPort(data: string): Promise<string | undefined> {
  return readFile(join(data, 'port'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

async function adminToken(data: string): Promise<string | undefined> {
  return readFile(join(data, 'admin.token'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

async function call<Answer>(
  base: URL,
  headers: Record<string, string>,
  method: string,
  path: string,
  body: unknown,
) {
  const json = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await request(new URL(path, base), {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...json,
  })
  const text = await response.text()
  return (text ? parseJson(text, base) : undefined) as Answer
}

function sending(headers: Record<string, string>, { method, body }: { method: string; body: unknown }) {
  return { method, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(requestTimeoutMs) })
  } catch (cause) {
    throw failure(
      'Unavailable',
      {
        en: `no answer from ${url.origin}: start edgereel there (edgereel up), or name the server with --port or --api`,
        zh: `${url.origin} 没有应答：请先启动 edgereel（edgereel up），或用 --port、--api 指定服务器`,
      },
      { cause },
    )
  }
  if (!response.ok) throw await refusal(response)
  return response
}

async function refusal(response: Response): Promise<AppError> {
  type Body = { error?: { message?: string; messageZh?: string } }
  const body = (await response.json().catch(() => ({}))) as Body
  const message = body.error?.message ?? `the server answered ${response.status}`
  const zh = body.error?.messageZh
  if (response.status === 401) {
    return failure('Unauthenticated', {
      en: `${message.replace(/\.$/, '')}: give --token, or --data with the directory of the running edgereel`,
      zh: `${(zh ?? message).replace(/。$/, '')}：请用 --token，或用 --data 指定正在运行的 edgereel 的目录`,
    })
  }
  return new AppError(kindOfStatus(response.status), message, zh ? { zh } : {})
}

function parseJson(text: string, base: URL): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw failure(
      'Unavailable',
      {
        en: `what answers at ${base.origin} is not edgereel; check --api`,
        zh: `${base.origin} 的应答不是 edgereel，请检查 --api`,
      },
      { cause },
    )
  }
}
