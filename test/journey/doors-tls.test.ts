import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDoors } from '../support/door-rig.ts'
import { hasProgram } from '../support/shared-data.ts'

// The same door under TLS (`--lan --tls`).

const directory = mkdtempSync(join(tmpdir(), 'edgereel-tls-'))
let cert: Buffer
let doors: Awaited<ReturnType<typeof openDoors>>

beforeAll(async () => {
  if (!hasProgram('openssl')) return
  const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...subject], { stdio: 'ignore' })
  cert = readFileSync(join(directory, 'cert.pem'))
  doors = await openDoors({ tls: { key: readFileSync(join(directory, 'key.pem')), cert } })
})
afterAll(async () => {
  await doors?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

test.skipIf(!hasProgram('openssl'))('a session’s cookie says that it is for TLS only', async () => {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; cookie: string }>()
  const path = `/login?code=${doors.auth.createLoginCode()}`
  request({ host: '127.0.0.1', port: doors.port, path, ca: cert, agent: false }, (response) => {
    response.resume()
    resolve({ status: response.statusCode ?? 0, cookie: response.headers['set-cookie']?.[0] ?? '' })
  })
    .on('error', reject)
    .end()
  const { status, cookie } = await promise
  expect(status).toBe(303)
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Secure$/)
})
