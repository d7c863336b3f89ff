import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { ended, MediaClient } from '../support/grpc-client.ts'
import { repository } from '../support/modules.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'

// The gRPC service of the whole program, judged by grpcio (Debian's python3-grpcio and python3-grpc-tools).

const python = '/usr/bin/python3'
const hasGrpcio = spawnSync(python, ['-c', 'import grpc, grpc_tools.protoc']).status === 0

let program: Program
let grpcPort = 0
let protos = ''
const camera = new AbortController()
let filming: Promise<unknown>

beforeAll(async () => {
  grpcPort = await freePort()
  program = await Program.start({
    config: JSON.stringify({ grpc: { port: grpcPort }, rtmp: { port: null } }),
  })
  filming = simPhone({ url: program.phoneUrl(await program.publisherToken('cam')), signal: camera.signal })
  const ready = async () =>
    (await program.json<{ phones: { state: string }[] }>('/agent/v1/phones')).phones.length > 0
  await program.until(ready, 20_000, 'the phone')
  await program.post('/agent/v1/phones/start', {})
  await program.until(async () => (await cam())?.state === 'live', 20_000, 'pictures')
  protos = await mkdtemp(join(tmpdir(), 'edgereel-protos-'))
  await copyFile(join(repository, 'agent/control/grpc/edgereel.proto'), join(protos, 'edgereel.proto'))
  const health = 'node_modules/grpc-health-check/proto/health/v1/health.proto'
  await copyFile(join(repository, health), join(protos, 'health.proto'))
}, 60_000)
afterAll(async () => {
  camera.abort()
  await filming
  await program?.[Symbol.asyncDispose]()
  if (protos) await rm(protos, { recursive: true })
})

const cam = async () =>
  (await program.json<{ streams: StreamInfo[] }>('/agent/v1/streams')).streams.find(
    ({ name }) => name === 'cam',
  )
const judged = async (address: string, token: string) => {
  const judge = join(repository, 'test/support/grpc_judge.py')
  const { stdout } = await promisify(execFile)(python, [judge, protos, address, token])
  return JSON.parse(stdout.split('\n').findLast((line) => line.startsWith('{')) ?? '')
}

test.skipIf(!hasGrpcio).each(['TCP', 'the unix socket'])(
  'grpcio over %s',
  async (way) => {
    const isTcp = way === 'TCP'
    const address = isTcp ? `127.0.0.1:${grpcPort}` : `unix:${join(program.data, 'edgereel.sock')}`
    const seen = await judged(address, isTcp ? await program.adminToken() : '-')
    expect(seen).toMatchObject({
      health: 1,
      streams: [['cam', 'live', 'h264']],
      first_key: true,
      same: true,
      stopped: ['closed', 1, expect.any(Number)],
      deadline: 'DEADLINE_EXCEEDED',
      nowhere: 'NOT_FOUND',
      stranger: 'UNAUTHENTICATED',
      eleven_mb: 'RESOURCE_EXHAUSTED',
    })
    expect(seen.config).toMatch(/^avc1\./)
    expect(seen.steps).toHaveLength(39)
    expect(Math.min(...seen.steps)).toBeGreaterThan(0)
    expect(seen.age_ms).toBeGreaterThan(-100)
    expect(seen.age_ms).toBeLessThan(5000)
    expect(seen.stopped[2]).toBeGreaterThan(0)
    if (hasProgram('ffprobe')) expect(await pictures(seen.file)).toBe(40)
    const ready = await program.ready(seen.recording)
    expect(ready.streams).toMatchObject([{ name: 'cam' }])
    await program.until(async () => (await cam())?.viewers === 0, 5000, 'no viewer left')
  },
  90_000,
)

test('a recording is one by its id, however often it is started and stopped', async () => {
  using client = await MediaClient.open(`unix:${join(program.data, 'edgereel.sock')}`)
  const recordingId = 'asked-twice'
  const first = await client.call('StartRecording', { recordingId, streams: ['CAM'] })
  expect(first).toMatchObject({ recordingId, streams: [{ name: 'cam', state: 'recording' }] })
  expect(await client.call('StartRecording', { recordingId, streams: ['cam'] })).toEqual(first)
  const stopped = await client.call('StopRecording', { recordingId })
  expect(stopped.state).toBe('closed')
  expect(await client.call('StopRecording', { recordingId })).toEqual(stopped)
  const metrics = await (await program.fetch('/metrics')).text()
  expect(metrics).toMatch(/edgereel_grpc_calls_total\{code="0"\} \d+/)
})

test.skipIf(!hasProgram('ffmpeg'))(
  'a still of the stream; an address that is no camera’s is refused in words',
  async () => {
    using client = await MediaClient.open(`unix:${join(program.data, 'edgereel.sock')}`)
    const { jpeg, takenAt } = await client.call('CaptureSnapshot', { name: 'cam' })
    expect(jpeg.subarray(0, 3)).toEqual(Buffer.from('ffd8ff', 'hex'))
    expect(Math.abs(takenAt.seconds - Date.now() / 1000)).toBeLessThan(60)
    const unknown = await ended(client.open({ uri: 'gopher://10.0.0.1/' }))
    expect(unknown.code).toBe(status.INVALID_ARGUMENT)
    expect(unknown.details).toContain('rtsp://')
  },
)

async function pictures(file: string): Promise<number> {
  const args = [
    '-v',
    'error',
    '-count_frames',
    '-show_entries',
    'stream=nb_read_frames',
    '-of',
    'csv=p=0',
    file,
  ]
  return Number((await promisify(execFile)('ffprobe', args)).stdout.trim())
}
