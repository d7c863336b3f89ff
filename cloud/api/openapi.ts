import { z } from 'zod'
import { errorBody } from '../../shared/contract/api.ts'
import type { Route } from './route.ts'

type Json = Record<string, unknown>

/** OpenAPI 3.1 of the routes as they are served: made from the same list and the same schemas. */
export function openApi(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = paths[route.path] ?? {}
    path[route.method.toLowerCase()] = operation(route)
    paths[route.path] = path
  }
  return {
    openapi: '3.1.0',
    info: { title: 'edgereel cloud API', version: '1' },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: jsonSchema(errorBody, 'output') },
    },
  }
}

function operation(route: Route): Json {
  const content = route.answer && { 'application/json': { schema: jsonSchema(route.answer, 'output') } }
  const error = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } }
  return {
    summary: route.summary,
    ...(route.access === 'anyone'
      ? { security: [] }
      : { security: [{ bearer: [] }], 'x-roles': [...route.access.roles] }),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(route.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
      },
    }),
    responses: {
      [route.status]: { description: route.summary, ...(content && { content }) },
      default: { description: 'What went wrong', content: error },
    },
  }
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (!schema) return []
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }))
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
