import { signal } from '@preact/signals'
import { learnServerTime } from './clock.ts'
import { language } from './text/text.ts'

/** A refusal of the server, or its silence (`status` 0), as one sentence for the person at the page. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly requestId: string | undefined

  constructor(status: number, message: string, requestId?: string) {
    super(message)
    this.status = status
    this.requestId = requestId
  }
}

/** True once the server asked for a token: the page then shows the sign-in form. */
export const signedOut = signal(false)

type ErrorBody = { error?: { message?: string; messageZh?: string; requestId?: string } }

/** Path with those of `query` that have a value. */
export function pathOf(path: string, query: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(key, String(value))
  }
  return search.size === 0 ? path : `${path}?${search}`
}

async function send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, headers: { 'accept-language': language.value } }
  if (signal) init.signal = signal
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'accept-language': language.value, 'content-type': 'application/json' }
  }
  const response = await fetch(path, init).catch((cause: unknown) => {
    if (signal?.aborted) throw cause
    throw new ApiError(0, unreachable())
  })
  learnServerTime(response.headers.get('date'))
  if (response.ok) return response
  if (response.status === 401) signedOut.value = true
  throw await refusal(response)
}

/** Sends JSON; gives the JSON of the answer, undefined when it has none. Throws `ApiError`. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const response = await send(method, path, body, signal)
  const text = await response.text()
  return (text === '' ? undefined : JSON.parse(text)) as T
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody
  const { message, messageZh, requestId } = body.error ?? {}
  const words = (language.value === 'zh' ? messageZh : undefined) ?? message
  return new ApiError(response.status, words ?? `HTTP ${response.status}`, requestId)
}

export const unreachable = (): string =>
  language.value === 'zh' ? '无法连接服务器，正在重试。' : 'The server does not answer; trying again.'
