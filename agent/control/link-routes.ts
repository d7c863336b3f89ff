import * as api from '../../shared/contract/agent-api.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { requireRole } from './auth.ts'
import { type Route, route } from './route.ts'
import type { LinkRole, SignedPaths } from './signed-path.ts'

/** Links to streams for those who have no token: a player on a page, an encoder on a tripod. */
export function linkRoutes(links: SignedPaths, clock: Pick<Clock, 'nowMs'>): Route[] {
  return [
    route({
      method: 'post',
      path: '/agent/v1/streams/{name}/links',
      summary: 'A link that opens one stream for a while; to send, only for the admin',
      role: 'operator',
      status: 201,
      body: api.createLink,
      answer: api.linkCreated,
      handle: async ({ params, body: { role, expiresInS }, context }) => {
        const { name: stream = '' } = params
        if (!isName(stream))
          throw new AppError('InvalidArgument', '`name` is not a name', { zh: '名称无效。' })
        if (role === 'publisher') requireRole(context.principal, role, stream) // Nobody gives what he may not do.
        const expiresAtS = Math.floor(clock.nowMs() / 1000) + expiresInS
        const query = links.sign({ role, stream, expiresAtS })
        return { role, stream, expiresAt: expiresAtS * 1000, query, paths: pathsOf(role, stream, query) }
      },
    }),
  ]
}

function pathsOf(role: LinkRole, stream: string, query: string): api.LinkCreated['paths'] {
  const rtmp = `/live/${stream}?${query}`
  if (role === 'viewer') return { rtmp, flv: `/live/${stream}.flv?${query}` }
  return { rtmp, phone: `/android-cam?stream=${stream}&${query}` }
}
