import { z } from 'zod'
import { apiError } from '../../shared/contract/agent-api.ts'
import type { Route } from './route.ts'

/** `paths` of an OpenAPI document. */
type OpenApiPaths = Record<string, Record<string, unknown>>

/** What is read of the document of the cloud beside this agent. */
export const cloudDocument = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})
export type CloudDocument = z.infer<typeof cloudDocument>

const nameParameter = { name: 'name', in: 'path', required: true, schema: { type: 'string' } }
const appParameter = { name: 'app', in: 'path', required: true, schema: { type: 'string' } }
const tokenParameter = {
  name: 'token',
  in: 'query',
  description:
    'For players and sockets that cannot send headers: a viewer or publisher token bound to this stream',
  schema: { type: 'string' },
}
const linkParameters = [
  { name: 'exp', in: 'query', description: 'Of a signed link: its end, seconds since 1970' },
  { name: 'sig', in: 'query', description: 'Of a signed link: see POST /agent/v1/streams/{name}/links' },
].map((parameter) => ({ ...parameter, schema: { type: 'string' } }))

// Doors that are not part of the router: bytes on sockets.
const mediaPaths: OpenApiPaths = {
  '/{app}/{name}.flv': {
    get: {
      summary: 'The live stream as FLV, over HTTP or as WebSocket',
      'x-role': 'viewer',
      security: [{ bearer: [] }, { query: [] }],
      parameters: [appParameter, nameParameter, tokenParameter, ...linkParameters],
      responses: { 200: { description: 'FLV', content: { 'video/x-flv': {} } }, default: errorResponse() },
    },
  },
  '/android-cam': {
    get: {
      summary: 'WebSocket of a phone; without a token it waits to be allowed',
      'x-role': 'publisher',
      security: [{ bearer: [] }, { query: [] }, {}],
      parameters: [
        tokenParameter,
        { ...nameParameter, name: 'stream', in: 'query', required: false },
        ...linkParameters,
      ],
      responses: { 101: { description: 'WebSocket' }, default: errorResponse() },
    },
  },
}

/**
 * The document as text. It is public and takes 10 ms to make: made once, and once more when the cloud has said its part,
 * or anybody could keep the agent busy with it.
 */
export function openApiText(
  routes: readonly Route[],
  readCloud?: () => Promise<CloudDocument | undefined>,
): () => Promise<string> {
  const textOf = (cloud?: CloudDocument) => JSON.stringify(openApiDocument(routes, cloud))
  let ours: string | undefined
  let whole: string | undefined
  return async () => {
    if (whole !== undefined) return whole
    const cloud = await readCloud?.()
    if (cloud) whole ??= textOf(cloud)
    else ours ??= textOf()
    return whole ?? ours ?? ''
  }
}

function openApiDocument(routes: readonly Route[], cloud: CloudDocument | undefined): object {
  const paths: OpenApiPaths = structuredClone({ ...cloud?.paths, ...mediaPaths })
  for (const route of routes) {
    paths[route.path] ??= {}
    Object.assign(paths[route.path] ?? {}, { [route.method]: operation(route) })
  }
  return {
    openapi: '3.1.0',
    info: { title: 'edgereel', version: '1' },
    components: {
      ...cloud?.components,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        query: { type: 'apiKey', in: 'query', name: 'token' },
      },
    },
    paths,
  }
}

function operation(route: Route): object {
  const described = route.status === 204 ? { description: 'Done' } : { description: 'OK', ...answerOf(route) }
  return {
    summary: route.summary,
    'x-role': route.role,
    security: route.role === 'public' ? [] : [{ bearer: [] }],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(route.body ? { requestBody: { content: json(route.body, 'input') } } : {}),
    responses: { [route.status]: described, default: errorResponse() },
  }
}

function answerOf({ answer }: Route): object {
  return answer ? { content: json(answer, 'output') } : {}
}

function json(schema: z.ZodType, io: 'input' | 'output'): object {
  return { 'application/json': { schema: z.toJSONSchema(schema, { io }) } }
}

function errorResponse(): object {
  return { description: 'What went wrong', content: json(apiError, 'output') }
}

function pathParameters(path: string): object[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } }
  })
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (!query) return []
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input' })
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: 'query', required: required.includes(name), schema }
  })
}
