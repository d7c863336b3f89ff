import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCloudClient } from '../../agent/upload/cloud-client.ts'
import { startUploader, type Uploader } from '../../agent/upload/uploader.ts'
import { keys } from '../../shared/contract/segment.ts'
import type { AppError } from '../../shared/error.ts'
import { unmuxedAskMs } from '../../shared/limits.ts'
import { type ApiRig, openApiRig } from '../support/api-rig.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { type Fault, type FaultServer, startFaultServer } from '../support/fault-server.ts'
import { fillSegment, MemoryRing } from '../support/memory-ring.ts'

let stack: AsyncDisposableStack
let clock: FakeClock
let rig: ApiRig
let server: FaultServer
let ring: MemoryRing
let alarms: AppError[]
let token: string

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  rig = stack.use(await openApiRig())
  clock = rig.jobs.clock
  server = stack.use(await startFaultServer(rig.fetch))
  token = rig.tokens.device
  ring = new MemoryRing()
  alarms = []
})
afterEach(() => stack.disposeAsync())

function start(overrides: Partial<Parameters<typeof startUploader>[0]> = {}): Uploader {
  const client = createCloudClient({
    base: server.base,
    headers: () => ({ authorization: `Bearer ${token}` }),
    clock,
    timeouts: { connectMs: 1000, idleMs: 300, callMs: 1000 },
  })
  return stack.use(
    startUploader({
      source: ring,
      client,
      clock,
      random: () => 0.5,
      bandwidth: null,
      hours: null,
      version: 'test',
      agentState: () => ({}),
      onAlarm: (error) => alarms.push(error),
      ...overrides,
    }),
  )
}

/** Lets the sockets work and the clock run until it is so; gives up after a simulated week. */
async function until(condition: () => boolean, stepMs = 1000): Promise<void> {
  for (let i = 0; i < 3000 && !condition(); i += 1) {
    await delay(1)
    clock.advance(stepMs)
  }
  const seen = { done: condition(), log: server.log.slice(-6), errors: rig.errors, alarms }
  expect(seen).toMatchObject({ done: true })
}

const everythingArrived = () => ring.uploaded.size === ring.segments.length + ring.recordings.length
const puts = (ext: string) => server.log.filter((line) => line.startsWith('PUT') && line.endsWith(`.${ext}`))

/** Each once, byte for byte, in the store. */
async function expectStored(): Promise<void> {
  expect([...ring.uploaded.values()].every((count) => count === 1)).toBe(true)
  for (const segment of ring.segments) {
    for (const file of segment.files) {
      const head = await rig.jobs.cloud.store.head(keys.raw({ ...segment, agent: 'lab' }, file.ext))
      expect(head).toMatchObject({ sizeBytes: file.sizeBytes, sha256: file.sha256 })
    }
  }
  expect(alarms).toEqual([])
  expect(rig.errors).toEqual([])
}

test('uploads what waits, the manifest of each segment last, and what is sealed later without a timer', async () => {
  for (let seq = 0; seq < 3; seq += 1) fillSegment(ring, seq)
  ring.addRecording('take-1', 2, new TextEncoder().encode('{}'))
  const uploader = start()
  await until(everythingArrived, 0)
  fillSegment(ring, 3)
  uploader.wake()
  await until(everythingArrived, 0)

  await expectStored()
  for (const segment of ring.segments) {
    const own = server.log.filter((line) => line.startsWith('PUT') && line.includes(`-00000${segment.seq}.`))
    expect(own.map((line) => line.split('.').at(-1))).toEqual(['h264', 'idx', 'json'])
  }
  expect(uploader.status()).toMatchObject({ state: 'ok', setAside: 0 })
  expect((await rig.jobs.cloud.queue.depth('mux')).waiting).toBe(5)
})

const transient: [string, Fault][] = [
  ['503 SlowDown', { kind: 'status', status: 503, body: '<Error><Code>SlowDown</Code></Error>' }],
  ['500', { kind: 'status', status: 500 }],
  ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '20' } }],
  ['409', { kind: 'status', status: 409, body: '<Error><Code>OperationAborted</Code></Error>' }],
  ['400 RequestTimeout', { kind: 'status', status: 400, body: '<Error><Code>RequestTimeout</Code></Error>' }],
  ['a redirect', { kind: 'status', status: 302, headers: { location: 'http://portal/' } }],
  ['200 with a page', { kind: 'html' }],
  ['a reset before the body', { kind: 'reset', afterBytes: 0 }],
  ['a reset in mid-body', { kind: 'reset', afterBytes: 100_000 }],
  ['no answer', { kind: 'hang' }],
  ['a lost answer', { kind: 'lost' }],
  ['a flipped bit', { kind: 'flip' }],
  ['an expired address', { kind: 'status', status: 403, body: '<Error><Code>RequestExpired</Code></Error>' }],
]

describe.each(transient)('%s', (_name, fault) => {
  test.each(['h264', 'json'])('on the PUT of .%s', async (ext) => {
    for (let seq = 0; seq < 2; seq += 1) fillSegment(ring, seq, 300_000)
    server.plan = ({ method, path, count }) =>
      method === 'PUT' && path.endsWith(`.${ext}`) && count <= 2 ? fault : undefined
    start()
    await until(everythingArrived)
    await expectStored()
  })

  test('on calls of the API', async () => {
    fillSegment(ring, 0)
    ring.addRecording('take-1', 1, new TextEncoder().encode('{}'))
    server.plan = ({ method, count }) => (method === 'POST' && count <= 2 ? fault : undefined)
    start()
    await until(everythingArrived)
    await expectStored()
  })
})

test('a cloud that is down for an hour gets everything once, from two uploaders of one ring', async () => {
  for (let seq = 0; seq < 120; seq += 1) fillSegment(ring, seq)
  const backAtMs = clock.nowMs() + 3_600_000
  server.plan = () => (clock.nowMs() < backAtMs ? { kind: 'reset', afterBytes: 0 } : undefined)
  const first = start()
  await until(() => first.status().state === 'offline', 10)
  await until(() => clock.nowMs() > backAtMs, 20_000)
  expect(server.log.length).toBeLessThan(200)
  start()
  await until(everythingArrived, 5000)

  for (const segment of ring.segments) {
    for (const file of segment.files) {
      const head = await rig.jobs.cloud.store.head(keys.raw({ ...segment, agent: 'lab' }, file.ext))
      expect(head?.sha256).toBe(file.sha256)
    }
  }
  expect(alarms).toEqual([])
})

test('B2: a link that comes and goes for an hour: what is there only grows, and in the end it is all of it', async () => {
  for (let seq = 0; seq < 40; seq += 1) fillSegment(ring, seq, 200_000)
  let cuts = 0
  const beganMs = clock.nowMs()
  server.plan = () => {
    const isUp =
      clock.nowMs() > beganMs + 3_600_000 || Math.floor((clock.nowMs() - beganMs) / 20_000) % 2 === 0
    if (isUp) return undefined
    cuts += 1
    return { kind: 'reset', afterBytes: (cuts * 64 * 1024) % 200_000 }
  }
  start()
  let seen = 0
  await until(() => {
    expect(ring.uploaded.size).toBeGreaterThanOrEqual(seen)
    seen = ring.uploaded.size
    return everythingArrived()
  })
  expect(cuts).toBeGreaterThan(0)
  await expectStored()
})

test('an agent that was started anew asks for what it had confirmed: a lost notification is sent again', async () => {
  const { store, queue } = rig.jobs.ports
  clock.setWall(Date.now()) // Files on a disk have the machine's time.
  const stored = fillSegment(new MemoryRing(), 7)
  const before = new MemoryRing()
  fillSegment(before, 7)
  for (const { ext, sizeBytes, sha256 } of stored.files) {
    const body = before.files.get(`cam/${stored.epoch}-7.${ext}`) ?? new Uint8Array()
    const key = keys.raw({ ...stored, agent: 'lab' }, ext)
    await store.put(key, body, { sizeBytes, sha256, contentType: 'application/octet-stream' })
  }
  const [lost] = await queue.receive('mux', { max: 1, visibilityS: 60 })
  await queue.remove('mux', lost?.receipt ?? '')
  ring.confirmedBefore.push(stored)
  start()
  await until(() => server.log.some((line) => line.includes('segments/status')), 10_000)
  await until(() => clock.monotonicMs() > unmuxedAskMs + 120_000, 10_000)
  expect((await queue.depth('mux')).waiting).toBe(1)
  expect({ alarms, errors: rig.errors, puts: puts('h264') }).toEqual({ alarms: [], errors: [], puts: [] })
})

test('a lost answer is asked for, not sent again', async () => {
  fillSegment(ring, 0)
  server.plan = ({ method, path, count }) =>
    method === 'PUT' && path.endsWith('.h264') && count === 1 ? { kind: 'lost' } : undefined
  start()
  await until(everythingArrived)
  expect(puts('h264').length).toBe(1)
})

test('an expired address is replaced once, then it is a failure with patience', async () => {
  fillSegment(ring, 0)
  server.plan = ({ method, path }) =>
    method === 'PUT' && path.endsWith('.h264') ? { kind: 'status', status: 403 } : undefined
  const uploader = start()
  await until(() => uploader.status().error !== undefined, 0)
  expect(puts('h264').length).toBe(2)
  expect(uploader.status().state).not.toBe('auth')
  expect(ring.uploaded.size).toBe(0)
})

test('a store that denies for ever is an alarm, once, until it takes something', async () => {
  fillSegment(ring, 0)
  server.plan = ({ method, path }) =>
    method === 'PUT' && path.endsWith('.h264') ? { kind: 'status', status: 403 } : undefined
  const uploader = start()
  await until(() => uploader.status().error !== undefined, 0)
  expect([uploader.status().alarm, alarms]).toEqual([undefined, []])
  await until(() => alarms.length > 0)
  await until(() => clock.monotonicMs() > 30 * 60_000) // Heartbeats are answered meanwhile.
  expect(alarms.map(({ message }) => message)).toEqual([uploader.status().alarm])
  expect(uploader.status()).toMatchObject({ state: 'denied', setAside: 0, pending: 1 })
  expect(puts('h264').length).toBeLessThan(100)
  server.plan = () => undefined
  await until(everythingArrived)
  await until(() => uploader.status().alarm === undefined)
  alarms = []
  await expectStored()
})

test('other bytes under the same key: set aside with an alarm, the others go on', async () => {
  const taken = fillSegment(ring, 0)
  fillSegment(ring, 1)
  const body = new Uint8Array([1, 2, 3])
  const key = keys.raw({ ...taken, agent: 'lab' }, 'h264')
  await rig.jobs.cloud.store.put(key, body, { sizeBytes: 3, contentType: 'application/octet-stream' })
  const uploader = start()
  await until(() => ring.uploaded.size === 1)
  await until(() => alarms.length === 1)

  expect(alarms[0]?.message).toMatch(/cam\/1772366400000-0 has the name of something else/)
  expect(uploader.status()).toMatchObject({ state: 'ok', setAside: 1, pending: 1 })
  const json = await rig.jobs.cloud.store.head(keys.raw({ ...taken, agent: 'lab' }, 'json'))
  expect(json).toBeUndefined()
})

test('a file that rotted on the disk is told apart from a line that flips bits', async () => {
  const rotten = fillSegment(ring, 0)
  fillSegment(ring, 1)
  const bytes = ring.files.get('cam/1772366400000-0.h264')
  if (bytes) bytes[10] = (bytes[10] ?? 0) ^ 4
  start()
  await until(() => ring.uploaded.size === 1)
  await until(() => alarms.length === 1)
  expect(alarms[0]?.message).toMatch(/differs on this disk/)
  expect(await rig.jobs.cloud.store.head(keys.raw({ ...rotten, agent: 'lab' }, 'h264'))).toBeUndefined()
})

test('a file that rotted is sealed again without what is damaged, and goes up', async () => {
  fillSegment(ring, 0)
  ring.repairable.add('cam/1772366400000-0')
  const bytes = ring.files.get('cam/1772366400000-0.h264')
  if (bytes) bytes[10] = (bytes[10] ?? 0) ^ 4
  start()
  await until(() => ring.uploaded.size === 1)
  expect(alarms).toEqual([])
})

test('a revoked device asks once a minute and keeps everything', async () => {
  fillSegment(ring, 0)
  token = 'revoked'
  const uploader = start()
  await until(() => uploader.status().state === 'auth', 0)
  const asked = server.log.length
  await until(() => clock.monotonicMs() > 30 * 60_000, 1000)
  expect(server.log.length - asked).toBeLessThanOrEqual(30)
  expect(server.log.length - asked).toBeGreaterThan(3)
  expect(uploader.status().state).toBe('auth')
  token = await rig.token({ role: 'device', agent: 'lab' })
  await until(everythingArrived)
  await expectStored()
})

test('after three aborted attempts the smallest goes first', async () => {
  fillSegment(ring, 0, 200_000)
  fillSegment(ring, 1, 5000)
  server.plan = ({ method, path }) =>
    method === 'PUT' && path.endsWith('-000000.h264') ? { kind: 'reset', afterBytes: 1000 } : undefined
  start()
  await until(() => ring.uploaded.size === 1)
  expect([...ring.uploaded.keys()]).toEqual(['cam/1772366400000-1'])
  server.plan = () => undefined
  await until(everythingArrived)
})

test('outside of the hours nothing but recordings goes up', async () => {
  const hour = (offset: number) => String((new Date(clock.nowMs()).getHours() + offset) % 24).padStart(2, '0')
  fillSegment(ring, 0)
  ring.addRecording('take-1', 1, new TextEncoder().encode('{}'))
  const uploader = start({ hours: `${hour(2)}:00-${hour(3)}:00` })
  await until(() => ring.uploaded.size === 1, 100)
  await until(() => clock.monotonicMs() > 3_600_000, 10_000)
  expect(uploader.status()).toMatchObject({ state: 'paused', pending: 1 })
  await until(everythingArrived, 10_000)
  await expectStored()
})

test('the bandwidth cap is shared by all uploads', async () => {
  for (let seq = 0; seq < 8; seq += 1) fillSegment(ring, seq, 100_000)
  const startMs = clock.monotonicMs()
  start({ bandwidth: 10_000 })
  await until(everythingArrived, 50)
  const seconds = (clock.monotonicMs() - startMs) / 1000
  expect(seconds).toBeGreaterThanOrEqual(800_000 / 10_000 - 1)
})

test('a cloud that comes up after the agent is found within seconds, though nothing waits', async () => {
  server.plan = () => ({ kind: 'reset', afterBytes: 0 })
  const uploader = start()
  await until(() => uploader.status().state === 'offline', 100)
  await until(() => clock.monotonicMs() > 5000, 100)
  server.plan = () => undefined
  const backAtMs = clock.monotonicMs()
  await until(() => uploader.status().state === 'ok', 100)
  expect(clock.monotonicMs() - backAtMs).toBeLessThan(20_000)
})

test('is stopped in the middle of a body, and leaves nothing behind', async () => {
  fillSegment(ring, 0, 2_000_000)
  const uploader = start({ bandwidth: 1000 })
  await until(() => puts('h264').length === 1, 0)
  await uploader[Symbol.asyncDispose]()
  expect(clock.sleeping).toBe(0)
  expect(ring.uploaded.size).toBe(0)
})
