import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { forwardTo } from '../../agent/listen/forward.ts'
import { forwardsAtOnceMax } from '../../shared/limits.ts'
import { fakeCloud, openDoors, send } from '../support/door-rig.ts'

// What goes through the agent to the cloud of the same machine.

const directory = await mkdtemp(join(tmpdir(), 'edgereel-cloud-'))
const socketPath = join(directory, 'cloud.sock')
const internalToken = 'the-internal-token'
const seen: { url: string; headers: IncomingHttpHeaders; sha256: string }[] = []
const large = randomBytes(20_000_000)
let sentBytes = 0

const openCloud = () =>
  fakeCloud(socketPath, async (incoming, answer) => {
    if (incoming.url === '/v1/cut') return void answer.writeHead(200).write('half', () => answer.destroy())
    if (incoming.url === '/v1/endless') return void endless(answer)
    const hash = createHash('sha256')
    const isWhole = await pipeline(incoming, hash).then(
      () => true,
      () => false, // The agent has cut it.
    )
    if (!isWhole) return
    seen.push({ url: incoming.url ?? '', headers: incoming.headers, sha256: hash.digest('hex') })
    if (incoming.url?.startsWith('/store/'))
      answer.writeHead(200, { 'content-length': large.length }).end(large)
    else answer.writeHead(302, { location: '/store/x', 'x-from': 'cloud', 'set-cookie': 'a=b' }).end()
  })

async function endless(answer: import('node:http').ServerResponse): Promise<void> {
  const chunks = async function* () {
    for (;;) {
      sentBytes += 65_536
      yield Buffer.alloc(65_536)
    }
  }
  await pipeline(Readable.from(chunks()), answer).catch(() => undefined)
}

let cloud: AsyncDisposable | undefined = await openCloud()
const doors = await openDoors({ cloudSocket: socketPath, internalToken })
const { port } = doors
afterAll(async () => {
  await doors[Symbol.asyncDispose]()
  await cloud?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

test('who the agent knows comes as role and subject beside the internal token; what a client claims does not pass', async () => {
  const authorization = `Bearer ${await doors.token('operator')}`
  const claims = {
    'x-edgereel-role': 'admin',
    'x-edgereel-subject': 'root',
    'x-edgereel-anything': 'x',
    cookie: 'a=b',
  }
  const answer = await send({
    port,
    path: '/v1/recordings?cursor=a%2Fb',
    headers: { authorization, ...claims },
  })
  expect([answer.status, answer.headers.location, answer.headers['x-from']]).toEqual([
    302,
    '/store/x',
    'cloud',
  ])
  expect(answer.headers['set-cookie']).toBeUndefined()
  const { url, headers } = seen.at(-1) ?? { url: '', headers: {} as IncomingHttpHeaders }
  expect(url).toBe('/v1/recordings?cursor=a%2Fb')
  expect(headers).toMatchObject({ authorization: `Bearer ${internalToken}`, 'x-edgereel-role': 'operator' })
  expect(headers).not.toHaveProperty('cookie')
  expect(headers).not.toHaveProperty('x-edgereel-anything')
  expect(headers['x-edgereel-subject']).not.toBe('root')
})

test('a token that only the cloud knows passes untouched; nobody comes as nobody', async () => {
  await send({
    port,
    path: '/v1/agent/heartbeat',
    method: 'POST',
    headers: { authorization: 'Bearer device-token', 'x-edgereel-role': 'admin' },
  })
  expect(seen.at(-1)?.headers.authorization).toBe('Bearer device-token')
  expect(seen.at(-1)?.headers).not.toHaveProperty('x-edgereel-role')
  await send({ port, path: '/s/secret' })
  expect(seen.at(-1)?.headers).not.toHaveProperty('authorization')
})

test.each(['viewer', 'publisher'] as const)('a %s of one stream does not open the archive', async (role) => {
  const authorization = `Bearer ${await doors.token(role, 'cam')}`
  const before = seen.length
  expect((await send({ port, path: '/v1/recordings', headers: { authorization } })).status).toBe(403)
  expect(seen.length).toBe(before)
})

test('large bodies pass whole in both directions', async () => {
  const sha256 = createHash('sha256').update(large).digest('hex')
  const answer = await send({ port, path: '/store/raw/x?sig=y', method: 'PUT', body: large })
  expect(seen.at(-1)).toMatchObject({ url: '/store/raw/x?sig=y', sha256 })
  expect(createHash('sha256').update(answer.body).digest('hex')).toBe(sha256)
})

const hidden = 'GET /v1/hidden HTTP/1.1\r\nhost: a\r\n\r\n'
test.each([
  ['in chunks', 'transfer-encoding: chunked', `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
  ['of a length', `connection: content-length\r\ncontent-length: ${hidden.length}`, hidden],
])('the body of a GET %s stays a body: it is not the next request', async (_how, framing, body) => {
  const before = seen.length
  const socket = connect(port, '127.0.0.1')
  socket.end(`GET /v1/body HTTP/1.1\r\nhost: localhost\r\n${framing}\r\n\r\n${body}`)
  await once(socket.resume(), 'close')
  const sha256 = createHash('sha256').update(hidden).digest('hex')
  expect(seen.slice(before)).toMatchObject([{ url: '/v1/body', sha256 }])
})

test('a client that does not read holds the cloud back', async () => {
  const client = request({ host: '127.0.0.1', port, path: '/v1/endless', agent: false })
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) => {
    client.on('response', resolve)
    client.end()
  })
  response.pause()
  await delay(500)
  const first = sentBytes
  await delay(300)
  expect(sentBytes).toBe(first)
  response.on('error', () => undefined)
  client.destroy()
})

test('bodies without end, of those whom nobody knows, do not keep others from the archive', async () => {
  const sockets = Array.from({ length: forwardsAtOnceMax + 20 }, () =>
    connect(port, '127.0.0.1').on('error', () => undefined),
  )
  const head = 'POST /v1/agents/enroll HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{'
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(head, resolve))))
  const headers = { authorization: `Bearer ${await doors.token('viewer')}` }
  expect((await send({ port, path: '/v1/recordings', headers })).status).toBe(302)
  for (const socket of sockets) socket.destroy()
})

test('a body that comes in drops is cut', async () => {
  const forward = forwardTo({ socketPath, internalToken }, 100)
  const anonymous = { role: 'anonymous', subject: 'anonymous', via: 'none' } as const
  const door = createServer((incoming, answer) => forward.handle(incoming, answer, anonymous, 'id'))
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const socket = connect((door.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined)
  socket.write('POST /v1/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n')
  const drops = setInterval(() => socket.write('a'), 10)
  await once(socket.resume(), 'close')
  clearInterval(drops)
  forward[Symbol.dispose]()
  door.close()
})

test('a cloud that dies in the middle cuts the answer: it never looks whole', async () => {
  await expect(send({ port, path: '/v1/cut' })).rejects.toThrow()
})

test('while the cloud is away: 503 in words, and everything else goes on', async () => {
  await cloud?.[Symbol.asyncDispose]()
  cloud = undefined
  const answer = await send({ port, path: '/v1/recordings' })
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2'])
  expect(answer.json()).toMatchObject({
    error: { code: 'Unavailable', message: expect.stringMatching(/archive/) },
  })
  expect((await send({ port, path: '/healthz' })).status).toBe(200)
  cloud = await openCloud()
  expect((await send({ port, path: '/v1/recordings' })).status).toBe(302)
})
