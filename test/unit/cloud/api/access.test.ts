import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiRig, internalToken, openApiRig } from '../../../support/api-rig.ts'

type Operation = { security: unknown[]; 'x-roles'?: string[]; requestBody?: unknown }
type Document = { paths: Record<string, Record<string, Operation>> }

// RELIABILITY.md H1: generated from the OpenAPI document, so that a new route is tried without anyone's thinking of it.
let rig: ApiRig
let document: Document
beforeAll(async () => {
  rig = await openApiRig()
  document = (await rig.ask('GET', '/v1/openapi.json')).json as unknown as Document
})
afterAll(() => rig[Symbol.asyncDispose]())

const roles = ['viewer', 'publisher', 'operator', 'admin', 'device'] as const
const values: Record<string, string> = {
  id: 'take',
  stream: 'cam',
  segment: '1772366400000-000001.mp4',
  secret: 'a-secret-that-is-long-enough',
}

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'x'),
      operation,
    })),
  )
}

const bodyOf = (operation: Operation) => (operation.requestBody ? { body: {} } : {})

test('every route is in the document', () => {
  expect(operations().length).toBeGreaterThan(25)
})

test('no token, a wrong one, a token in the query: 401, in both languages, before anything is read', async () => {
  for (const { method, path, operation } of operations()) {
    if (operation.security.length === 0) continue
    for (const token of [undefined, 'wrong', 'a b', '', 'x'.repeat(600)]) {
      const asked = await rig.ask(method, path, {
        ...bodyOf(operation),
        ...(token === undefined ? {} : { token }),
      })
      expect([asked.status, method, path]).toEqual([401, method, path])
      expect(asked.json).toMatchObject({ error: { code: 'Unauthenticated', messageZh: expect.any(String) } })
      expect(asked.headers.get('www-authenticate')).toBe('Bearer')
    }
    const asked = await rig.ask(method, `${path}?token=${rig.tokens.admin}`, bodyOf(operation))
    expect(asked.status).toBe(401)
  }
})

test('a role that the document does not name: 403; one that it names: not refused', async () => {
  for (const { method, path, operation } of operations()) {
    if (operation.security.length === 0) continue
    for (const role of roles) {
      const { status } = await rig.ask(method, path, { ...bodyOf(operation), token: rig.tokens[role] })
      const refused = status === 401 || status === 403
      expect([method, path, role, refused]).toEqual([
        method,
        path,
        role,
        !operation['x-roles']?.includes(role),
      ])
    }
  }
})

test('only these need no token', () => {
  const open = operations().filter(({ operation }) => operation.security.length === 0)
  const paths = open.map(({ method, path }) => `${method} ${path}`)
  const share = '/s/a-secret-that-is-long-enough'
  expect(paths.sort()).toEqual(
    [
      `GET ${share}`,
      `GET ${share}/download`,
      `GET ${share}/playlist.m3u8`,
      `GET ${share}/segments/cam/1772366400000-000001.mp4`,
      `GET ${share}/thumbnail`,
      'GET /v1/health',
      'POST /v1/agents/enroll',
    ].sort(),
  )
})

test('a viewer changes nothing', () => {
  for (const { method, path, operation } of operations()) {
    if (operation['x-roles']?.includes('viewer')) expect([method, path]).toEqual(['GET', path])
  }
})

test('revoked and expired tokens, and a device without an agent, are refused', async () => {
  const now = rig.jobs.clock.nowMs()
  const expired = await rig.token({ role: 'admin', expiresAt: now })
  expect((await rig.ask('GET', '/v1/tasks', { token: expired })).status).toBe(401)
  const nameless = await rig.token({ role: 'device' })
  const body = { version: '1', state: {} }
  expect((await rig.ask('POST', '/v1/agent/heartbeat', { token: nameless, body })).status).toBe(403)
})

describe('the headers of the agent on the same PC', () => {
  const forwarded = (token: string, role: string, subject = 'lab') =>
    rig.api.fetch(
      new Request('http://cloud/v1/tasks', {
        headers: { authorization: `Bearer ${token}`, 'x-edgereel-role': role, 'x-edgereel-subject': subject },
      }),
    )

  test('count beside the internal token', async () => {
    expect((await forwarded(internalToken, 'viewer')).status).toBe(200)
    expect((await forwarded(internalToken, 'device')).status).toBe(403)
  })

  test('count for nothing beside another', async () => {
    expect((await forwarded(rig.tokens.device, 'admin')).status).toBe(403)
    expect((await forwarded('wrong', 'admin')).status).toBe(401)
  })

  test('must be a role and a name', async () => {
    expect((await forwarded(internalToken, 'root')).status).toBe(401)
    expect((await forwarded(internalToken, 'admin', '../lab')).status).toBe(401)
    const bare = await rig.ask('GET', '/v1/tasks', { token: internalToken })
    expect(bare.status).toBe(401)
  })
})

const hostile = [
  '..%2f..%2fetc',
  '%2e%2e',
  'a%00b',
  'CON',
  'a%5cb',
  'x'.repeat(4096),
  '%E2%80%AEabc',
  'a.',
  '-a',
  '%20',
]

test.each(hostile)('the id %j is refused everywhere', async (id) => {
  for (const path of Object.keys(document.paths).filter((path) => path.includes('{id}'))) {
    const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      name === 'id' ? id : (values[name] ?? 'x'),
    )
    for (const [method, operation] of Object.entries(document.paths[path] ?? {})) {
      const { status } = await rig.ask(method.toUpperCase(), url, {
        ...bodyOf(operation),
        token: rig.tokens.admin,
      })
      expect([400, 404]).toContain(status)
    }
  }
  expect(rig.errors).toEqual([])
})

test('bodies: not JSON, too long, not what the schema says', async () => {
  const post = (body: BodyInit, type = 'application/json') =>
    rig.api.fetch(
      new Request('http://cloud/v1/agent/segments', {
        method: 'POST',
        headers: { authorization: `Bearer ${rig.tokens.device}`, 'content-type': type },
        body,
      }),
    )
  expect((await post('{}', 'text/plain')).status).toBe(400)
  expect((await post('{')).status).toBe(400)
  expect((await post(new Uint8Array([0xff, 0xfe]))).status).toBe(400)
  expect((await post('{"segments":[]}')).status).toBe(400)
  expect((await post(`"${'x'.repeat(1_100_000)}"`)).status).toBe(400)
  const answer = (await (await post('{"segments":[{"stream":"../x"}]}')).json()) as {
    error: { message: string }
  }
  expect(answer.error.message).toMatch(/segments\.0\.stream: a name is/)
})

test('an address that is not there is said to be so, as JSON', async () => {
  const asked = await rig.ask('GET', '/v1/nothing', { token: rig.tokens.admin })
  expect([asked.status, asked.json]).toMatchObject([404, { error: { code: 'NotFound' } }])
})
