import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHttp } from '../../agent/listen/http.ts'
import { type Answer, openDoors, send, upgradeHeaders } from '../support/door-rig.ts'
import { fakeUnit } from '../support/live-units.ts'

// Every door × who knocks, from the OpenAPI document (RELIABILITY.md H1, H2, H6).

type Operation = { method: string; path: string; role: string }
type Role = 'viewer' | 'publisher' | 'operator' | 'admin' | 'device'
const roles: Role[] = ['viewer', 'publisher', 'operator', 'admin', 'device']
const allowed: Record<string, Role[]> = {
  viewer: ['viewer', 'operator', 'admin'],
  publisher: ['publisher', 'admin'],
  operator: ['operator', 'admin'],
  admin: ['admin'],
  'signed-in': roles,
  public: roles,
}

const doors = await openDoors()
const { port } = doors
afterAll(() => doors[Symbol.asyncDispose]())

async function operations(): Promise<Operation[]> {
  const document = (await send({ port, path: '/openapi.json' })).json() as unknown as {
    paths: Record<string, Record<string, { 'x-role': string }>>
  }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { 'x-role': role }]) => ({ method, path, role })),
  )
}

const tokens: Record<string, string> = {}
let cookie = ''
const all = await operations()

beforeAll(async () => {
  for (const role of roles) tokens[role] = await doors.token(role)
  tokens.bound = await doors.token('viewer', 'other')
  const principal = doors.auth.login(tokens.admin ?? '', '127.0.0.1')
  cookie = `${doors.auth.cookieName}=${principal.cookie}`
  doors.hub
    .publish({ name: 'cam', kind: 'test', identity: 'x', onDisplaced: () => undefined })
    .push(fakeUnit({ key: true }))
})

/** The status alone: live streams do not end. */
async function knock({ method, path }: Operation, headers: Record<string, string>): Promise<number> {
  const url = path
    .replace('{app}', 'live')
    .replaceAll(/\{\w+\}/g, 'cam')
    .replace('/debug/cpu', '/debug/cpu?seconds=1')
  const socket = path === '/android-cam' ? upgradeHeaders : {}
  if (path.endsWith('.flv')) return await statusOf(url, headers)
  return (await send({ port, path: url, method: method.toUpperCase(), headers: { ...socket, ...headers } }))
    .status
}

async function statusOf(path: string, headers: Record<string, string>): Promise<number> {
  const abort = new AbortController()
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: abort.signal })
  abort.abort()
  return response.status
}

test('the document names all doors', () => {
  expect(all.length).toBeGreaterThan(20)
  expect(all.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['/{app}/{name}.flv', '/agent/v1/debug/cpu']),
  )
})

describe.each(all.filter(({ path }) => !path.includes('debug')))('$method $path', (operation) => {
  const { role, path, method } = operation
  const open = role === 'public'

  test('without a token', async () => {
    const status = await knock(operation, {})
    if (path === '/android-cam')
      expect(status).toBe(101) // It comes in to wait; see the phones' tests.
    else if (open) expect(status).not.toBe(401)
    else expect(status).toBe(401)
  })

  test('with a token that nobody made', async () => {
    const status = await knock(operation, { authorization: `Bearer ${'x'.repeat(43)}` })
    if (!open) expect(status).toBe(401)
  })

  test.each(roles)('as %s', async (who) => {
    const status = await knock(operation, { authorization: `Bearer ${tokens[who]}` })
    if (allowed[role]?.includes(who)) expect([401, 403]).not.toContain(status === 401 && open ? 0 : status)
    else expect(status).toBe(403)
  })

  test('with a viewer’s token of another stream', async () => {
    const status = await knock(operation, { authorization: `Bearer ${tokens.bound}` })
    if (!open && role !== 'signed-in') expect(status).toBe(403)
  })

  test('by a name that is not ours', async () => {
    if (path.endsWith('.flv')) {
      const url = '/live/cam.flv'
      expect((await send({ port, path: url, headers: { host: 'evil.example' } })).status).toBe(421)
    } else
      expect(await knock(operation, { host: 'evil.example', authorization: `Bearer ${tokens.admin}` })).toBe(
        421,
      )
  })

  test('from another page, with our cookie', async () => {
    const sent = { cookie, origin: 'http://evil.example' }
    if (method !== 'get' || path === '/android-cam') expect(await knock(operation, sent)).toBe(403)
  })
})

test.each(['cpu', 'heap'])('debug/%s is the admin’s', async (kind) => {
  const path = `/agent/v1/debug/${kind}?seconds=1`
  expect((await send({ port, path })).status).toBe(401)
  expect((await send({ port, path, headers: { authorization: `Bearer ${tokens.operator}` } })).status).toBe(
    403,
  )
  const answer = await send({ port, path, headers: { authorization: `Bearer ${tokens.admin}` } })
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body.toString())).toHaveProperty(kind === 'cpu' ? 'nodes' : 'head')
})

describe('media, over HTTP and WebSocket alike', () => {
  const upgraded = (path: string, headers: Record<string, string>) =>
    send({ port, path, headers: { ...upgradeHeaders, ...headers } })
  const cases: [string, () => { query?: string; headers?: Record<string, string> }, number][] = [
    ['nobody', () => ({}), 401],
    ['a viewer', () => ({ headers: { authorization: `Bearer ${tokens.viewer}` } }), 200],
    ['a publisher', () => ({ headers: { authorization: `Bearer ${tokens.publisher}` } }), 403],
    ['another stream’s viewer', () => ({ headers: { authorization: `Bearer ${tokens.bound}` } }), 403],
    ['another stream’s viewer, in the query', () => ({ query: tokens.bound ?? '' }), 403],
    ['a wrong token in the query', () => ({ query: 'wrong' }), 401],
    ['an admin in the query, on this machine', () => ({ query: tokens.admin ?? '' }), 200],
    [
      'an admin in the query, through a proxy',
      () => ({ query: tokens.admin ?? '', headers: { 'x-forwarded-for': '10.0.0.9' } }),
      403,
    ],
    ['the page', () => ({ headers: { cookie, origin: `http://127.0.0.1:${port}` } }), 200],
  ]
  test.each(cases)('%s', async (_who, ask, expected) => {
    const { query, headers = {} } = ask()
    const path = `/live/cam.flv${query === undefined ? '' : `?token=${query}`}`
    expect(await statusOf(path, headers)).toBe(expected)
    expect((await upgraded(path, headers)).status).toBe(expected === 200 ? 101 : expected)
  })

  test('another page’s script with our cookie gets no socket', async () => {
    expect((await upgraded('/live/cam.flv', { cookie, origin: 'http://evil.example' })).status).toBe(403)
    expect((await upgraded('/live/cam.flv', { cookie })).status).toBe(403)
  })

  test('a stream that is not there', async () => {
    const headers = { authorization: `Bearer ${tokens.viewer}` }
    const answer = await send({ port, path: '/live/nobody.flv', headers })
    expect([answer.status, answer.json().error?.code]).toEqual([404, 'NotFound'])
    expect((await upgraded('/live/nobody.flv', headers)).status).toBe(404)
    expect((await upgraded('/elsewhere', headers)).status).toBe(404)
  })
})

test('queries do not open the API', async () => {
  expect((await send({ port, path: `/agent/v1/streams?token=${tokens.admin}` })).status).toBe(401)
})

test('any text as a name is refused, and never reaches the commands (RELIABILITY.md C10)', async () => {
  const authorization = `Bearer ${tokens.admin}`
  const nasty = fc.oneof(
    fc.constantFrom(
      '../../x',
      '..%2f',
      '%5c',
      'C:\\',
      'a\0b',
      'x'.repeat(4096),
      '\u202Ecam',
      'сam',
      'CON',
      'a.',
      '.',
      '..',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => !/^[A-Za-z0-9]/.test(text)),
  )
  await fc.assert(
    fc.asyncProperty(nasty, async (name) => {
      const before = doors.calls.length
      const encoded = encodeURIComponent(name.toWellFormed())
      for (const path of [
        `/agent/v1/streams/${encoded}`,
        `/live/${encoded}.flv`,
        `/agent/v1/recordings/${encoded}/stop`,
      ]) {
        const method = path.endsWith('stop') ? 'POST' : 'GET'
        const { status } = await send({ port, path, method, headers: { authorization } })
        expect([400, 404]).toContain(status)
      }
      expect(doors.calls.slice(before).filter((call) => !/^streams\.list$/.test(call))).toEqual([])
    }),
    { numRuns: 60 },
  )
})

describe('bodies', () => {
  const post = (body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
    send({
      port,
      path: '/agent/v1/recordings',
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${tokens.operator}`, 'content-type': 'application/json', ...headers },
    })

  test('a good one', async () => {
    const answer = await post(JSON.stringify({ streams: ['cam'], from: '-30s', durationSeconds: 60 }))
    expect(answer.status).toBe(201)
    expect(answer.json()).toMatchObject({ id: 'take-1', streams: [{ name: 'cam' }] })
  })

  test.each([
    ['not JSON', 'streams: cam'],
    ['an unknown key', '{"streams":["cam"],"form":"-30s"}'],
    ['a bad name', '{"streams":["../cam"]}'],
    ['a time that is none', '{"streams":["cam"],"from":"yesterday"}'],
    ['an end before the start', '{"streams":["cam"],"from":2000,"to":1000}'],
    ['a stream twice', '{"streams":["cam","CAM"]}'],
  ])('%s → 400 in words', async (_what, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'InvalidArgument', requestId: expect.any(String) } })
  })

  test('another content type → 400, too large → 413', async () => {
    expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(400)
    expect((await post(Buffer.alloc(2 * 1024 * 1024, 0x20))).status).toBe(413)
  })
})

describe('logging in', () => {
  const login = (token: string, headers: Record<string, string> = {}) =>
    send({
      port,
      path: '/agent/v1/session',
      method: 'POST',
      body: JSON.stringify({ token }),
      headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${port}`, ...headers },
    })

  test('a token becomes a cookie that scripts cannot read', async () => {
    const answer = await login(tokens.operator ?? '')
    const [set = ''] = answer.headers['set-cookie'] ?? []
    expect(set).toMatch(/^edgereel-0=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/)
    const session = await send({
      port,
      path: '/agent/v1/session',
      headers: { cookie: set.split(';')[0] ?? '' },
    })
    expect(session.json()).toEqual({ subject: expect.any(String), role: 'operator' })
    const forged = set.replace(/\.[^.;]+;/, '.AAAA;').split(';')[0] ?? ''
    expect((await send({ port, path: '/agent/v1/session', headers: { cookie: forged } })).status).toBe(401)
  })

  test('a link opens the page once', async () => {
    const link = `/login?code=${doors.auth.createLoginCode()}`
    const first = await send({ port, path: link })
    expect([first.status, first.headers.location]).toEqual([303, '/'])
    expect((await send({ port, path: link })).status).toBe(401)
  })

  test('a cookie dies with its token', async () => {
    const { id, token } = await doors.tokens.create({ name: 'short', role: 'viewer' })
    const [set = ''] = (await login(token)).headers['set-cookie'] ?? []
    const ask = () => send({ port, path: '/agent/v1/streams', headers: { cookie: set.split(';')[0] ?? '' } })
    expect((await ask()).status).toBe(200)
    await doors.tokens.revoke(id)
    expect((await ask()).status).toBe(401)
  })

  test('guessing is slowed down (RELIABILITY.md H8)', async () => {
    const answers: Answer[] = []
    for (let i = 0; i < 15; i += 1) answers.push(await login(`guess-${i}`))
    const last = answers.at(-1)
    expect(last?.status).toBe(429)
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0)
    expect(
      (await send({ port, path: '/agent/v1/streams', headers: { authorization: `Bearer ${tokens.viewer}` } }))
        .status,
    ).toBe(200)
  })
})

test('secrets are hashed in agent.json, and both files are the owner’s alone', async () => {
  for (const file of ['agent.json', 'admin.token']) {
    expect((await stat(join(doors.directory, file))).mode & 0o777).toBe(0o600)
  }
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(join(doors.directory, 'agent.json'), 'utf8')
  for (const token of Object.values(tokens)) expect(text).not.toContain(token)
})

test('no answer and no event shows a token (RELIABILITY.md H5)', async () => {
  const authorization = `Bearer ${tokens.admin}`
  const paths = [
    '/agent/v1/tokens',
    '/agent/v1/session',
    '/metrics',
    '/openapi.json',
    `/live/x.flv?token=${tokens.admin}`,
  ]
  const answers = await Promise.all(paths.map((path) => send({ port, path, headers: { authorization } })))
  const seen = answers.map(({ body }) => body.toString()).join() + JSON.stringify(doors.events)
  for (const token of Object.values(tokens)) expect(seen).not.toContain(token)
})

test('every answer carries the headers of this house', async () => {
  for (const path of ['/', '/agent/v1/streams', '/nothing']) {
    const { headers } = await send({ port, path })
    expect(headers['content-security-policy']).toMatch(/default-src 'self'/)
    expect(headers['content-security-policy']).not.toMatch(/unsafe/)
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' })
  }
})

test('metrics: free on this machine, with a token through a proxy', async () => {
  const near = await send({ port, path: '/metrics' })
  expect(near.body.toString()).toMatch(/^edgereel_streams\{state="live"\} 1$/m)
  const headers = { 'x-forwarded-for': '10.0.0.9' }
  expect((await send({ port, path: '/metrics', headers })).status).toBe(401)
  const viewer = { ...headers, authorization: `Bearer ${tokens.viewer}` }
  expect((await send({ port, path: '/metrics', headers: viewer })).status).toBe(200)
})

test('what is refused is counted by door and status', async () => {
  await send({ port, path: '/nothing' })
  const { body } = await send({ port, path: '/metrics' })
  expect(body.toString()).toMatch(/^edgereel_door_refused_total\{door="http",status="404"\} \d+$/m)
})

test('a port that is taken is told in words', async () => {
  const options = { host: '127.0.0.1', port } as Parameters<typeof openHttp>[0]
  const again = openHttp({
    ...options,
    clock: { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => undefined },
  } as never)
  await expect(again).rejects.toThrow(/port \d+ is taken: .*--port/)
})

test('half a request is closed after its time, and others are served meanwhile (RELIABILITY.md C5)', async () => {
  const slow = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  for (const [i, socket] of slow.entries()) socket.write(i % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: local' : '')
  expect((await send({ port, path: '/' })).status).toBe(200)
  await Promise.all(slow.map((socket) => new Promise((resolve) => socket.once('close', resolve).resume())))
}, 30_000)

test('clients that leave before their body or their answer is whole are no faults of ours', async () => {
  const before = doors.events.length
  const post = 'POST /agent/v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'
  const cut = connect(port, '127.0.0.1')
  cut.write(`${post}content-length: 100\r\n\r\n{"to`)
  await once(cut, 'connect')
  setTimeout(() => cut.resetAndDestroy(), 50)
  await expect.poll(() => doors.events.length, { timeout: 5000 }).toBeGreaterThan(before)
  for (let i = 0; i < 20; i += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write('GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'connect')
    setTimeout(() => socket.resetAndDestroy(), i)
    await once(socket, 'close')
  }
  expect((await send({ port, path: '/openapi.json' })).status).toBe(200)
  expect(doors.events.slice(before).filter(({ type }) => type === 'fault')).toEqual([])
  expect(doors.events.slice(before)).toMatchObject([{ type: 'refused', reason: 'Cancelled' }])
})

test('an offer of HTTP/2 is passed over', async () => {
  const headers = {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA',
  }
  expect((await send({ port, path: '/healthz', headers })).status).toBe(200)
})

test('a flood of headers is refused (RELIABILITY.md C11)', async () => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve).resume())
  socket.write('GET / HTTP/1.1\r\n')
  for (let i = 0; i < 10_000; i += 1) socket.write(`x-${i}: ${'y'.repeat(20)}\r\n`)
  await closed
})
