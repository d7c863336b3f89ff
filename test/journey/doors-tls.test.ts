import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ownCertificate, type TlsFiles } from '../../agent/tls/certificate.ts'
import { openDoors } from '../support/door-rig.ts'

// The same doors under TLS (`--lan --tls`).

/** What is told of whoever comes through a proxy of this machine: this door counts it as from elsewhere. */
const elsewhere = { 'x-forwarded-for': '192.0.2.7' }

let directory: string
let files: TlsFiles
let doors: Awaited<ReturnType<typeof openDoors>>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edgereel-tls-'))
  files = await ownCertificate(directory, ['localhost', '127.0.0.1'], Date.now())
  doors = await openDoors({ tls: { key: files.key, cert: files.cert, ca: files.ca } })
})
afterAll(async () => {
  await doors?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string }

async function ask(
  from: typeof request,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const asked = from({
    host: '127.0.0.1',
    port: doors.port,
    path,
    method,
    headers,
    ca: files.ca,
    agent: false,
  })
  asked.end()
  const [response] = await once(asked, 'response')
  const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
  return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }
}

test('a session’s cookie says that it is for TLS only', async () => {
  const { status, headers } = await ask(request, `/login?code=${doors.auth.createLoginCode()}`)
  expect(status).toBe(303)
  expect(headers['set-cookie']?.[0]).toMatch(/; HttpOnly; SameSite=Strict; Secure$/)
})

test('another certificate is shown to those who come from now on', async () => {
  const next = await mkdtemp(join(tmpdir(), 'edgereel-tls-'))
  const other = await ownCertificate(next, ['localhost', '127.0.0.1'], Date.now())
  doors.door.show(other)
  await expect(ask(request, '/healthz')).rejects.toThrow(/certificate/)
  doors.door.show(files)
  expect((await ask(request, '/healthz')).status).toBe(200)
  await rm(next, { recursive: true })
})

test('programs on this machine may go on without TLS', async () => {
  const answer = await ask(plainRequest as typeof request, '/healthz')
  expect(answer.status).toBe(200)
})

test('the authority’s certificate is there for whoever has to trust it', async () => {
  const { text } = await ask(plainRequest as typeof request, '/ca.pem')
  expect(text).toBe(files.ca)
})

test('from elsewhere pages are sent on to https, and nothing else is done', async () => {
  const plain = plainRequest as typeof request
  const page = await ask(plain, '/healthz?x=1', { headers: elsewhere })
  expect([page.status, page.headers.location]).toEqual([308, `https://127.0.0.1:${doors.port}/healthz?x=1`])
  const post = await ask(plain, '/agent/v1/recordings', { method: 'POST', headers: elsewhere })
  expect(post.status).toBe(426)
  const viewer = new WebSocket(`ws://127.0.0.1:${doors.port}/live/cam.flv`, { headers: elsewhere })
  const [, refused] = await once(viewer, 'unexpected-response')
  expect(refused.statusCode).toBe(426)
  viewer.on('error', () => undefined).terminate()
})

test('a phone, whose app speaks nothing else, may come without TLS', async () => {
  const phone = new WebSocket(`ws://127.0.0.1:${doors.port}/android-cam`, { headers: elsewhere })
  await once(phone, 'open')
  phone.terminate()
})

test('bytes that are neither, and none at all, end only their own connection', async () => {
  for (const bytes of [
    Buffer.from([0x16, 3, 1, 0, 4, 1, 2, 3, 4]),
    Buffer.from([0, 1, 2]),
    Buffer.alloc(0),
  ]) {
    const socket = connect(doors.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    if (bytes.length > 0) socket.write(bytes)
    else socket.end()
    await once(socket, 'close')
  }
  expect((await ask(request, '/healthz')).status).toBe(200)
})
