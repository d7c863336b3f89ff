import type { z } from 'zod'
import type { Role } from '../../shared/contract/agent-api.ts'
import type { Principal } from './auth.ts'

/** What the door knows of a request beside the request itself. */
export type RequestContext = {
  principal: Principal
  address: string
  loopback: boolean
  /** The connection is TLS: cookies may say so. */
  secure: boolean
  requestId: string
}

export type RouteCall<Body, Query> = {
  params: Record<string, string>
  body: Body
  query: Query
  context: RequestContext
}

/**
 * One operation of the API, in the words from which both the router and `/openapi.json` are made.
 * `role`: what the caller needs; `signed-in`: any token; `public`: none. With `{name}` in the path a token that is
 * bound to that stream will do.
 */
export type Route = {
  method: 'get' | 'post' | 'put' | 'delete'
  /** OpenAPI form: `/agent/v1/streams/{name}`. */
  path: string
  summary: string
  role: Role | 'signed-in' | 'public'
  body?: z.ZodType
  query?: z.ZodType
  answer?: z.ZodType
  /** 204 when there is no answer. */
  status: 200 | 201 | 204
  /** A `Response` is sent as it is. */
  handle(call: RouteCall<unknown, unknown>): Promise<unknown>
}

type RouteOf<Body extends z.ZodType, Query extends z.ZodType> = Omit<
  Route,
  'body' | 'query' | 'handle' | 'status'
> & {
  body?: Body
  query?: Query
  status?: Route['status']
  handle(call: RouteCall<z.output<Body>, z.output<Query>>): Promise<unknown>
}

/** Ties the handler's types to the schemas of the same route. The router parses before it calls. */
export function route<Body extends z.ZodType = z.ZodUndefined, Query extends z.ZodType = z.ZodUndefined>(
  definition: RouteOf<Body, Query>,
): Route {
  const { handle, status = 200, ...rest } = definition
  return {
    ...rest,
    status,
    handle: (call) => handle(call as RouteCall<z.output<Body>, z.output<Query>>),
  }
}
