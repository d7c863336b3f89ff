import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseVehicleStream } from '../../../../agent/ingest/vehicle.ts'
import { openSrsHooks, type SrsEvent } from '../../../../agent/listen/srs-hooks.ts'
import { srsPlayers } from '../../../../agent/listen/srs-hooks-clients.ts'
import { SrsViewers } from '../../../../agent/listen/srs-hooks-viewers.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { type SrsVersion, srsAsides, srsBody, srsClients, srsVersions } from '../../../support/srs-bodies.ts'

const device = '06495940943803'

/** Counts holders as the agent's calls do. */
function holding() {
  const held = new Map<string, number>()
  const log: string[] = []
  const hold = (name: string): Disposable => {
    if (!parseVehicleStream(name)) throw new Error('no vehicle')
    held.set(name, (held.get(name) ?? 0) + 1)
    log.push(`+${name}`)
    return {
      [Symbol.dispose]: () => {
        held.set(name, (held.get(name) ?? 0) - 1)
        log.push(`-${name}`)
      },
    }
  }
  return { held, log, hold }
}

async function rig() {
  const clock = new ManualClock()
  const { hold, log } = holding()
  const events: SrsEvent[] = []
  const open = { app: 'live', port: 0, allow: [], hint: 'srs.hooks.live', clock } as const
  const hooks = await openSrsHooks({ ...open, hold, onEvent: (event) => events.push(event) })
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const url = `http://127.0.0.1:${hooks.port}${path}`
    const response = await fetch(url, { method: 'POST', body: text, headers })
    return `${response.status} ${await response.text()}`
  }
  const session = (body: unknown) => post('/api/v1/sessions', body)
  return {
    clock,
    hooks,
    log,
    events,
    post,
    session,
    [Symbol.asyncDispose]: () => hooks[Symbol.asyncDispose](),
  }
}

const versions = srsVersions(device)
const srs4 = srsBody('on_play', version('4.0'))

function version(name: string): SrsVersion {
  const found = versions.find((one) => one.name === name)
  if (!found) throw new Error(`SRS ${name}?`)
  return found
}

test.each(versions)('SRS $name: on_play, on_stop, and what else it tells', async (one) => {
  await using it = await rig()
  for (const body of srsAsides(one)) expect(await it.session(body)).toBe('200 0')
  expect(it.log).toEqual([])
  expect(await it.session(srsBody('on_play', one))).toBe('200 0')
  for (const body of srsAsides(one)) expect(await it.session(body)).toBe('200 0')
  expect(it.hooks.figures).toMatchObject({ viewers: 1, channels: 1 })
  expect(await it.session(srsBody('on_stop', one))).toBe('200 0')
  expect(it.log).toEqual([`+${device}`, `-${device}`])
  expect(await it.session(srsBody('on_play', { ...one, common: { ...one.common, app: 'other' } }))).toBe(
    '200 1',
  )
})

test('viewers of all versions and the seed’s own curl lines are counted side by side', async () => {
  await using it = await rig()
  for (const one of versions) expect(await it.session(srsBody('on_play', one))).toBe('200 0')
  const curl = { 'content-type': 'application/x-www-form-urlencoded' }
  const line = `{"client_id":"dsfsdfsafd","stream":"${device}","action":"on_play"}`
  expect(await it.post('/api/v1/sessions', line, curl)).toBe('200 0')
  expect(it.hooks.figures).toMatchObject({ viewers: versions.length + 1, channels: 1 })
  for (const one of versions) expect(await it.session(srsBody('on_stop', one))).toBe('200 0')
  expect(it.log).toEqual([`+${device}`])
  expect(await it.post('/api/v1/sessions', line.replace('on_play', 'on_stop'), curl)).toBe('200 0')
  expect(it.log).toEqual([`+${device}`, `-${device}`])
})

test.each([3, 5] as const)('the clients of SRS %i: who plays, not who sends', async (major) => {
  const id = (n: number) => (major === 3 ? n : `id${n}`)
  const page = srsClients(
    [
      { id: id(1), stream: device, publish: true },
      { id: id(2), stream: device },
      { id: id(3), stream: device, app: 'replay', type: 'rtmp-play' },
      { id: id(4), stream: device, vhost: 'video.test.com', type: 'rtc-play' },
    ],
    major,
  )
  const server = createServer((_request, response) => response.end(JSON.stringify(page))).listen(
    0,
    '127.0.0.1',
  )
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const players = await srsPlayers(`http://127.0.0.1:${port}`, AbortSignal.timeout(3000))
  server.close()
  expect(players).toEqual([
    { id: String(id(2)), app: 'live', device },
    { id: String(id(3)), app: 'replay', device },
    { id: String(id(4)), app: 'live', device },
  ])
})

test('repeated, reordered and missing fields do no harm', async () => {
  await using it = await rig()
  for (let i = 0; i < 3; i += 1) await it.session(srs4)
  for (let i = 0; i < 3; i += 1) await it.session({ ...srs4, action: 'on_stop' })
  expect(it.log).toEqual([`+${device}`, `-${device}`])
  await it.session({ ...srs4, client_id: 'late', action: 'on_stop' }) // Overtook its on_play.
  expect(await it.session({ ...srs4, client_id: 'late' })).toBe('200 0')
  expect(it.log).toHaveLength(2)
  expect(await it.session({ ...srs4, client_id: '' })).toBe('200 0')
  expect(await it.session({ action: 'on_play', stream: device })).toBe('200 0')
  expect(it.hooks.figures.viewers).toBe(2)
  expect(await it.session({ action: 'on_stop', stream: device })).toBe('200 0')
  expect(await it.session({ action: 'on_stop', stream: device, client_id: null })).toBe('200 0')
  expect(it.hooks.figures).toMatchObject({ viewers: 0, channels: 0 })
})

test('a number as stream has lost its zeros; other names, apps, methods and bodies are refused', async () => {
  await using it = await rig()
  expect(await it.session({ action: 'on_play', stream: Number(device), client_id: 1 })).toBe('200 0')
  expect(it.log).toEqual([`+${device}`])
  for (const stream of ['1', 'door', '../etc', `${device}0`, '', null, {}]) {
    expect(await it.session({ ...srs4, stream })).toBe('200 1')
  }
  expect(await it.session({ ...srs4, app: 'replay' })).toBe('200 1')
  expect(await it.session('not json')).toBe('200 1')
  expect(await it.session('[]')).toBe('200 1')
  expect(await it.session('x'.repeat(20_000))).toBe('200 1')
  expect(await it.session({ action: 'on_connect', client_id: 'a' })).toBe('200 0')
  expect(await it.post('/other', {})).toBe('404 1')
  expect(await it.post('/api/v1/sessions', srs4, { origin: 'https://evil.example' })).toBe('403 1')
  expect((await fetch(`http://127.0.0.1:${it.hooks.port}/api/v1/sessions`)).status).toBe(405)
  expect(it.log).toHaveLength(1)
  expect(it.events).toEqual([])
})

test('web_on_play wants the channel until its viewer comes, or for a while', async () => {
  await using it = await rig()
  expect(await it.post('/web_on_play', { device_id: device })).toBe('200 0')
  expect(await it.post('/web_on_play', `{"device_id":"nobody"}`)).toBe('200 1')
  expect(it.log).toEqual([`+${device}`])
  await it.clock.advance(29_000)
  await it.session(srs4)
  await it.clock.advance(60_000)
  expect(it.log).toHaveLength(1)
  await it.session({ ...srs4, action: 'on_stop' })
  await it.post('/web_on_play', { device_id: device })
  await it.clock.advance(30_001)
  expect(it.log).toEqual([`+${device}`, `-${device}`, `+${device}`, `-${device}`])
})

test('what SRS says of its clients finds those whose on_stop or on_play never came', async () => {
  const clock = new ManualClock()
  const { hold, log } = holding()
  const viewers = new SrsViewers({ clock, hold })
  viewers.play('a', device)
  viewers.play('b', device)
  viewers.play('', device)
  const poll = async (ids: string[]) => {
    await clock.advance(10_000)
    viewers.reconcile(
      ids.map((id) => ({ id, device })),
      clock.monotonicMs() - 1,
    )
  }
  await poll(['a', 'b', 'x'])
  await poll(['a', 'x'])
  expect(viewers.viewers).toBe(3)
  await poll(['a', 'x'])
  expect(viewers.viewers).toBe(2) // The one without an id is x.
  await poll([])
  viewers.play('c', device)
  await poll([])
  expect(viewers.viewers).toBe(1)
  await poll([])
  expect(viewers.viewers).toBe(0)
  await poll(['d'])
  expect(viewers.viewers).toBe(1) // We were started anew: it has been there all the time.
  viewers[Symbol.dispose]()
  expect(log).toEqual([`+${device}`, `-${device}`, `+${device}`, `-${device}`])
})

test('any order of hooks: nothing is wanted twice, and nothing is left when SRS says that nobody is there', () => {
  const hooks = fc.record({
    action: fc.constantFrom('play', 'stop', 'notice'),
    client: fc.constantFrom('', 'a', 'b', 'c'),
    channel: fc.constantFrom(device, '06495940943801', 'door'),
  })
  fc.assert(
    fc.property(fc.array(hooks, { maxLength: 60 }), (list) => {
      const clock = new ManualClock()
      const { hold, held } = holding()
      using viewers = new SrsViewers({ clock, hold })
      for (const { action, client, channel } of list) {
        if (action === 'play') viewers.play(client, channel)
        else if (action === 'stop') viewers.stop(client, channel)
        else viewers.notice(channel)
        for (const count of held.values()) expect([0, 1]).toContain(count)
      }
      for (let i = 0; i < 2; i += 1) viewers.reconcile([], clock.monotonicMs() + 1)
      expect(viewers.viewers).toBe(0)
      viewers[Symbol.dispose]()
      expect([...held.values()].every((count) => count === 0)).toBe(true)
    }),
  )
})

test('reads SRS’s list page by page, numbers and strings, players only', async () => {
  const clients = Array.from({ length: 1500 }, (_, i) => ({
    id: i % 2 ? i : `id${i}`,
    url: i % 3 ? `/live/${device}` : `/replay/${device}.flv?x=1`,
    publish: i === 0,
  }))
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const query = new URL(request.url ?? '', 'http://x').searchParams
    const start = Number(query.get('start'))
    response.end(
      JSON.stringify({ code: 0, clients: clients.slice(start, start + Number(query.get('count'))) }),
    )
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const players = await srsPlayers(`http://127.0.0.1:${port}/`, AbortSignal.timeout(3000))
  server.close()
  expect(asked).toEqual(['/api/v1/clients?start=0&count=1000', '/api/v1/clients?start=1000&count=1000'])
  expect(players).toHaveLength(1499)
  expect(players.slice(0, 3)).toEqual([
    { id: '1', app: 'live', device },
    { id: 'id2', app: 'live', device },
    { id: '3', app: 'replay', device },
  ])
})

test('an SRS that does not answer is said once, and nobody is sent away for it', async () => {
  let nowMs = 0
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: async (_: number, signal?: AbortSignal) => systemClock.sleep(5, signal),
  }
  const { hold, log } = holding()
  const events: SrsEvent[] = []
  const api = 'http://127.0.0.1:1'
  await using hooks = await openSrsHooks({
    ...{ app: 'live', port: 0, allow: [], hint: '', api, clock, hold },
    onEvent: (event) => events.push(event),
  })
  nowMs = 1000
  await fetch(`http://127.0.0.1:${hooks.port}/api/v1/sessions`, {
    method: 'POST',
    body: JSON.stringify(srs4),
  })
  await expect.poll(() => events.length).toBe(1)
  await systemClock.sleep(100)
  expect(events).toMatchObject([{ type: 'away', error: { kind: 'Unavailable' } }])
  expect(log).toEqual([`+${device}`])
})
