import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type Auth, requireRole } from './auth.ts'
import { commandRoutes } from './command-routes.ts'
import type { Commands } from './commands-port.ts'
import { doorRoutes } from './door-routes.ts'
import type { HealthChecks } from './health.ts'
import { linkRoutes } from './link-routes.ts'
import type { Metrics } from './metrics.ts'
import { type CloudDocument, openApiText } from './openapi.ts'
import type { RequestContext, Route } from './route.ts'
import { type Sessions, sessionRoutes } from './session-routes.ts'
import type { SignedPaths } from './signed-path.ts'
import { snapshotRoutes } from './snapshot-routes.ts'
import type { Tokens } from './tokens.ts'
import { type VehicleCommands, vehicleRoutes } from './vehicle-routes.ts'

export type ApiOptions = {
  commands: Commands
  auth: Auth
  tokens: Tokens
  links: SignedPaths
  sessions: Sessions
  metrics: Metrics
  health: HealthChecks
  clock: Clock
  /** Absent where there are none. */
  vehicles?: VehicleCommands
  /** The document of the cloud's API, for the one of both; undefined while it is away. */
  cloudDocument?: () => Promise<CloudDocument | undefined>
}

export type AgentApi = (request: Request, context: RequestContext) => Promise<Response>

type Env = { Bindings: RequestContext }

/** The agent's API as a function: the same under `node:http` and in tests. It throws `AppError`; the door answers it. */
export function createApi(options: ApiOptions): AgentApi {
  const { commands, links, sessions, clock } = options
  const routes = [
    ...commandRoutes(commands, clock),
    ...snapshotRoutes(commands, clock),
    ...linkRoutes(links, clock),
    ...sessionRoutes(sessions),
    ...(options.vehicles ? vehicleRoutes(options.vehicles, clock) : []),
    ...doorRoutes(options),
  ]
  const app = new Hono<Env>()
  for (const route of routes) {
    app.on(route.method.toUpperCase(), honoPath(route.path), (context) => run(route, context))
  }
  const document = openApiText(routes, options.cloudDocument)
  app.get('/openapi.json', async (context) => {
    return context.body(await document(), 200, { 'content-type': 'application/json' })
  })
  app.notFound(() => {
    throw new AppError('NotFound', 'the API has nothing of that method and address', { zh: '接口不存在。' })
  })
  app.onError((error) => {
    throw error
  })
  return async (request, context) => await app.fetch(request, context)
}

async function run(route: Route, context: Context<Env>): Promise<Response> {
  const params = context.req.param() as Record<string, string>
  authorizeRoute(route, context.env, params.name)
  const body = route.body ? parse(route.body, await jsonBody(context.req.raw), 'body') : undefined
  const query = route.query ? parse(route.query, context.req.query(), 'query') : undefined
  const answer = await handled(route.handle({ params, body, query, context: context.env }), context.env)
  if (answer instanceof Response) return answer
  const headers = { 'cache-control': 'no-store' }
  if (route.status === 204) return new Response(null, { status: 204, headers })
  return Response.json(answer, { status: route.status, headers })
}

/** What else there is, is not told to a token of one stream. */
async function handled(answer: Promise<unknown>, { principal }: RequestContext): Promise<unknown> {
  if (principal.stream === undefined) return await answer
  return await answer.catch((cause: unknown) => {
    if (AppError.from(cause).kind !== 'NotFound') throw cause
    throw new AppError('NotFound', 'there is nothing of this name', { cause, zh: '没有此名称的内容。' })
  })
}

function authorizeRoute({ role }: Route, { principal }: RequestContext, stream: string | undefined): void {
  if (role === 'public') return
  if (role !== 'signed-in') requireRole(principal, role, stream)
  else if (principal.role === 'anonymous' || principal.role === 'unknown') requireRole(principal, 'viewer')
}

async function jsonBody(request: Request): Promise<unknown> {
  const text = await request.text()
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('InvalidArgument', 'the body is not JSON', { cause, zh: '请求正文不是 JSON。' })
  }
}

function parse(schema: z.ZodType, value: unknown, where: 'body' | 'query'): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.') || where
  throw new AppError('InvalidArgument', `${path}: ${issue?.message ?? 'not understood'}`, {
    zh: `${path}：参数无效。`,
  })
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}
