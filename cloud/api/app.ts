import { Hono } from 'hono'
import { AppError } from '../../shared/error.ts'
import type { Pages } from '../../shared/node/read-pages.ts'
import { anonymous, authorize, createAuthenticator } from './caller.ts'
import { openApi } from './openapi.ts'
import { pageAnswer } from './pages.ts'
import { type ApiPorts, parseInput, type Route, readJson } from './route.ts'
import { agentRoutes } from './routes/agents.ts'
import { healthRoutes } from './routes/health.ts'
import { mediaRoutes } from './routes/media.ts'
import { rangeRoutes } from './routes/range.ts'
import { rebuildRoutes } from './routes/rebuild.ts'
import { recordingRoutes } from './routes/recordings.ts'
import { segmentRoutes } from './routes/segments.ts'
import { sessionRoutes } from './routes/session.ts'
import { shareRoutes } from './routes/shares.ts'
import { taskRoutes } from './routes/tasks.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { uploadRoutes } from './routes/upload.ts'
import { ownFileRoutes } from './routes/uploads.ts'

export type ApiOptions = ApiPorts & {
  /** Of the agent on the same PC; with it, and only with it, x-edgereel-role and x-edgereel-subject count. */
  internalToken?: string
  /** The page, where this API is what browsers reach: with it come sessions. `store`: the origin of files. */
  page?: { pages: Pages; store: string }
  /** Failures that are ours, for the log. */
  onError?: (error: AppError, requestId: string) => void
}

export type Api = { fetch(request: Request): Promise<Response> }

/** The cloud API (CONTRACT.md, Cloud API): the same under node:http and as a Lambda. */
export function createApi(options: ApiOptions): Api {
  const routes = [
    ...recordingRoutes(options),
    ...mediaRoutes(options),
    ...shareRoutes(options),
    ...segmentRoutes(options),
    ...rangeRoutes(options),
    ...rebuildRoutes(options),
    ...taskRoutes(options),
    ...agentRoutes(options),
    ...tokenRoutes(options),
    ...uploadRoutes(options),
    ...ownFileRoutes(options),
    ...healthRoutes(options),
    ...(options.page ? sessionRoutes(options) : []),
  ]
  const document = openApi(routes)
  const app = new Hono()
  app.get('/v1/openapi.json', () => answer(Response.json(document)))
  const serve = createServe(options)
  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    app.on(route.method, path, (context) => serve(route, context.req.raw, context.req.param()))
  }
  app.notFound((context) => {
    const { method, path } = context.req
    const { page } = options
    const file = page && method === 'GET' ? pageAnswer(page.pages, path, page.store) : undefined
    if (file) return answer(file)
    const error = new AppError('NotFound', 'There is nothing at this address.', { zh: '此地址不存在。' })
    return errorResponse(error, requestIdOf(context.req.raw))
  })
  return { fetch: async (request) => app.fetch(request) }
}

function createServe(options: ApiOptions) {
  const authenticate = createAuthenticator({
    catalogue: options.catalogue,
    nowMs: () => options.clock.nowMs(),
    ...(options.internalToken === undefined ? {} : { internalToken: options.internalToken }),
    sessions: options.page !== undefined,
  })
  return async (route: Route, request: Request, params: Record<string, string>): Promise<Response> => {
    const requestId = requestIdOf(request)
    try {
      const { headers } = request
      const caller = route.access === 'anyone' ? anonymous : await authenticate(request)
      authorize(route.access, caller)
      const result = await route.handle({
        params: parseInput(route.params, params),
        query: parseInput(route.query, Object.fromEntries(new URL(request.url).searchParams)),
        body: route.body && parseInput(route.body, await readJson(request)),
        caller,
        headers,
      })
      if (result instanceof Response) return answer(result)
      return answer(Response.json(route.answer?.parse(result), { status: route.status }))
    } catch (cause) {
      const error = AppError.from(cause)
      if (error.httpStatus >= 500) options.onError?.(error, requestId)
      return errorResponse(error, requestId)
    }
  }
}

/** Answers hold addresses that work for whoever has them: no cache keeps them, no other page learns them. */
function answer(response: Response): Response {
  const { headers } = response
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('x-content-type-options', 'nosniff')
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', "default-src 'none'")
  return response
}

function errorResponse(error: AppError, requestId: string): Response {
  // What nobody foresaw may name files or keys: the log has it, under the request's id.
  const ours = error.kind === 'Internal' || error.kind === 'DataLoss'
  const message = ours ? 'Something went wrong here; the log has it under this request id.' : error.message
  const messageZh = ours ? '服务器内部错误，详情见日志中的请求编号。' : error.messageZh
  const body = {
    error: { code: error.kind, message, ...(messageZh === undefined ? {} : { messageZh }), requestId },
  }
  const headers: Record<string, string> = { 'x-request-id': requestId }
  if (error.kind === 'Unauthenticated') headers['www-authenticate'] = 'Bearer'
  if (error.kind === 'ResourceExhausted' || error.kind === 'Unavailable') headers['retry-after'] = '5'
  return answer(Response.json(body, { status: error.httpStatus, headers }))
}

function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id') ?? ''
  return /^[A-Za-z0-9-]{8,64}$/.test(given) ? given : crypto.randomUUID()
}
