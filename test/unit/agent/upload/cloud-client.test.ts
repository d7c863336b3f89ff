import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCloudClient } from '../../../../agent/upload/cloud-client.ts'
import { isCertificateError, replyOf } from '../../../../agent/upload/exchange.ts'
import type { AppError } from '../../../../shared/error.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { type Fault, type FaultServer, startFaultServer } from '../../../support/fault-server.ts'
import { hasProgram } from '../../../support/shared-data.ts'

let stack: AsyncDisposableStack
let server: FaultServer
let seen: Request[]
let answer: () => Response
const clock = new FakeClock()
const { signal } = new AbortController()
const timeouts = { connectMs: 300, idleMs: 200, callMs: 600 }

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  seen = []
  answer = () => Response.json({ ok: true })
  const fetch = async (request: Request) => {
    seen.push(request)
    return answer()
  }
  server = stack.use(await startFaultServer(fetch))
})
afterEach(() => stack.disposeAsync())

const client = (base = server.base) =>
  stack.use(
    createCloudClient({ base, headers: () => ({ authorization: 'Bearer canary-token' }), clock, timeouts }),
  )

async function failureOf(promise: Promise<unknown>): Promise<AppError> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: AppError) => error,
  )
}

async function* pieces(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size)
}

test('a call carries the token and JSON; a PUT carries only the headers that were given', async () => {
  const cloud = client()
  expect(await cloud.call('POST', '/v1/x', { a: 1 }, signal)).toEqual({ ok: true })
  expect(seen[0]?.headers.get('authorization')).toBe('Bearer canary-token')
  expect(await seen[0]?.json()).toEqual({ a: 1 })

  const headers = { 'content-length': '300', 'x-amz-checksum-sha256': 'abc' }
  const reply = await cloud.put({ url: '/store/k?sig=1', headers }, () => pieces(100, 200), signal)
  expect(reply.status).toBe(200)
  expect(seen[1]?.headers.get('authorization')).toBeNull()
  expect(seen[1]?.headers.get('x-amz-checksum-sha256')).toBe('abc')
  expect((await seen[1]?.arrayBuffer())?.byteLength).toBe(300)
})

test('knows how far the clocks are apart', async () => {
  answer = () => Response.json({}, { headers: { date: new Date(clock.nowMs() + 3_600_000).toUTCString() } })
  const cloud = client()
  await cloud.call('GET', '/v1/health', undefined, signal)
  expect(cloud.skewMs).toBe(3_600_000)
})

const answers: [string, () => Response, string, RegExp][] = [
  [
    'a page',
    () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    'Unavailable',
    /login page/,
  ],
  [
    'a page that says it is JSON',
    () => new Response('<html>', { headers: { 'content-type': 'application/json' } }),
    'Unavailable',
    /login page/,
  ],
  [
    'a redirect',
    () => new Response(null, { status: 302, headers: { location: 'http://portal/' } }),
    'Unavailable',
    /login page/,
  ],
  [
    'our 401',
    () => Response.json({ error: { code: 'Unauthenticated', message: 'No.' } }, { status: 401 }),
    'Unauthenticated',
    /^No\.$/,
  ],
  ['a bare 503', () => new Response(null, { status: 503 }), 'Unavailable', /503/],
  [
    '429',
    () => new Response(null, { status: 429, headers: { 'retry-after': '9' } }),
    'ResourceExhausted',
    /429/,
  ],
  ['a flood', () => new Response(new Uint8Array(5 * 1024 * 1024)), 'Unavailable', /more than it should/],
]

test.each(answers)('B10: %s is not success', async (_name, make, kind, message) => {
  answer = make
  const error = await failureOf(client().call('GET', '/v1/x', undefined, signal))
  expect([error.kind, error.message]).toEqual([kind, expect.stringMatching(message)])
  if (kind === 'ResourceExhausted') expect(replyOf(error)?.retryAfterMs).toBe(9000)
})

const breaks: [Fault, string][] = [
  [{ kind: 'hang' }, 'DeadlineExceeded'],
  [{ kind: 'reset', afterBytes: 0 }, 'Unavailable'],
  [{ kind: 'lost' }, 'Unavailable'],
]

test.each(breaks)('%j is an error without a reply', async (fault, kind) => {
  server.plan = () => fault
  const cloud = client()
  const attempts = [
    () => cloud.call('POST', '/v1/x', {}, signal),
    () =>
      cloud.put(
        { url: '/store/k', headers: { 'content-length': '400000' } },
        () => pieces(200_000, 200_000),
        signal,
      ),
  ]
  for (const attempt of attempts) {
    const error = await failureOf(attempt())
    expect([error.kind, replyOf(error)]).toEqual([kind, undefined])
  }
})

test('an answer before the end of the body ends the body', async () => {
  server.plan = () => ({ kind: 'status', status: 403 })
  let taken = 0
  async function* endless() {
    for (;;) {
      taken += 1
      yield new Uint8Array(64 * 1024)
    }
  }
  const headers = { 'content-length': String(2 ** 40) }
  expect((await client().put({ url: '/store/k', headers }, endless, signal)).status).toBe(403)
  expect(taken).toBeLessThan(1000)
})

test('a body that cannot be read is that error, not one of the line', async () => {
  const broken = async function* () {
    yield new Uint8Array(10)
    throw new RangeError('disk')
  }
  const headers = { 'content-length': '20' }
  const error = await failureOf(client().put({ url: '/store/k', headers }, broken, signal))
  expect(error.cause).toBeInstanceOf(RangeError)
})

test('B10: nobody listens; a name that does not resolve; an address that is none', async () => {
  for (const base of ['http://127.0.0.1:1', 'http://nowhere.invalid', 'unix:/nonexistent/cloud.sock']) {
    const error = await failureOf(client(base).call('GET', '/v1/x', undefined, signal))
    expect(error.kind).toBe('Unavailable')
  }
  const error = await failureOf(
    client()
      .put({ url: 'file:///etc/passwd', headers: {} }, () => pieces(), signal)
      .then(),
  )
  expect(error.message).toMatch(/not HTTP/)
})

test.skipIf(!hasProgram('openssl'))(
  'B10: a certificate that nobody vouches for is said to be one',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'edgereel-tls-'))
    stack.defer(() => rmSync(dir, { recursive: true }))
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '2']
    execFileSync('openssl', [...make, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const tls = createServer({ key: readFileSync(key), cert: readFileSync(cert) })
    stack.defer(() => void tls.close())
    await once(tls.listen(0, '127.0.0.1'), 'listening')
    const { port } = tls.address() as AddressInfo
    const error = await failureOf(client(`https://127.0.0.1:${port}`).call('GET', '/v1/x', undefined, signal))
    expect([error.kind, isCertificateError(error)]).toEqual(['Unavailable', true])
    expect(error.message).toMatch(/certificate/)
  },
)

test('no message holds the token or the query of a signed address', async () => {
  const cloud = client('http://127.0.0.1:1')
  const errors = [
    await failureOf(cloud.call('POST', '/v1/x', {}, signal)),
    await failureOf(
      cloud.put({ url: '/store/k?sig=canary-signature', headers: {} }, () => pieces(1), signal),
    ),
  ]
  for (const error of errors) expect(JSON.stringify([error.message, error.messageZh])).not.toMatch(/canary/)
})

test('is stopped by its signal', async () => {
  server.plan = () => ({ kind: 'hang' })
  const stop = new AbortController()
  const call = failureOf(client().call('GET', '/v1/x', undefined, stop.signal))
  stop.abort()
  expect((await call).kind).toBe('Cancelled')
})
