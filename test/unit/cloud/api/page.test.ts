import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Api, createApi } from '../../../../cloud/api/app.ts'
import { revokeTokens } from '../../../../cloud/rows/access.ts'
import { sessionMs } from '../../../../shared/limits.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'

let rig: ApiRig
let api: Api
const store = 'https://archive.s3.eu-west-1.amazonaws.com'
const page = { body: Buffer.from('<!doctype html>'), type: 'text/html; charset=utf-8', immutable: false }
beforeEach(async () => {
  rig = await openApiRig()
  const pages = new Map([
    ['/', page],
    ['/chunk-hls-ABCDEFGH.js', { ...page, type: 'text/javascript', immutable: true }],
  ])
  api = createApi({ ...rig.jobs.ports, page: { pages, store } })
})
afterEach(() => rig[Symbol.asyncDispose]())

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) => {
  const json = body === undefined ? {} : { body: JSON.stringify(body) }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const request = new Request(`https://cloud.example${path}`, {
    ...{ method, headers: { ...type, ...headers }, ...json },
  })
  return api.fetch(request)
}

/** The cookie, as a browser sends it back. */
async function signIn(token: string): Promise<string> {
  const answer = await ask('POST', '/agent/v1/session', {}, { token })
  expect(answer.status).toBe(200)
  const header = answer.headers.get('set-cookie') ?? ''
  expect(header).toMatch(/^edgereel=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/)
  return header.split(';')[0] ?? ''
}

test('the page is served with a policy that lets it load from the store, and nothing else from anywhere', async () => {
  const answer = await ask('GET', '/')
  expect(answer.status).toBe(200)
  const policy = answer.headers.get('content-security-policy') ?? ''
  expect(policy).toContain(`connect-src 'self' ${store}`)
  expect(policy).toContain("script-src 'self';")
  expect((await ask('GET', '/chunk-hls-ABCDEFGH.js')).headers.get('cache-control')).toContain('immutable')
  expect((await ask('GET', '/etc/passwd')).status).toBe(404)
  expect((await ask('GET', '/agent/v1/streams')).status).toBe(404) // By this the page knows that no agent is here.
})

test('a token is exchanged for a cookie, which opens what the token opens', async () => {
  expect((await ask('GET', '/agent/v1/session')).status).toBe(401)
  const cookie = await signIn(rig.tokens.operator)
  const me = await (await ask('GET', '/agent/v1/session', { cookie })).json()
  expect(me).toMatchObject({ role: 'operator' })
  expect((await ask('GET', '/v1/recordings', { cookie: `a=b; ${cookie}` })).status).toBe(200)
  expect((await ask('GET', '/v1/tokens', { cookie })).status).toBe(403)
})

test.each(['device', 'publisher'] as const)('a %s does not sign in', async (role) => {
  expect((await ask('POST', '/agent/v1/session', {}, { token: rig.tokens[role] })).status).toBe(401)
})

test('another page cannot use the cookie to change something', async () => {
  const cookie = await signIn(rig.tokens.admin)
  const make = (headers: Record<string, string>) =>
    ask('POST', '/v1/agents/codes', { cookie, ...headers }, { agent: 'attic' })
  expect((await make({})).status).toBe(403)
  expect((await make({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await make({ origin: 'https://cloud.example' })).status).toBe(201)
})

test('a session ends with its sign-out, with its token, and after its time', async () => {
  const cookies = [
    await signIn(rig.tokens.viewer),
    await signIn(rig.tokens.viewer),
    await signIn(rig.tokens.admin),
  ]
  const statuses = () =>
    Promise.all(cookies.map(async (cookie) => (await ask('GET', '/v1/tasks', { cookie })).status))
  expect(await statuses()).toEqual([200, 200, 200])
  expect((await ask('DELETE', '/agent/v1/session', { cookie: cookies[0] ?? '' })).status).toBe(204)
  expect(await statuses()).toEqual([401, 200, 200])
  await revokeTokens(rig.jobs.ports.catalogue, ({ role }) => role === 'viewer', rig.jobs.clock.nowMs())
  expect(await statuses()).toEqual([401, 401, 200])
  rig.jobs.clock.advance(sessionMs)
  expect(await statuses()).toEqual([401, 401, 401])
})

test('where an agent serves the page, this API knows no sessions', async () => {
  const cookie = await signIn(rig.tokens.admin)
  api = rig.api
  expect((await ask('GET', '/v1/tasks', { cookie })).status).toBe(401)
  expect((await ask('POST', '/agent/v1/session', {}, { token: rig.tokens.admin })).status).toBe(404)
})
