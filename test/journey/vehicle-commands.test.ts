import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSubscription } from '../../agent/protocol/vehicle-inner.ts'
import { type PlatformCommand, simPlatform } from '../../agent/sim/vehicle-platform.ts'
import type { HistoryInfo, HistoryItem, VehiclesAnswer } from '../../shared/contract/vehicle-api.ts'
import { InnerClient } from '../support/inner-client.ts'
import { freePort, Program } from '../support/program.ts'
import { hasRedis, RedisServer } from '../support/redis-server.ts'
import { openRtmpRig } from '../support/rtmp-rig.ts'

// The whole program, a real Redis and a platform with its vehicles that does what the commands say.

if (!hasRedis) console.log('skipped: redis-server is needed')

const sims = ['064959409438', '013800138000', '013900139000']
const platformSims = [...sims, '099900000001', '088800000001', '077700000001', '066600000001']
const channels = sims.map((sim) => `${sim}01`)

describe.skipIf(!hasRedis)('vehicles on demand', () => {
  let redis: RedisServer
  let program: Program
  let srs: Awaited<ReturnType<typeof openRtmpRig>> // Stands for SRS: it takes publishers as SRS does.
  const stop = new AbortController()
  const commands: PlatformCommand[] = []
  const ports = { live: 0, history: 0, inner: 0, clients: 0, innerHistory: 0, hooks: 0, replayHooks: 0 }
  let platform: Promise<void>

  beforeAll(async () => {
    redis = await RedisServer.start()
    for (const key of Object.keys(ports) as (keyof typeof ports)[]) ports[key] = await freePort()
    srs = await openRtmpRig({ graceMs: 50, admit: () => ({ role: 'admin', subject: 'srs', via: 'none' }) })
    program = await Program.start({
      config: `
rtmp: { port: null }
grpc: { port: null }
vehicles:
  live: { port: ${ports.live} }
  history: { port: ${ports.history} }
  inner: { port: ${ports.inner}, clients: ${ports.clients}, history: ${ports.innerHistory} }
  publicHost: 127.0.0.1
  commands: { redis: "${redis.url}" }
srs:
  hooks: { live: ${ports.hooks}, history: ${ports.replayHooks} }
  push: "rtmp://127.0.0.1:${srs.door.port}/live"
  api: "http://127.0.0.1:1"
`,
    })
    platform = simPlatform({
      ...{ redis: redis.url, version: 2016, sound: 'g711a', clock: 'boot', delayMs: 50 },
      sims: platformSims,
      signal: stop.signal,
      onCommand: (command) => commands.push(command),
    })
  }, 120_000)

  afterAll(async () => {
    stop.abort()
    await platform
    await program?.[Symbol.asyncDispose]()
    await srs?.[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
  })

  const watch = async (
    stream: string,
  ): Promise<{ bytes: () => number; close: () => void; status: number }> => {
    const abort = new AbortController()
    const response = await program.fetch(`/live/${stream}.flv`, { signal: abort.signal })
    let bytes = 0
    const read = async () => {
      for await (const chunk of response.body ?? []) bytes += chunk.length
    }
    read().catch(() => undefined)
    return { bytes: () => bytes, close: () => abort.abort(), status: response.status }
  }
  const told = (id: string, sim: string) =>
    commands.filter(({ commandId, iccid }) => commandId === id && iccid === sim).length
  const vehicles = () => program.json<VehiclesAnswer>('/agent/v1/vehicles')
  const quiet = () =>
    program.until(async () => (await vehicles()).vehicles.length === 0, 20_000, 'nobody wants any')

  test('browsers and inner clients, mixed, on several vehicles: who leaves disturbs nobody', async () => {
    const [one, two, three] = channels as [string, string, string]
    const viewers = await Promise.all([one, one, two, three].map(watch))
    const desktop = new InnerClient(ports.clients, 'pcClient')
    const server = new InnerClient(ports.inner, 'pcServer')
    await using _ = {
      [Symbol.asyncDispose]: async () =>
        void (await Promise.all([desktop, server].map((c) => c[Symbol.asyncDispose]()))),
    }
    for (const each of [one, two]) for (const client of [desktop, server]) client.subscribe(each)
    for (const viewer of viewers) await expect.poll(viewer.bytes, { timeout: 10_000 }).toBeGreaterThan(1000)
    await expect.poll(() => server.of(two).length, { timeout: 10_000 }).toBeGreaterThan(10)
    const goesOn = async (read: () => number) => {
      const before = read()
      await expect.poll(read, { timeout: 5000 }).toBeGreaterThan(before)
    }
    viewers[0]?.close()
    await goesOn(() => viewers[1]?.bytes() ?? 0)
    await desktop[Symbol.asyncDispose]()
    await goesOn(() => viewers[1]?.bytes() ?? 0)
    await goesOn(() => server.of(one).length)
    viewers[1]?.close()
    await goesOn(() => server.of(one).length)
    viewers[2]?.close()
    await goesOn(() => server.of(two).length)
    await goesOn(() => viewers[3]?.bytes() ?? 0)
    expect(sims.map((sim) => told('9101', sim))).toEqual([1, 1, 1])
    expect(commands.some(({ commandId }) => commandId === '9102')).toBe(false)
    viewers[3]?.close()
    await server[Symbol.asyncDispose]()
    await quiet()
    await expect.poll(() => sims.map((sim) => told('9102', sim)), { timeout: 5000 }).toEqual([1, 1, 1])
    expect(sims.map((sim) => told('9101', sim))).toEqual([1, 1, 1])
    expect(commands[0]).toEqual({
      ...{ port: String(ports.live), ip: '127.0.0.1', iccid: commands[0]?.iccid, channelNo: '1' },
      commandId: '9101',
    })
  }, 90_000)

  test('five hundred viewers in a second: one command', async () => {
    const channel = '099900000001' + '02'
    const viewers = await Promise.all(Array.from({ length: 500 }, () => watch(channel)))
    for (const viewer of viewers) await expect.poll(viewer.bytes, { timeout: 20_000 }).toBeGreaterThan(500)
    expect(told('9101', '099900000001')).toBe(1)
    for (const viewer of viewers) viewer.close()
    await quiet()
    await expect.poll(() => told('9102', '099900000001'), { timeout: 5000 }).toBe(1)
    expect(told('9101', '099900000001')).toBe(1)
  }, 90_000)

  test('a recording wants its vehicle, and has it told to close when it is over', async () => {
    const sim = '088800000001'
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams: [`${sim}01`] })
    await expect.poll(() => told('9101', sim), { timeout: 5000 }).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    await program.post(`/agent/v1/recordings/${id}/stop`)
    const detail = await program.ready(id)
    expect(detail.streams[0]?.units).toBeGreaterThan(10)
    await quiet()
    await expect.poll(() => told('9102', sim), { timeout: 5000 }).toBe(1)
  }, 60_000)

  test('history: the list that the platform passes back, and a range recorded with the vehicle’s own times', async () => {
    const [channel] = channels as [string]
    const sim = channel.slice(0, 12)
    const path = `/agent/v1/vehicles/${channel}/history`
    const range = { from: '2026-01-02T10:00:00+08:00', to: '2026-01-02T10:00:08+08:00' }
    const asked = program.post<{ items: HistoryItem[] }>(`${path}/query`, range)
    await expect.poll(() => told('9205', sim), { timeout: 5000 }).toBe(1)
    const item = { startTime: '260102095500', endTime: '260102101000', size: '1000000' }
    expect(await program.post(`${path}/resources`, { items: [item] })).toEqual({ taken: true })
    expect((await asked).items).toMatchObject([
      { from: Date.parse('2026-01-02T09:55:00+08:00'), sizeBytes: 1e6 },
    ])
    const { stream, recording = '' } = await program.post<HistoryInfo>(path, {
      ...range,
      record: true,
      title: 'crossing',
    })
    const viewer = await watch(stream)
    await expect.poll(viewer.bytes, { timeout: 10_000 }).toBeGreaterThan(1000)
    expect((await program.json<HistoryInfo>(path)).state).toBe('playing')
    const refused = await program.fetch(`${path}/control`, { method: 'POST', body: '{"action":"pause"}' })
    expect(refused.status).toBe(412)
    const beside = JSON.stringify({ streams: [stream] })
    const second = await program.fetch('/agent/v1/recordings', { method: 'POST', body: beside })
    expect([second.status, await second.text()]).toEqual([409, expect.stringContaining(recording)])
    await program.until(
      async () => (await program.json<HistoryInfo>(path)).state === 'over',
      30_000,
      'it is through',
    )
    expect(await program.json<HistoryInfo>(path)).toMatchObject({ end: 'complete' })
    viewer.close()
    const detail = await program.ready(recording, 60_000)
    const [recorded] = detail.streams
    expect(recorded?.from).toBe(Date.parse(range.from))
    expect(Math.abs((recorded?.to ?? 0) - Date.parse(range.to))).toBeLessThan(1500)
    expect(recorded?.gaps).toEqual([])
    const csv = await (
      await program.fetch(`/v1/recordings/${recording}/timestamps.csv?stream=${stream}`)
    ).text()
    expect(csv).toContain('2026-01-02T02:00:0')
  }, 90_000)

  test('history, the agent killed in the middle: what came is a recording after the restart', async () => {
    const data = await mkdtemp(join(tmpdir(), 'edgereel-'))
    const port = await freePort()
    const config = `
rtmp: { port: null }
grpc: { port: null }
vehicles:
  live: { port: ${await freePort()} }
  history: { port: ${port} }
  publicHost: 127.0.0.1
  commands: { redis: "${redis.url}" }
`
    let again = await Program.start({ data, config })
    try {
      const path = '/agent/v1/vehicles/06660000000101/history'
      const from = '2026-01-02T10:00:00+08:00'
      const asked = { from, to: '2026-01-02T10:10:00+08:00', record: true }
      const { recording = '' } = await again.post<HistoryInfo>(path, asked)
      const position = async () => (await again.json<HistoryInfo>(path)).position - Date.parse(from)
      await again.until(async () => (await position()) > 4000, 30_000, 'four seconds of history')
      await again.kill()
      again = await Program.start({ data, config })
      const [recorded] = (await again.ready(recording, 60_000)).streams
      expect(recorded?.from).toBe(Date.parse(from))
      const lengthMs = (recorded?.to ?? 0) - Date.parse(from)
      expect(lengthMs).toBeGreaterThan(3000)
      expect(lengthMs).toBeLessThan(30_000)
    } finally {
      await again[Symbol.asyncDispose]()
      await rm(data, { recursive: true, force: true })
    }
  }, 120_000)

  test('SRS: on_play, push, on_stop; it calls the vehicle itself', async () => {
    const sim = '077700000001'
    const device = `${sim}01`
    const hook = async (action: string) => {
      const body = JSON.stringify({ action, client_id: 'abc', app: 'live', stream: device })
      const response = await fetch(`http://127.0.0.1:${ports.hooks}/api/v1/sessions`, {
        method: 'POST',
        body,
      })
      return await response.text()
    }
    expect(await hook('on_play')).toBe('0')
    expect(await hook('on_play')).toBe('0')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await redis.list()).toEqual([])
    expect(told('9101', sim)).toBe(0)
    expect((await vehicles()).vehicles).toMatchObject([{ name: device, holders: 1, callers: 0 }])
    const called = {
      port: String(ports.live),
      ip: '127.0.0.1',
      iccid: sim,
      channelNo: '1',
      commandId: '9101',
    }
    await redis.cli('RPUSH', 'EXTERNAL_COMMAND', JSON.stringify(called)) // As the web server's platform does.
    await expect.poll(() => srs.hub.stream(device)?.state, { timeout: 10_000 }).toBe('live')
    await expect.poll(() => srs.units.some(({ track }) => track === 'audio'), { timeout: 10_000 }).toBe(true)
    expect(await hook('on_stop')).toBe('0')
    await expect.poll(() => srs.hub.stream(device)?.state, { timeout: 10_000 }).toBe('waiting')
    await quiet()
    expect(told('9102', sim)).toBe(0)
    await redis.cli('RPUSH', 'EXTERNAL_COMMAND', JSON.stringify({ ...called, commandId: '9102' }))
  }, 60_000)

  test('a name that only somebody asked for is forgotten again', async () => {
    const unseen = 'abcdefabcdef01' // Of no vehicle of the platform.
    const viewer = program
      .fetch(`/live/${unseen}.flv`, { signal: AbortSignal.timeout(1500) })
      .catch(() => undefined)
    await expect.poll(async () => (await vehicles()).vehicles.map(({ name }) => name)).toEqual([unseen])
    await viewer
    await quiet()
    const { streams } = await program.json<{ streams: { name: string }[] }>('/agent/v1/streams')
    expect(streams.map(({ name }) => name)).not.toContain(unseen)
  }, 30_000)

  test('what is no subscription is closed, and the program goes on', async () => {
    const client = new InnerClient(ports.inner)
    await expect.poll(() => client.connects).toBe(1)
    client.socket?.write(
      writeSubscription('subscribe', { who: 'pcServer', device: '../../../../etc', sequence: 1 }),
    )
    client.socket?.write('GET / HTTP/1.1\r\n\r\n')
    await expect.poll(() => client.connects, { timeout: 5000 }).toBeGreaterThan(1)
    await client[Symbol.asyncDispose]()
    expect((await vehicles()).vehicles).toEqual([])
  })
})
