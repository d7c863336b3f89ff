import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { enrolCodeMs } from '../../../../shared/cloud-limits.ts'
import type { AgentItem } from '../../../../shared/contract/agents-api.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'

let rig: ApiRig
beforeEach(async () => {
  rig = await openApiRig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
const admin = (method: string, path: string, body?: unknown) =>
  rig.ask(method, path, { token: rig.tokens.admin, ...(body === undefined ? {} : { body }) })

async function codeFor(agent: string): Promise<string> {
  const { status, json } = await admin('POST', '/v1/agents/codes', { agent })
  expect(status).toBe(201)
  return String(json.code)
}

const enrol = (code: string, token: string, agent?: string) =>
  rig.ask('POST', '/v1/agents/enroll', {
    body: { code, tokenSha256: hashOf(token), ...(agent === undefined ? {} : { agent }) },
  })

/** A heartbeat, as of a machine. */
async function beat(token: string, instance?: string, more: object = {}) {
  const headers = new Headers({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })
  if (instance !== undefined) headers.set('edgereel-instance', instance)
  const body = JSON.stringify({ version: '1', state: {}, ...more })
  const answer = await rig.fetch(
    new Request('http://cloud/v1/agent/heartbeat', { method: 'POST', headers, body }),
  )
  return {
    status: answer.status,
    json: (await answer.json()) as { config?: unknown; error?: { message: string } },
  }
}

async function fleet(name: string): Promise<AgentItem | undefined> {
  const { json } = await admin('GET', '/v1/agents')
  return (json.agents as AgentItem[]).find((agent) => agent.name === name)
}

const [here, there] = ['a'.repeat(32), 'b'.repeat(32)]

test('a code of 80 bits lets one machine in, once; its token is stored as a hash', async () => {
  const code = await codeFor('attic')
  expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/)
  expect(await codeFor('attic')).not.toBe(code)
  expect((await enrol(code, 'attic-token')).json).toMatchObject({ agent: 'attic' })
  expect((await beat('attic-token', here)).status).toBe(200)
  expect(await fleet('attic')).toMatchObject({ online: true, revoked: false, version: '1' })
  // A lost answer: the same machine asks again. Another one is too late.
  expect((await enrol(code, 'attic-token')).status).toBe(201)
  expect((await enrol(code, 'thief-token')).status).toBe(401)
  expect((await beat('thief-token')).status).toBe(401)
  const { rows } = await rig.jobs.ports.catalogue.query({ index: 'gsi1', pk: 'TOK' })
  expect(JSON.stringify(rows)).not.toContain('attic-token')
})

test('a code that is wrong, too old or of another agent is refused', async () => {
  expect((await enrol('0000-0000-0000-0000', 'x')).status).toBe(401)
  expect((await enrol('short', 'x')).status).toBe(400)
  const code = await codeFor('attic')
  const other = await enrol(code, 'x', 'cellar')
  expect(other.status).toBe(412)
  expect(other.text).toContain('agent attic')
  rig.jobs.clock.advance(enrolCodeMs)
  expect((await enrol(code, 'x', 'attic')).status).toBe(401)
})

test('names of agents differ in more than case', async () => {
  await enrol(await codeFor('attic'), 'x')
  expect((await admin('POST', '/v1/agents/codes', { agent: 'ATTIC' })).status).toBe(409)
})

test('a new machine takes the place of an old one: its token and its lease end', async () => {
  await enrol(await codeFor('attic'), 'old')
  expect((await beat('old', here)).status).toBe(200)
  await enrol(await codeFor('attic'), 'new')
  expect((await beat('old', here)).status).toBe(401)
  expect((await beat('new', there)).status).toBe(200)
})

test('of two machines with one token the later one is refused, and seen; when the first is gone it may', async () => {
  await enrol(await codeFor('attic'), 'token')
  expect((await beat('token', here)).status).toBe(200)
  const refused = await beat('token', there)
  expect(refused.status).toBe(403)
  expect(refused.json.error?.message).toContain('Another machine is the agent attic')
  expect(await fleet('attic')).toMatchObject({ online: true, twin: { lastSeen: rig.jobs.clock.nowMs() } })
  const segments = (instance: string) =>
    rig.fetch(
      new Request('http://cloud/v1/agent/segments/status', {
        method: 'POST',
        headers: {
          ...{ authorization: 'Bearer token', 'content-type': 'application/json' },
          'edgereel-instance': instance,
        },
        body: JSON.stringify({
          segments: [
            {
              ...{ stream: 'cam', epoch: 1, seq: 1 },
              files: [{ ext: 'json', sizeBytes: 1, sha256: hashOf('x') }],
            },
          ],
        }),
      }),
    )
  expect((await segments(there)).status).toBe(403)
  expect((await segments(here)).status).toBe(200)
  rig.jobs.clock.advance(120_000)
  expect((await beat('token', here)).status).toBe(200)
  rig.jobs.clock.advance(120_000)
  expect((await beat('token', there)).status).toBe(403)
  rig.jobs.clock.advance(60_000)
  expect((await segments(there)).status).toBe(200)
  expect((await beat('token', here)).status).toBe(403)
})

test('a revoked agent is refused at once; what it has sent stays', async () => {
  await enrol(await codeFor('attic'), 'token')
  expect((await beat('token', here)).status).toBe(200)
  expect((await admin('DELETE', '/v1/agents/attic')).status).toBe(200)
  expect((await beat('token', here)).status).toBe(401)
  expect(await fleet('attic')).toMatchObject({ revoked: true })
  expect((await admin('DELETE', '/v1/agents/nobody')).status).toBe(404)
})

test('a wanted configuration goes down with its version, and what became of it comes up', async () => {
  await enrol(await codeFor('attic'), 'token')
  const path = '/v1/agents/attic/config'
  expect((await admin('GET', path)).json).toEqual({ version: 0, wanted: {} })
  expect((await beat('token', here)).json.config).toBeUndefined()
  const wanted = { ring: { quotaBytes: 5e9 }, upload: { bandwidth: 100_000, hours: '22:00-06:00' } }
  expect((await admin('PUT', path, { wanted, ifVersion: 0 })).json).toEqual({ version: 1, wanted })
  expect((await admin('PUT', path, { wanted: {}, ifVersion: 0 })).status).toBe(409)
  expect((await beat('token', here)).json.config).toEqual({ version: 1, wanted })
  await beat('token', here, { config: { version: 1, state: 'applied' }, clock: { offsetMs: 42, boundMs: 3 } })
  expect((await admin('GET', path)).json).toMatchObject({ reported: { version: 1, state: 'applied' } })
  expect(await fleet('attic')).toMatchObject({
    clock: { offsetMs: 42, boundMs: 3 },
    config: { wanted: 1, reported: { version: 1, state: 'applied' } },
  })
})

test.each([
  ['a camera address', { streams: { door: { source: 'rtsp://10.0.0.1/' } } }],
  ['an unknown key', { exec: 'rm -rf /' }],
  ['hours that are none', { upload: { hours: '25:00-26:00' } }],
  ['a quota of nothing', { ring: { quotaBytes: 0 } }],
])('%s is not to be configured from afar', async (_name, wanted) => {
  await enrol(await codeFor('attic'), 'token')
  expect((await admin('PUT', '/v1/agents/attic/config', { wanted })).status).toBe(400)
})

test('tokens of the cloud: made, listed without their secret, revoked', async () => {
  const made = await admin('POST', '/v1/tokens', { name: 'ana', role: 'viewer', expiresInDays: 1 })
  const { token, id } = made.json as { token: string; id: string }
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect((await rig.ask('GET', '/v1/recordings', { token })).status).toBe(200)
  expect((await rig.ask('GET', '/v1/tokens', { token })).status).toBe(403)
  const listed = await admin('GET', '/v1/tokens')
  expect(listed.text).toContain(id)
  expect(listed.text).not.toContain(token)
  expect((await admin('DELETE', `/v1/tokens/${id}`)).status).toBe(200)
  expect((await rig.ask('GET', '/v1/recordings', { token })).status).toBe(401)
  expect((await admin('DELETE', `/v1/tokens/${id}`)).status).toBe(404)
  expect((await admin('POST', '/v1/tokens', { name: 'x', role: 'device' })).status).toBe(400)
})
