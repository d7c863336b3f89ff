import { createHash } from 'node:crypto'
import { type Api, createApi } from '../../cloud/api/app.ts'
import { addToken, type NewToken } from '../../cloud/rows/access.ts'
import type { AppError } from '../../shared/error.ts'
import { type JobsRig, openJobsRig } from './jobs-rig.ts'

export type Asked = { status: number; json: Record<string, unknown>; headers: Headers; text: string }

export type ApiRig = AsyncDisposable & {
  jobs: JobsRig
  api: Api
  /** `/v1`, `/s` and `/store` as one origin. */
  fetch(request: Request): Promise<Response>
  /** Failures that the API took for its own. */
  errors: AppError[]
  ask(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; accept?: string; acceptLanguage?: string },
  ): Promise<Asked>
  /** Adds a token and answers it. */
  token(token: Partial<NewToken> & { role: NewToken['role'] }): Promise<string>
  /** Of each role, one. */
  tokens: Record<'viewer' | 'publisher' | 'operator' | 'admin' | 'device', string>
}

export const internalToken = 'internal-token-of-the-rig'

/** The API over a local cloud whose clock stands still. */
export async function openApiRig(own: Parameters<typeof openJobsRig>[0] = {}): Promise<ApiRig> {
  const jobs = await openJobsRig(own)
  const errors: AppError[] = []
  const api = createApi({ ...jobs.ports, internalToken, onError: (error) => errors.push(error) })
  let made = 0
  const token: ApiRig['token'] = async (options) => {
    made += 1
    const text = `secret-${made}-of-${options.role}`
    const sha256 = createHash('sha256').update(text).digest('hex')
    await addToken(jobs.ports.catalogue, { name: text, createdAt: jobs.clock.nowMs(), ...options, sha256 })
    return text
  }
  const tokens = {
    viewer: await token({ role: 'viewer' }),
    publisher: await token({ role: 'publisher' }),
    operator: await token({ role: 'operator' }),
    admin: await token({ role: 'admin' }),
    device: await token({ role: 'device', agent: 'lab' }),
  }
  return {
    jobs,
    api,
    fetch: (request) =>
      new URL(request.url).pathname.startsWith('/store/')
        ? jobs.cloud.storeRoute(request)
        : api.fetch(request),
    errors,
    token,
    tokens,
    async ask(method, path, { token: given, body, accept, acceptLanguage } = {}) {
      const headers = new Headers()
      if (given !== undefined) headers.set('authorization', `Bearer ${given}`)
      if (accept !== undefined) headers.set('accept', accept)
      if (acceptLanguage !== undefined) headers.set('accept-language', acceptLanguage)
      if (body !== undefined) headers.set('content-type', 'application/json')
      const json = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await api.fetch(new Request(`http://cloud${path}`, { method, headers, ...json }))
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      const parsed = isJson ? (JSON.parse(text) as Record<string, unknown>) : {}
      return { status: response.status, json: parsed, headers: response.headers, text }
    },
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  }
}
