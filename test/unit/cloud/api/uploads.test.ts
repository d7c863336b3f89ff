import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import { putSegment, type SealedSegment, sealSegment, unitOf } from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

let rig: ApiRig
beforeEach(async () => {
  rig = await openApiRig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const sealed = sealSegment({
  agent: 'lab',
  stream: 'cam',
  epoch: 1_772_366_400_000,
  seq: 3,
  video: syntheticVideo,
  units: Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i))),
})
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const questionOf = ({ manifest: { stream, epoch, seq }, files }: SealedSegment) => ({
  ...{ stream, epoch, seq },
  files: files.map(({ ext, bytes }) => ({ ext, sizeBytes: bytes.length, sha256: sha256(bytes) })),
})
type Target = { key: string; url: string; headers: Record<string, string>; expiresAt: number; ext: string }

const post = (path: string, body: unknown, token = rig.tokens.device) =>
  rig.ask('POST', `/v1/agent/${path}`, { token, body })
const statusOf = async (segment: unknown, token?: string) => {
  const { json } = await post('segments/status', { segments: [segment] }, token)
  return (json.segments as { status: string; stored: string[] }[])[0]
}
const put = ({ url, headers }: Target, body: Uint8Array) =>
  rig.jobs.cloud.storeRoute(
    new Request(`http://cloud${url}`, { method: 'PUT', headers, body: new Uint8Array(body) }),
  )

test('addresses are of one key below the agent, one length and one checksum; stored follows the last file', async () => {
  const { json } = await post('segments', { segments: [questionOf(sealed)] })
  const targets = (json.segments as { files: Target[] }[])[0]?.files ?? []
  expect(targets.map(({ key }) => key)).toEqual([
    'raw/lab/cam/1772366400000-000003.h264',
    'raw/lab/cam/1772366400000-000003.idx',
    'raw/lab/cam/1772366400000-000003.json',
  ])
  expect(await statusOf(questionOf(sealed))).toMatchObject({ status: 'missing', stored: [] })
  for (const [i, target] of targets.entries()) {
    expect(target.expiresAt - rig.jobs.clock.nowMs()).toBeLessThanOrEqual(901_000)
    const bytes = sealed.files[i]?.bytes ?? Buffer.alloc(0)
    expect((await put(target, Buffer.concat([bytes, Buffer.from('x')]))).status).toBe(400)
    expect((await put({ ...target, headers: {} }, bytes)).status).toBe(403)
    expect((await put(target, bytes)).status).toBe(200)
    expect((await put(target, bytes)).status).toBe(412)
  }
  expect(await statusOf(questionOf(sealed))).toMatchObject({ status: 'stored' })
  await rig.jobs.drain()
  expect(await statusOf(questionOf(sealed))).toMatchObject({ status: 'muxed' })
})

test('another agent sees and reaches nothing of it', async () => {
  await putSegment(rig.jobs.ports.store, sealed)
  const other = await rig.token({ role: 'device', agent: 'attic' })
  expect(await statusOf(questionOf(sealed), other)).toMatchObject({ status: 'missing', stored: [] })
  const { json } = await post('segments', { segments: [questionOf(sealed)] }, other)
  const keys = (json.segments as { files: Target[] }[])[0]?.files.map(({ key }) => key) ?? []
  expect(keys.every((key) => key.startsWith('raw/attic/cam/'))).toBe(true)
})

test('other bytes under the name are a mismatch, before and after the mux', async () => {
  await putSegment(rig.jobs.ports.store, sealed)
  const question = questionOf(sealed)
  const other = {
    ...question,
    files: question.files.map((file) => ({ ...file, sha256: sha256(Buffer.from('x')) })),
  }
  expect(await statusOf(other)).toMatchObject({ status: 'mismatch' })
  await rig.jobs.drain()
  expect(await statusOf(other)).toMatchObject({ status: 'mismatch' })
})

test('a segment whose raw pictures were deleted after the mux is muxed still', async () => {
  await putSegment(rig.jobs.ports.store, sealed)
  await rig.jobs.drain()
  await rig.jobs.ports.store.delete('raw/lab/cam/1772366400000-000003.h264')
  const question = questionOf(sealed)
  expect(await statusOf(question)).toMatchObject({ status: 'muxed' })
  const longer = question.files.map((file) => ({
    ...file,
    sizeBytes: file.sizeBytes + (file.ext === 'h264' ? 1 : 0),
  }))
  expect(await statusOf({ ...question, files: longer })).toMatchObject({ status: 'mismatch' })
})

test('what the mux cannot read is quarantined', async () => {
  const { ports } = rig.jobs
  const index = sealed.files.find(({ ext }) => ext === 'idx')
  const files = sealed.files.map((file) => (file === index ? { ...file, bytes: Buffer.alloc(64) } : file))
  await putSegment(ports.store, { ...sealed, files })
  for (let n = 0; n < 4; n += 1) {
    await rig.jobs.drain()
    rig.jobs.clock.advance(120_000)
  }
  expect(await statusOf(questionOf({ ...sealed, files }))).toMatchObject({ status: 'quarantined' })
})

test('a segment whose notification was lost is queued again after 15 minutes, not before', async () => {
  const { ports } = rig.jobs
  rig.jobs.clock.setWall(Date.now()) // Files on a disk have the machine's time.
  await putSegment(ports.store, sealed)
  const [message] = await ports.queue.receive('mux', { max: 1, visibilityS: 60 })
  await ports.queue.remove('mux', message?.receipt ?? '')
  rig.jobs.clock.advance(14 * 60_000)
  expect(await statusOf(questionOf(sealed))).toMatchObject({ status: 'stored' })
  expect((await ports.queue.depth('mux')).waiting).toBe(0)
  rig.jobs.clock.advance(2 * 60_000)
  await statusOf(questionOf(sealed))
  expect((await ports.queue.depth('mux')).waiting).toBe(1)
  await rig.jobs.drain()
  expect(await statusOf(questionOf(sealed))).toMatchObject({ status: 'muxed' })
})

test('recordings: an address, then stored; another agent cannot take the name', async () => {
  const body = Buffer.from(
    JSON.stringify({
      ...{ version: 1, id: 'take', agent: 'lab', rev: 2, state: 'open', labels: [] },
      ...{ createdAt: 1, from: 1_772_366_400_000, to: null },
      streams: [{ name: 'cam', from: 1_772_366_400_000, to: null, segments: [], gaps: [] }],
    }),
  )
  const question = { id: 'take', rev: 2, sizeBytes: body.length, sha256: sha256(body) }
  const ask = async (token?: string) =>
    (
      (await post('recordings', { recordings: [question] }, token)).json.recordings as {
        status: string
        target?: Target
      }[]
    )[0]
  const missing = await ask()
  expect(missing).toMatchObject({ status: 'missing', target: { key: 'raw/lab/recordings/take/2.json' } })
  if (missing?.target) expect((await put(missing.target, body)).status).toBe(200)
  expect(await ask()).toMatchObject({ status: 'stored' })
  await rig.jobs.drain()
  const other = await rig.token({ role: 'device', agent: 'attic' })
  expect(await ask(other)).toEqual({ id: 'take', rev: 2, status: 'mismatch' })
  expect((await rig.ask('GET', '/v1/recordings/take', { token: rig.tokens.viewer })).json).toMatchObject({
    state: 'open',
  })
})

test('too many, too large, unknown files are refused', async () => {
  const question = questionOf(sealed)
  const many = Array.from({ length: 51 }, (_, seq) => ({ ...question, seq }))
  expect((await post('segments', { segments: many })).status).toBe(400)
  const large = { ...question, files: [{ ext: 'h264', sizeBytes: 1e12, sha256: 'a'.repeat(64) }] }
  expect((await post('segments', { segments: [large] })).status).toBe(400)
  const odd = { ...question, files: [{ ext: 'exe', sizeBytes: 1, sha256: 'a'.repeat(64) }] }
  expect((await post('segments', { segments: [odd] })).status).toBe(400)
})

test('a heartbeat is what the list of agents shows, until three were missed', async () => {
  expect((await post('heartbeat', { version: '0.1.0', state: { streams: 2 } })).json).toEqual({
    nowMs: rig.jobs.clock.nowMs(),
  })
  const agents = async () => (await rig.ask('GET', '/v1/agents', { token: rig.tokens.viewer })).json.agents
  expect(await agents()).toMatchObject([
    { name: 'lab', version: '0.1.0', online: true, state: { streams: 2 } },
  ])
  rig.jobs.clock.advance(180_000)
  expect(await agents()).toMatchObject([{ online: false }])
  expect((await post('heartbeat', { version: '1', state: { x: 'y'.repeat(70_000) } })).status).toBe(400)
})
