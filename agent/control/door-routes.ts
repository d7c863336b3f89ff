import { z } from 'zod'
import * as api from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import { loginCodeMs, profileSecondsMax, sessionMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type Auth, requireRole } from './auth.ts'
import { checkHealth, type HealthChecks } from './health.ts'
import type { Metrics } from './metrics.ts'
import { createProfiler, type ProfileKind } from './profile.ts'
import { type RequestContext, type Route, route } from './route.ts'
import type { Tokens } from './tokens.ts'

type DoorParts = { auth: Auth; tokens: Tokens; metrics: Metrics; health: HealthChecks; clock: Clock }

/** Who may come in, and how the agent is: what is not asked of `Commands`. */
export function doorRoutes(parts: DoorParts): Route[] {
  return [...sessionRoutes(parts.auth, parts.clock), ...tokenRoutes(parts.tokens), ...healthRoutes(parts)]
}

function sessionRoutes(auth: Auth, clock: Clock): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/session',
      summary: 'Who I am',
      role: 'signed-in',
      answer: api.sessionInfo,
      handle: async ({ context }) => describe(context.principal),
    }),
    route({
      method: 'post',
      path: '/agent/v1/session',
      summary: 'Exchanges a token for the page’s cookie',
      role: 'public',
      body: api.openSession,
      answer: api.sessionInfo,
      handle: async ({ body, context }) => {
        const { principal, cookie } = auth.login(body.token, context.address)
        return Response.json(describe(principal), {
          headers: { 'set-cookie': cookieHeader(auth, cookie, context) },
        })
      },
    }),
    route({
      method: 'delete',
      path: '/agent/v1/session',
      summary: 'Forgets the cookie',
      role: 'public',
      status: 204,
      handle: async ({ context }) =>
        new Response(null, { status: 204, headers: { 'set-cookie': cookieHeader(auth, '', context, 0) } }),
    }),
    route({
      method: 'post',
      path: '/agent/v1/login-links',
      summary: 'A link that opens the page as admin, once',
      role: 'admin',
      status: 201,
      answer: z.object({ path: z.string(), expiresAt: z.number().int() }),
      handle: async () => ({
        path: `/login?code=${auth.createLoginCode()}`,
        expiresAt: clock.nowMs() + loginCodeMs,
      }),
    }),
    route({
      method: 'get',
      path: '/login',
      summary: 'Opens the page by a link that was printed for it',
      role: 'public',
      query: z.object({ code: z.string().min(1).max(200) }),
      handle: async ({ query, context }) => {
        const { cookie } = auth.loginByCode(query.code, context.address)
        const headers = { location: '/', 'set-cookie': cookieHeader(auth, cookie, context) }
        return new Response(null, { status: 303, headers })
      },
    }),
  ]
}

function cookieHeader(
  auth: Auth,
  value: string,
  { secure }: RequestContext,
  maxAgeS = sessionMs / 1000,
): string {
  const flags = `Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
  return `${auth.cookieName}=${value}; ${flags}`
}

function describe({ subject, role, stream }: RequestContext['principal']) {
  return { subject, role, ...(stream === undefined ? {} : { stream }) }
}

function tokenRoutes(tokens: Tokens): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/tokens',
      summary: 'All tokens, without their secrets',
      role: 'admin',
      answer: z.object({ tokens: z.array(api.tokenInfo) }),
      handle: async () => ({ tokens: tokens.list() }),
    }),
    route({
      method: 'post',
      path: '/agent/v1/tokens',
      summary: 'Makes a token; the answer is the only place that shows it',
      role: 'admin',
      status: 201,
      body: api.createToken,
      answer: api.tokenCreated,
      handle: async ({ body }) => {
        if (body.stream !== undefined && body.role !== 'viewer' && body.role !== 'publisher') {
          throw new AppError('InvalidArgument', 'only a viewer or a publisher can be bound to one stream', {
            zh: '只有 viewer 或 publisher 可以绑定单个流。',
          })
        }
        return await tokens.create(body)
      },
    }),
    route({
      method: 'delete',
      path: '/agent/v1/tokens/{id}',
      summary: 'Revokes a token, by id or name',
      role: 'admin',
      status: 204,
      handle: ({ params }) => tokens.revoke(params.id ?? ''),
    }),
  ]
}

function healthRoutes({ metrics, health, clock }: DoorParts): Route[] {
  const profile = createProfiler(clock)
  const checks = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.string()) })
  return [
    route({
      method: 'get',
      path: '/healthz',
      summary: 'The process answers',
      role: 'public',
      answer: z.object({ status: z.literal('ok') }),
      handle: async () => ({ status: 'ok' }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'The agent takes cameras in; 503 with what is wrong',
      role: 'public',
      answer: checks,
      handle: async () => {
        const state = checkHealth(health)
        return Response.json(state, { status: state.ready ? 200 : 503 })
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      summary: 'Prometheus text; needs a token except from this machine',
      role: 'public',
      handle: async ({ context }) => {
        if (!context.loopback) requireRole(context.principal, 'viewer')
        return new Response(metrics.text(), {
          headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        })
      },
    }),
    ...(['cpu', 'heap'] as const).map((kind) => profileRoute(kind, profile)),
  ]
}

function profileRoute(
  kind: ProfileKind,
  profile: (kind: ProfileKind, seconds: number) => Promise<object>,
): Route {
  return route({
    method: 'get',
    path: `/agent/v1/debug/${kind}`,
    summary: kind === 'cpu' ? 'A CPU profile (.cpuprofile)' : 'A profile of allocations (.heapprofile)',
    role: 'admin',
    query: z.object({ seconds: z.coerce.number().int().min(1).max(profileSecondsMax).default(5) }),
    handle: async ({ query }) => {
      const file = `${kind}-${query.seconds}s.${kind}profile`
      const headers = { 'content-disposition': `attachment; filename="${file}"` }
      return Response.json(await profile(kind, query.seconds), { headers })
    },
  })
}
