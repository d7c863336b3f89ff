import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { hookActions } from '../../../../agent/control/hook-body.ts'
import { type HookPost, postByFetch } from '../../../../agent/control/hook-queue.ts'
import { createHooks, type HooksConfig } from '../../../../agent/control/hooks.ts'
import { createHub } from '../../../../agent/hub/hub.ts'
import { liveClient } from '../../../../agent/live-client.ts'
import { createFlvPlay } from '../../../../agent/play/flv.ts'
import type { Recording } from '../../../../shared/contract/recording.ts'
import { hookAttemptsMax, hookBackoffMaxMs, hookQueueMax } from '../../../../shared/limits.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeViewer } from '../../../support/fake-viewer.ts'

const secret = 'a secret of the back end'
const client = liveClient('::ffff:10.0.0.7', 'live', new URLSearchParams('token=s3cret&room=1&sig=x&exp=9'))

type Told = { url: string; headers: Record<string, string>; body: Record<string, unknown> }

/** Hooks to `a.test` (and more), with answers of one's own: a status, or no answer. */
function rig(
  answer: (n: number, url: string) => number | undefined = () => 200,
  more: Partial<HooksConfig> = {},
) {
  const clock = new FakeClock()
  const told: Told[] = []
  const failures: string[] = []
  const post: HookPost = async (url, { headers, body }) => {
    told.push({ url, headers, body: JSON.parse(body) })
    const status = answer(told.length, url)
    if (status === undefined) throw new Error('connection refused')
    return status
  }
  const hooks = createHooks({
    config: { urls: ['http://a.test/hooks?key=hidden'], secret, events: [...hookActions], ...more },
    agent: { uuid: 'u-1', name: 'lab' },
    clock,
    random: () => 1,
    post,
    onFailed: (host, action, error) => failures.push(`${host} ${action}: ${error.message}`),
  })
  const settle = async () => {
    for (let i = 0; i < 50; i += 1) await Promise.resolve()
  }
  /** Lets every wait between two attempts pass. */
  const later = async () => {
    for (let i = 0; i < hookAttemptsMax; i += 1) {
      await settle()
      clock.advance(hookBackoffMaxMs)
    }
    await settle()
  }
  return { clock, told, failures, hooks, settle, later }
}
const published = { type: 'published', stream: 'cam', kind: 'rtmp', client } as const

test('the bodies are those of SRS; what let somebody in is not told', async () => {
  const { hooks, told, settle, clock } = rig()
  hooks.hub(published)
  await settle()
  expect(told[0]?.body).toEqual({
    server_id: 'u-1',
    service_id: expect.any(String),
    action: 'on_publish',
    client_id: client.id,
    ip: '10.0.0.7',
    vhost: '__defaultVhost__',
    app: 'live',
    tcUrl: 'rtmp://lab/live',
    stream: 'cam',
    param: '?room=1',
    stream_url: '/live/cam',
    stream_id: 'u-1/cam',
    at: clock.nowMs(),
    transport: 'rtmp',
  })
})

test('a message is signed with its time, and has a number that stays over its attempts', async () => {
  const { hooks, told, later } = rig((n) => (n === 1 ? 500 : 200))
  hooks.hub(published)
  await later()
  expect(told).toHaveLength(2)
  expect(told[1]?.headers['x-edgereel-delivery']).toBe(told[0]?.headers['x-edgereel-delivery'])
  const [, time, given] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(told[0]?.headers['x-edgereel-signature'] ?? '') ?? []
  const body = JSON.stringify(told[0]?.body)
  expect(given).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'))
})

test('hub and play tell each coming and going once, a take-over as one of each', async () => {
  const { hooks, told, settle, clock } = rig()
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = createHub({ openSink: () => sink, clock, onEvent: (event) => hooks.hub(event) })
  const play = createFlvPlay({
    findStream: (name) => hub.stream(name),
    clock,
    soundAheadMs: 0,
    onViewer: hooks.viewer,
  })
  const publish = (app: string) => {
    const who = liveClient('10.0.0.1', app, new URLSearchParams())
    return hub.publish({
      name: 'cam',
      kind: 'rtmp',
      identity: 'x',
      client: who,
      onDisplaced: () => undefined,
    })
  }
  publish('first')
  play.find('cam').join('ws', new FakeViewer(), client).gone()
  publish('second').end('left')
  publish('third')
  play.find('cam').join('http', new FakeViewer(), client)
  play[Symbol.dispose]()
  hub[Symbol.dispose]()
  await settle()
  expect(told.map(({ body }) => `${body.action} ${body.app} ${body.reason ?? ''}`.trim())).toEqual([
    'on_publish first',
    'on_play live',
    'on_stop live gone',
    'on_unpublish first displaced',
    'on_publish second',
    'on_unpublish second left',
    'on_publish third',
    'on_play live',
    'on_stop live shutdown',
    'on_unpublish third shutdown',
  ])
  expect(told[1]?.body).toMatchObject({ client_id: client.id, transport: 'ws' })
})

test('a recording that was closed: a message for each of its streams', async () => {
  const { hooks, told, settle } = rig()
  const part = { from: 1000, segments: [{ epoch: 0, seq: 0 }], gaps: [] }
  const recording: Recording = {
    ...{ version: 1, id: 'take-1', agent: 'lab', rev: 2, state: 'closed', title: 'One', labels: ['a'] },
    ...{ createdAt: 1000, from: 1000, to: 3000 },
    streams: [
      { name: 'cam', ...part, to: 2000 },
      { name: 'door', ...part, to: 3000 },
    ],
  }
  hooks.recorded(recording)
  await settle()
  expect(told.map(({ body }) => body)).toMatchObject([
    { action: 'on_record', stream: 'cam', recording: 'take-1', from: 1000, to: 2000, segments: 1, gaps: 0 },
    {
      action: 'on_record',
      stream: 'door',
      title: 'One',
      labels: ['a'],
      to: 3000,
      url: '/v1/recordings/take-1',
    },
  ])
})

test('only the events that were asked for', async () => {
  const { hooks, told, settle } = rig(() => 200, { events: ['on_play'] })
  hooks.hub(published)
  hooks.viewer({ type: 'play', stream: 'cam', transport: 'rtmp', close: () => undefined })
  await settle()
  expect(told.map(({ body }) => body.action)).toEqual(['on_play'])
})

test.each([
  ['is away', undefined, hookAttemptsMax, 'it does not answer'],
  ['is broken', 503, hookAttemptsMax, 'it answered 503'],
  ['asks for patience', 429, hookAttemptsMax, 'it answered 429'],
  ['does not want it', 403, 1, 'it answered 403'],
  ['sends elsewhere', 302, 1, 'it answered 302'],
])('a back end that %s: %s, attempts: %i', async (_name, status, attempts, message) => {
  const { hooks, told, failures, later } = rig(() => status)
  hooks.hub(published)
  await later()
  expect(told).toHaveLength(attempts)
  expect(failures).toEqual([`a.test on_publish: ${message}`]) // Neither path nor query: they may be secret.
  expect(hooks.figures).toEqual({ queued: 0, delivered: 0, failed: 1, dropped: 0 })
})

test('the order is kept while one is tried again, and one address does not hold up the other', async () => {
  const urls = ['http://dead.test/', 'http://well.test/']
  const { hooks, told, settle, later } = rig((n, url) => (url === urls[0] && n < 4 ? 500 : 200), { urls })
  hooks.hub(published)
  hooks.hub({ ...published, type: 'unpublished', reason: 'left' })
  await settle()
  const of = (url: string | undefined) =>
    told.filter((each) => each.url === url).map(({ body }) => body.action)
  expect(of(urls[1])).toEqual(['on_publish', 'on_unpublish'])
  expect(of(urls[0])).toEqual(['on_publish'])
  await later()
  expect(of(urls[0])).toEqual(['on_publish', 'on_publish', 'on_unpublish'])
})

test('a back end that hangs: the queue is bounded, the oldest are dropped and counted', async () => {
  const { hooks, clock, told } = rig(() => undefined)
  for (let i = 0; i < hookQueueMax + 11; i += 1) hooks.hub({ ...published, stream: `cam-${i}` })
  expect(hooks.figures).toMatchObject({ queued: hookQueueMax, dropped: 10 })
  const closed = hooks[Symbol.asyncDispose]()
  await Promise.resolve()
  clock.advance(2000)
  await closed
  expect(hooks.figures).toEqual({ queued: 0, delivered: 0, failed: 1, dropped: hookQueueMax + 10 })
  expect(told).toHaveLength(1)
})

test('what waits when the agent stops is told, if it goes fast', async () => {
  const { hooks, told } = rig()
  for (let i = 0; i < 20; i += 1) hooks.hub(published)
  await hooks[Symbol.asyncDispose]()
  expect(told).toHaveLength(20)
})

test('a redirection is not followed (only the configured address is ever asked)', async () => {
  let asked = 0
  const server = createServer((request, response) => {
    asked += 1
    if (request.url === '/') response.writeHead(307, { location: '/elsewhere' })
    response.end('0')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const request = {
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal: AbortSignal.timeout(5000),
  }
  expect(await postByFetch(url, request)).toBe(307)
  expect(await postByFetch(`${url}taken`, request)).toBe(200)
  expect(asked).toBe(2)
  server.close()
  server.closeAllConnections()
})
