import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordingReport, streamHealth } from '../../shared/contract/agent-api.ts'
import { MediaClient, type ReceivedUnit } from '../support/grpc-client.ts'
import { repository } from '../support/modules.ts'
import { freePort, Program } from '../support/program.ts'
import { filmingCamera, until } from '../support/rtsp-rig.ts'

// Three cameras as one recording, through the whole program: nothing begins unless all that are required are there, and
// what came of it is told by HTTP, gRPC and the command line alike; so is the health of each.

const run = promisify(execFile)
const login = { user: 'admin', password: 's3cret' }

describe('a group of cameras', () => {
  const stack = new AsyncDisposableStack()
  const cameras = new Map<string, Awaited<ReturnType<typeof filmingCamera>>>()
  let program: Program
  let client: MediaClient
  const addressOf = (name: string, password = 's3cret') =>
    (cameras.get(name)?.url ?? '').replace('//', `//admin:${password}@`)

  beforeAll(async () => {
    const grpcPort = await freePort()
    for (const name of ['left', 'right', 'top']) {
      cameras.set(name, stack.use(await filmingCamera({ login })))
      await sleep(370) // Their key frames are at different times.
    }
    const lines = ['left', 'right', 'top'].map((name) => `  ${name}: { source: "${addressOf(name)}" }`)
    program = stack.use(
      await Program.start({
        config: [
          'rtmp: { port: null }',
          `grpc: { port: ${grpcPort} }`,
          'cameras: { allow: [127.0.0.0/8] }',
          'streams:',
          ...lines,
          `  wrong: { source: "${addressOf('left', 'nonsense')}" }`,
          `  gone: { source: "rtsp://127.0.0.1:${await freePort()}/x", ring: always }`,
        ].join('\n'),
      }),
    )
    client = stack.use(await MediaClient.open(`127.0.0.1:${grpcPort}`, { token: await program.adminToken() }))
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  const start = (body: object) =>
    program.fetch('/agent/v1/recordings', { method: 'POST', body: JSON.stringify(body) })
  const cli = (...args: string[]) =>
    run(process.execPath, [join(repository, 'agent/cli.ts'), ...args, '--data', program.data], {
      env: { ...process.env, LANG: 'C' },
    })
  const playing = () => [...cameras.values()].map((camera) => camera.playing)

  test('does not begin while one that is required is away: it says which and why', async () => {
    const response = await start({ streams: ['left', 'wrong', 'gone'], require: 'all' })
    expect(response.status).toBe(412)
    const { error } = (await response.json()) as { error: { message: string; messageZh: string } }
    expect(error.message).toMatch(/^Nothing was started\. wrong: the camera refuses the user or the password/)
    expect(error.message).toMatch(/; gone: the camera refuses the connection/)
    expect(error.message).not.toMatch(/left/)
    expect(error.messageZh).toMatch(/未开始录像/)
    expect((await program.json<{ recordings: [] }>('/agent/v1/recordings')).recordings).toEqual([])
    const byClient = client.call('StartRecording', { streams: ['left', 'wrong'], require: ['wrong'] })
    await expect(byClient).rejects.toMatchObject({ code: 9, details: expect.stringMatching(/wrong: /) })
    await expect(cli('record', 'start', 'left', 'gone', '--require', 'all')).rejects.toMatchObject({
      stderr: expect.stringMatching(/Nothing was started/),
    })
    await until(() => playing().every((n) => n === 0), 'they are let go', 20_000)
  }, 60_000)

  test('names in `require` are of those that are to be recorded', async () => {
    expect((await start({ streams: ['left'], require: ['right'] })).status).toBe(400)
  })

  test('begins with those that are required, whoever else is away', async () => {
    const response = await start({ streams: ['left', 'gone'], require: ['left'], durationSeconds: 2 })
    expect(response.status).toBe(201)
    const { id, streams } = (await response.json()) as { id: string; streams: { state: string }[] }
    expect(streams.map(({ state }) => state)).toEqual(['recording', 'waiting'])
    await program.until(async () => (await report(id)).state === 'closed', 20_000, 'it is over')
    const [left, gone] = (await report(id)).streams
    expect(left?.pictures).toBeGreaterThan(45)
    expect(gone).toMatchObject({ pictures: 0, segments: 0 })
    expect(gone?.first).toBeUndefined()
  }, 40_000)

  const report = async (id: string) =>
    recordingReport.parse(await program.json(`/agent/v1/recordings/${id}/report`))

  test('of three with different key frames is cut to the same T, and reported', async () => {
    const streams = ['left', 'right', 'top']
    const body = { recordingId: 'group-1', streams, requireAll: true }
    const started = await client.call('StartRecording', body)
    expect(started.streams.map(({ state }: { state: string }) => state)).toEqual(
      streams.map(() => 'recording'),
    )
    await sleep(3210)
    expect((await report('group-1')).state).toBe('open')
    await client.call('StopRecording', { recordingId: 'group-1' })
    // A second start with the same id is no second check, even when they are gone.
    expect((await client.call('StartRecording', body)).recordingId).toBe('group-1')
    const told = await report('group-1')
    const lengthMs = (told.to ?? 0) - told.from
    for (const stream of told.streams) {
      expect(stream.gaps).toEqual([])
      expect(Math.abs(stream.pictures - lengthMs / 40)).toBeLessThanOrEqual(2)
      expect((stream.first ?? 0) - told.from).toBeGreaterThanOrEqual(0)
      expect((stream.first ?? 0) - told.from).toBeLessThan(43)
      expect((told.to ?? 0) - (stream.last ?? 0)).toBeLessThan(43)
      expect(stream.clock).toMatchObject({ source: 'device' })
    }
    const detail = await program.ready('group-1', 60_000)
    for (const { name } of detail.streams) {
      const csv = await program.fetch(`/v1/recordings/group-1/timestamps.csv?stream=${name}`)
      const rows = (await csv.text()).trim().split('\n').slice(1)
      expect(rows.length).toBe(told.streams.find((stream) => stream.name === name)?.pictures)
    }
    const byClient = await client.call('GetRecordingReport', { recordingId: 'group-1' })
    expect(byClient.streams.map(({ pictures }: { pictures: number }) => pictures)).toEqual(
      told.streams.map(({ pictures }) => pictures),
    )
    const { stdout } = await cli('record', 'report', 'group-1')
    for (const { name, pictures } of told.streams)
      expect(stdout).toMatch(new RegExp(`${name}\\s+${pictures}\\s+0\\s+0\\s+0\\.000 s`))
    expect((await program.fetch('/agent/v1/recordings/nobody/report')).status).toBe(404)
  }, 90_000)

  test('the health of each, by HTTP and gRPC', async () => {
    const probe = async (name: string, path: string) => {
      const response = await program.fetch(`/agent/v1/streams/${name}/${path}`)
      return { status: response.status, health: streamHealth.parse(await response.json()) }
    }
    const isOffline = async () => (await probe('gone', 'healthz')).health.state === 'offline'
    await program.until(isOffline, 5000, 'the one that is tried again and again is offline')
    expect(await probe('gone', 'healthz')).toMatchObject({ status: 503 })
    expect((await probe('gone', 'readyz')).health.reason).toMatch(/refuses the connection/)
    const told: string[] = []
    const watching = client.watch('stream/left', (one) => told.push(one))
    await until(() => told.at(-1) === 'NOT_SERVING', 'nobody wants it', 20_000)
    expect(await probe('left', 'healthz')).toMatchObject({
      status: 200,
      health: { live: true, ready: false },
    })
    expect((await probe('left', 'readyz')).status).toBe(503)
    const open = client.open({ name: 'left' })
    open.on('data', () => undefined)
    await until(() => told.at(-1) === 'SERVING', 'it serves')
    expect(await probe('left', 'readyz')).toMatchObject({ status: 200, health: { state: 'live' } })
    cameras.get('left')?.stall(true)
    await until(() => told.at(-1) === 'NOT_SERVING', 'that it is silent is seen', 20_000)
    // The first pause before it is tried again is anything up to 1 s, also too short to be seen; the next ones are longer.
    await program.until(async () => (await probe('left', 'healthz')).status === 503, 60_000, 'it is offline')
    cameras.get('left')?.stall(false)
    await until(() => told.at(-1) === 'SERVING', 'it is back', 40_000)
    open.cancel()
    watching.cancel()
  }, 180_000)

  test('a camera by its address alone is opened for the call, and left with it', async () => {
    const camera = stack.use(await filmingCamera({ login }))
    const uri = camera.url.replace('//', '//admin:s3cret@')
    const units: ReceivedUnit[] = []
    const call = client.open({ uri }).on('data', (unit: ReceivedUnit) => units.push(unit))
    await until(() => units.length >= 50, 'pictures come')
    expect(camera.playing).toBe(1)
    const spacings = units.slice(1).map(({ pts }, i) => pts - (units[i]?.pts ?? 0))
    expect(spacings.every((ms) => Math.abs(ms - 40) <= 1)).toBe(true)
    call.cancel()
    await until(() => camera.playing === 0, 'it is left', 20_000)
    const refused = client.open({ uri: uri.replace('s3cret', 'nonsense') })
    const error = await new Promise<object>((resolve) => refused.once('error', resolve))
    expect(error).toMatchObject({ code: 9, details: expect.stringMatching(/user or the password/) })
  }, 60_000)
})
