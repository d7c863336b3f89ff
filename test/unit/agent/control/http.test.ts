import { expect, test } from 'vitest'
import type { Auth, Principal } from '../../../../agent/control/auth.ts'
import type { StartRecordingRequest } from '../../../../agent/control/commands-port.ts'
import { createApi } from '../../../../agent/control/http.ts'
import { Metrics } from '../../../../agent/control/metrics.ts'
import { openApiText } from '../../../../agent/control/openapi.ts'
import { createSignedPaths } from '../../../../agent/control/signed-path.ts'
import type { Tokens } from '../../../../agent/control/tokens.ts'
import type { LinkCreated } from '../../../../shared/contract/agent-api.ts'
import { fakeCommands } from '../../../support/door-rig.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const clock = new FakeClock()
const commands = fakeCommands()
const links = createSignedPaths({ keyHex: '00'.repeat(32), nms: { play: null, publish: null }, clock })
const started: StartRecordingRequest[] = []
let sick: string | undefined

const api = createApi({
  sessions: { list: () => [], close: () => undefined },
  commands: {
    ...commands,
    recordings: {
      ...commands.recordings,
      start: (request) => {
        started.push(request)
        return commands.recordings.start(request)
      },
    },
  },
  auth: {} as Auth,
  tokens: {} as Tokens,
  links,
  metrics: new Metrics(),
  health: { disk: () => sick },
  clock,
  cloudDocument: async () => ({
    paths: { '/v1/recordings': { get: { summary: 'The archive' } } },
    components: { schemas: {} },
  }),
})

const admin: Principal = { role: 'admin', subject: 'admin', via: 'bearer' }
const ask = (path: string, init: RequestInit = {}, principal = admin) =>
  api(new Request(`http://agent${path}`, init), {
    principal,
    address: '',
    loopback: true,
    secure: false,
    requestId: 'r',
  })
const link = (name: string, body: object, principal: Principal) =>
  ask(`/agent/v1/streams/${name}/links`, { method: 'POST', body: JSON.stringify(body) }, principal)
const record = (body: object) => ask('/agent/v1/recordings', { method: 'POST', body: JSON.stringify(body) })

test.each([
  [{}, { labels: [] }],
  [{ from: '-30s' }, { labels: [], from: clock.nowMs() - 30_000 }],
  [
    { from: '-5m', durationSeconds: 1.5 },
    { labels: [], from: clock.nowMs() - 300_000, durationMs: 1500 },
  ],
  [
    { from: '2026-03-01T13:00:00+01:00', to: 1_772_366_401_000 },
    { labels: [], from: 1_772_366_400_000, to: 1_772_366_401_000 },
  ],
  [
    { title: 'Take 1', labels: ['a'] },
    { labels: ['a'], title: 'Take 1' },
  ],
])('reads the times of %o', async (body, expected) => {
  expect((await record({ streams: ['cam'], ...body })).status).toBe(201)
  expect(started.at(-1)).toEqual({ streams: ['cam'], ...expected })
})

test('ready means that every check is well; else 503 and what is wrong', async () => {
  expect(await (await ask('/readyz')).json()).toEqual({ ready: true, checks: { disk: 'ok' } })
  sick = 'the disk is full'
  const answer = await ask('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({ ready: false, checks: { disk: 'the disk is full' } })
  expect((await ask('/healthz')).status).toBe(200)
})

test('one document for both APIs', async () => {
  const { paths } = (await (await ask('/openapi.json')).json()) as {
    paths: Record<string, Record<string, object>>
  }
  expect(paths['/v1/recordings']).toEqual({ get: { summary: 'The archive' } })
  expect(paths['/agent/v1/recordings']?.post).toMatchObject({
    'x-role': 'operator',
    requestBody: {
      content: { 'application/json': { schema: { required: ['streams'], additionalProperties: false } } },
    },
  })
  expect(paths['/agent/v1/streams/{name}']?.get).toMatchObject({ parameters: [{ name: 'name', in: 'path' }] })
})

test('a token of one stream opens that stream, not the list', async () => {
  const viewer: Principal = { role: 'viewer', subject: 'tv', stream: 'cam', via: 'bearer' }
  await expect(ask('/agent/v1/streams', {}, viewer)).rejects.toMatchObject({ kind: 'PermissionDenied' })
  await expect(ask('/agent/v1/streams/door', {}, viewer)).rejects.toMatchObject({ kind: 'PermissionDenied' })
  await expect(ask('/agent/v1/streams/cam', {}, viewer)).rejects.toMatchObject({ kind: 'NotFound' })
})

test.each([
  ['GET', '/agent/v1/nothing'],
  ['PATCH', '/agent/v1/streams'],
])('%s %s is not there', async (method, path) => {
  await expect(ask(path, { method })).rejects.toMatchObject({ kind: 'NotFound' })
})

test('a link is made of a stream, a role and a time; to send, only by the admin', async () => {
  const ask = (body: object, principal = admin) => link('cam', body, principal)
  const made = (await (await ask({ expiresInS: 60 })).json()) as LinkCreated
  expect(made).toMatchObject({ role: 'viewer', stream: 'cam', expiresAt: clock.nowMs() + 60_000 })
  expect(made.paths.flv).toBe(`/live/cam.flv?${made.query}`)
  const query = new URLSearchParams(made.query)
  expect(links.opens({ role: 'viewer', app: 'any', stream: 'Cam', query })).toBe(true)

  const publisher = (await (await ask({ role: 'publisher' })).json()) as LinkCreated
  expect(publisher.paths).toEqual({
    rtmp: `/live/cam?${publisher.query}`,
    phone: `/android-cam?stream=cam&${publisher.query}`,
  })
  const operator: Principal = { ...admin, role: 'operator' }
  expect((await ask({}, operator)).status).toBe(201)
  await expect(ask({ role: 'publisher' }, operator)).rejects.toMatchObject({ kind: 'PermissionDenied' })
  await expect(ask({}, { ...admin, role: 'viewer' })).rejects.toMatchObject({ kind: 'PermissionDenied' })
  await expect(link('a%0Ab', {}, admin)).rejects.toMatchObject({ kind: 'InvalidArgument' })
  await expect(ask({ expiresInS: 1e9 })).rejects.toMatchObject({ kind: 'InvalidArgument' })
})

test('what other streams there are is not told to a token of one stream', async () => {
  const bound: Principal = { role: 'viewer', subject: 'one', stream: 'gone', via: 'bearer' }
  await expect(ask('/agent/v1/streams/gone')).rejects.toThrow('there is no such thing here')
  await expect(ask('/agent/v1/streams/gone', {}, bound)).rejects.toThrow('there is nothing of this name')
})

test('the document is made once, and once more with the archive as soon as that answers', async () => {
  const archive = { paths: { '/v1/recordings': { get: {} } }, components: { schemas: {} } }
  let asked = 0
  const text = openApiText([], async () => {
    asked += 1
    return asked < 3 ? undefined : archive
  })
  expect(await text()).not.toContain('/v1/recordings')
  expect(await text()).not.toContain('/v1/recordings')
  for (let i = 0; i < 5; i += 1) expect(await text()).toContain('/v1/recordings')
  expect(asked).toBe(3)
})
