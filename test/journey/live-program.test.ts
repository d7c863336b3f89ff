import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import type { AgentStats, LinkCreated, StreamInfo } from '../../shared/contract/agent-api.ts'
import { cloudIsAws } from '../support/emulators/aws-program.ts'
import { freePort, Program } from '../support/program.ts'
import { RtmpClient } from '../support/rtmp-client.ts'
import { openRtmpRig } from '../support/rtmp-rig.ts'

// The live server as a whole: RTMP in by a link, watched by a link, pushed on to another server, told to a back end.

const secret = 'a secret of the back end'
const key = 's3cret-stream-key'

type Hook = { body: Record<string, unknown>; genuine: boolean }

let program: Program
let elsewhere: Awaited<ReturnType<typeof openRtmpRig>>
let rtmpPort = 0
const hooks: Hook[] = []
const backEnd = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks).toString()
  const [, time, given] = /^t=(\d+),v1=(\w+)$/.exec(String(request.headers['x-edgereel-signature'])) ?? []
  const right = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  hooks.push({ body: JSON.parse(body), genuine: given === right })
  response.end('0')
})

beforeAll(async () => {
  backEnd.listen(0, '127.0.0.1')
  await once(backEnd, 'listening')
  elsewhere = await openRtmpRig()
  rtmpPort = await freePort()
  const config = {
    rtmp: { port: rtmpPort },
    hooks: { urls: [`http://127.0.0.1:${(backEnd.address() as AddressInfo).port}/hooks`], secret },
    streams: { cam: { forward: [elsewhere.url(key, `publisher:${key}`)] } },
  }
  program = await Program.start({ config: JSON.stringify(config) }) // JSON is YAML.
}, 60_000)
afterAll(async () => {
  await program?.[Symbol.asyncDispose]()
  await elsewhere?.[Symbol.asyncDispose]()
  backEnd.close()
  backEnd.closeAllConnections()
})

const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 20_000, interval: 50 }).toBe(true)
const link = (role: 'viewer' | 'publisher') =>
  program.post<LinkCreated>('/agent/v1/streams/cam/links', { role, expiresInS: 600 })
const rtmp = ({ paths }: LinkCreated) => `rtmp://127.0.0.1:${rtmpPort}${paths.rtmp}`

test('a publisher and a viewer by links, a forward, a recording, and all of it told', async () => {
  const encoder = new AbortController()
  const watching = await link('viewer')
  const filming = simRtmp({ url: rtmp(await link('publisher')), signal: encoder.signal })
  await until(async () =>
    (await program.json<{ streams: StreamInfo[] }>('/agent/v1/streams')).streams.some(
      ({ state }) => state === 'live',
    ),
  )

  await using viewer = await RtmpClient.open(rtmp(watching), 'play')
  const page = await fetch(`http://127.0.0.1:${program.port}${watching.paths.flv}`)
  expect(page.status).toBe(200)
  await until(() => viewer.tags.length > 20 && elsewhere.units.length > 20)
  const { live, door } = await program.json<AgentStats>('/agent/v1/stats')
  expect(door?.rtmpPort).toBe(rtmpPort)
  expect(live).toMatchObject({
    publishers: { rtmp: 1 },
    viewers: { http: 1, ws: 0, rtmp: 1, grpc: 0 },
    forwards: [{ stream: 'cam', target: `rtmp://127.0.0.1:${elsewhere.door.port}/live`, state: 'live' }],
  })
  expect(live?.joinMs.p99).toBeGreaterThan(0)
  await page.body?.cancel()

  const { id } = await program.post<{ id: string }>('/agent/v1/recordings', {
    streams: ['cam'],
    title: 'told',
  })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await program.post(`/agent/v1/recordings/${id}/stop`)
  encoder.abort()
  await filming
  await until(() => ['on_record', 'on_unpublish', 'on_stop'].every((action) => told(action)))
  expect(hooks.every(({ genuine }) => genuine)).toBe(true)
  expect(told('on_publish')).toMatchObject({ stream: 'cam', transport: 'rtmp', app: 'live', param: '' })
  expect(told('on_publish')?.client_id).toBe(told('on_unpublish')?.client_id)
  expect(told('on_play')).toMatchObject({ stream: 'cam', ip: '127.0.0.1' })
  expect(told('on_record')).toMatchObject({ stream: 'cam', recording: id, title: 'told' })
}, 90_000)

test('what is secret is in no answer, no metric and no line of the log', async () => {
  const answers = await Promise.all(
    ['/agent/v1/streams', '/agent/v1/stats', '/metrics', '/openapi.json', '/agent/v1/streams/cam'].map(
      async (path) => (await program.fetch(path)).text(),
    ),
  )
  const { linkKey } = JSON.parse(await readFile(join(program.data, 'agent.json'), 'utf8'))
  const { query } = await link('viewer')
  const shown = [...answers, program.output, JSON.stringify(hooks)].join('\n')
  expect(shown).toContain('cam') // It was looked at.
  // One document for both APIs, where both are.
  if (!cloudIsAws()) expect(answers[3]).toContain('/v1/recordings/{id}/playlist.m3u8')
  for (const hidden of [key, secret, linkKey, await program.adminToken(), query.slice(0, 60)]) {
    expect(shown.includes(hidden)).toBe(false)
  }
})

const told = (action: string) => hooks.find(({ body }) => body.action === action)?.body
