import { expect, test } from 'vitest'
import type { Auth, Principal } from '../../../../agent/control/auth.ts'
import { createApi } from '../../../../agent/control/http.ts'
import { Metrics } from '../../../../agent/control/metrics.ts'
import { createSignedPaths } from '../../../../agent/control/signed-path.ts'
import type { Tokens } from '../../../../agent/control/tokens.ts'
import type { VehicleCommands } from '../../../../agent/control/vehicle-routes.ts'
import { AppError } from '../../../../shared/error.ts'
import { fakeCommands } from '../../../support/door-rig.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const clock = new FakeClock()
const asked: unknown[] = []
const info = {
  ...{ vehicle: '06495940943803', stream: 'replay-06495940943803-abc', from: 1, to: 2, position: 1 },
  state: 'waiting' as const,
}
const vehicles: VehicleCommands = {
  list: () => ({ doors: ['live'], connected: [], vehicles: [], histories: [info] }),
  about: (name) => ({ name, sim: name.slice(0, 12), channel: 3, zoneMs: 8 * 3_600_000 }),
  history: {
    get: () => info,
    query: async (...words) => {
      asked.push(words)
      return []
    },
    play: async (...words) => {
      asked.push(words)
      return info
    },
    control: (...words) => {
      asked.push(words)
      return info
    },
  },
  answered: (...words) => {
    asked.push(words)
    return true
  },
  zoneMs: (name) => {
    if (name === 'door') throw new AppError('InvalidArgument', 'no vehicle')
    return 8 * 3_600_000
  },
}

const api = createApi({
  ...{
    commands: fakeCommands(),
    auth: {} as Auth,
    tokens: {} as Tokens,
    metrics: new Metrics(),
    clock,
    vehicles,
  },
  sessions: { list: () => [], close: () => undefined },
  links: createSignedPaths({ keyHex: '00'.repeat(32), nms: { play: null, publish: null }, clock }),
  health: {},
})

const base = '/agent/v1/vehicles/06495940943803/history'
const ask = (path: string, body?: unknown, role: Principal['role'] = 'operator') => {
  asked.length = 0
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const about = { address: '', loopback: true, secure: false, requestId: 'r' }
  const principal = { role, subject: 'x', via: 'bearer' } as Principal
  return api(new Request(`http://agent${path}`, init), { ...about, principal })
}

test('plays a range, in any way of writing a time', async () => {
  const body = { from: '2026-11-18T10:00:00+08:00', to: '-1h', record: true, title: 'crossing' }
  const answer = await ask(base, body)
  expect([answer.status, await answer.json()]).toEqual([201, info])
  expect(asked).toEqual([
    [
      '06495940943803',
      {
        ...{ from: Date.parse('2026-11-18T02:00:00Z'), to: clock.nowMs() - 3_600_000 },
        ...{ record: true, title: 'crossing' },
      },
    ],
  ])
})

test('a channel that may be called has the time zone of its vehicle', async () => {
  const answer = await ask('/agent/v1/vehicles/06495940943803', undefined, 'viewer')
  expect(await answer.json()).toEqual({
    ...{ name: '06495940943803', sim: '064959409438', channel: 3, zoneMs: 28_800_000 },
  })
})

test.each([
  [{ action: 'pause' }, { action: 'pause' }],
  [
    { action: 'fast', speed: 4 },
    { action: 'fast', speed: 4 },
  ],
  [{ action: 'fast', speed: 1 }, { action: 'resume' }],
  [
    { action: 'back', speed: 2 },
    { action: 'back', speed: 2 },
  ],
  [
    { action: 'seek', at: 1000 },
    { action: 'seek', at: 1000 },
  ],
  [{ action: 'stop' }, { action: 'stop' }],
])('control %o', async (body, action) => {
  expect((await ask(`${base}/control`, body)).status).toBe(200)
  expect(asked).toEqual([['06495940943803', action]])
})

test.each([
  {},
  { action: 'seek' },
  { action: 'fast', speed: 3 },
  { action: 'jump' },
  { action: 'pause', speed: 1 },
])('not a control: %o', async (body) => {
  await expect(ask(`${base}/control`, body)).rejects.toMatchObject({ kind: 'InvalidArgument' })
})

test('a vehicle’s list, as the platform passes it back: text or numbers, in the vehicle’s time', async () => {
  const first = {
    startTime: '261118100000',
    endTime: '261118100500',
    size: '1048576',
    dataType: '2',
    memoryType: 1,
  }
  const answer = await ask(`${base}/resources`, {
    items: [first, { startTime: '261118100500', endTime: '261118101000' }],
  })
  expect(await answer.json()).toEqual({ taken: true })
  expect(asked).toEqual([
    [
      '06495940943803',
      [
        {
          ...{ from: Date.parse('2026-11-18T02:00:00Z'), to: Date.parse('2026-11-18T02:05:00Z') },
          ...{ media: 'video', stream: 'any', memory: 'main', sizeBytes: 1_048_576, alarm: '0' },
        },
        expect.objectContaining({ media: 'av', memory: 'any', sizeBytes: 0 }),
      ],
    ],
  ])
  for (const item of [
    { startTime: '261118100500', endTime: '261118100000' },
    { startTime: '261318100000', endTime: '261118100500' },
    { startTime: 'now', endTime: '261118100500' },
  ]) {
    await expect(ask(`${base}/resources`, { items: [item] })).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
  }
})

test('who may, and what the document says', async () => {
  await expect(ask(base, { from: 1, to: 2 }, 'viewer')).rejects.toMatchObject({ kind: 'PermissionDenied' })
  await expect(ask(`${base}/resources`, { items: [] }, 'publisher')).rejects.toMatchObject({
    kind: 'PermissionDenied',
  })
  expect(await (await ask('/agent/v1/vehicles', undefined, 'viewer')).json()).toEqual({
    ...{ doors: ['live'], connected: [], vehicles: [] },
    histories: [info],
  })
  expect((await ask(base, undefined, 'viewer')).status).toBe(200)
  const document = (await (await ask('/openapi.json')).json()) as { paths: Record<string, unknown> }
  expect(Object.keys(document.paths).filter((path) => path.includes('vehicles'))).toHaveLength(6)
})
