import { z } from 'zod'
import * as api from '../../shared/contract/agent-api.ts'
import { type Route, route } from './route.ts'

/** Those who send and watch now. */
export type Sessions = { list(): api.LiveSession[]; close(id: string): void }

export function sessionRoutes(sessions: Sessions): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/sessions',
      summary: 'Who sends and who watches now, over every transport',
      role: 'operator',
      query: z.object({ stream: z.string().optional(), role: z.enum(['publisher', 'viewer']).optional() }),
      answer: z.object({ sessions: z.array(api.liveSession) }),
      handle: async ({ query: { stream, role } }) => {
        const wanted = (session: api.LiveSession) =>
          (stream === undefined || session.stream.toLowerCase() === stream.toLowerCase()) &&
          (role === undefined || session.role === role)
        return { sessions: sessions.list().filter(wanted) }
      },
    }),
    route({
      method: 'delete',
      path: '/agent/v1/sessions/{id}',
      summary: 'Closes one; it may come again unless its token is revoked',
      role: 'operator',
      status: 204,
      handle: async ({ params }) => sessions.close(params.id ?? ''),
    }),
  ]
}
