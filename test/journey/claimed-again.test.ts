import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openRing } from '../../agent/ring/ring.ts'
import type { Ring } from '../../agent/ring/types.ts'
import { createCloudClient } from '../../agent/upload/cloud-client.ts'
import { startUploader } from '../../agent/upload/uploader.ts'
import { expire } from '../../cloud/jobs/expire.ts'
import { findSegment } from '../../cloud/rows/segment.ts'
import { deletingMsMax } from '../../shared/cloud-limits.ts'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import type { AppError } from '../../shared/error.ts'
import { deleteGraceMs } from '../../shared/limits.ts'
import { type ApiRig, openApiRig } from '../support/api-rig.ts'
import { startFaultServer } from '../support/fault-server.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'

const startMs = Date.UTC(2026, 2, 1, 12)
const seqs = [1, 2, 3]

async function fill(ring: Ring): Promise<void> {
  for (const seq of seqs) {
    const segment = { stream: 'cam', epoch: startMs, seq, video: syntheticVideo }
    const clock = { wallOffsetMs: 0, wallBoundMs: 10, timeSource: 'device' as const, continues: false }
    const writer = ring.open({ ...segment, ...clock })
    for (let n = 0; n < 10; n += 1) writer.append(syntheticPicture((seq - 1) * 10 + n))
    await writer.seal({ reason: 'test', wallOffsetMs: 0, wallBoundMs: 10 })
  }
}

const claim = (ring: Ring, id: string, createdAt: number) =>
  ring.saveRecording({
    ...{ version: 1, id, agent: 'lab', rev: 1, state: 'closed', labels: [], createdAt },
    ...{ from: startMs, to: startMs + 3000 },
    streams: [
      {
        ...{ name: 'cam', from: startMs, to: startMs + 3000, gaps: [] },
        segments: seqs.map((seq) => ({ epoch: startMs, seq })),
      },
    ],
  })

const detail = async (rig: ApiRig, id: string) =>
  (await rig.ask('GET', `/v1/recordings/${id}`, { token: rig.tokens.viewer })).json as RecordingDetail

async function statesOf(rig: ApiRig) {
  const { catalogue } = rig.jobs.ports
  const rows = seqs.map((seq) => findSegment(catalogue, { agent: 'lab', stream: 'cam', epoch: startMs, seq }))
  return (await Promise.all(rows)).map((row) => (row?.deletedAt === undefined ? row?.status : 'deleted'))
}

test('a range whose recording was deleted is recorded anew while the ring holds it: all of it comes again', async () => {
  await using stack = new AsyncDisposableStack()
  const rig = stack.use(await openApiRig())
  const { clock } = rig.jobs
  const server = stack.use(await startFaultServer(rig.fetch))
  const dir = await mkdtemp(join(tmpdir(), 'claimed-again-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const fatal: Error[] = []
  const agent = { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' }
  const ring = stack.use(
    await openRing({
      ...{ dir, agent, quotaBytes: 1e9, whenFull: 'overwrite', clock },
      onFatal: (e) => fatal.push(e),
    }),
  )
  const headers = () => ({ authorization: `Bearer ${rig.tokens.device}` })
  const alarms: AppError[] = []
  stack.use(
    startUploader({
      ...{ source: ring, clock, random: () => 0.5, bandwidth: null, hours: null, version: 'test' },
      client: createCloudClient({ base: server.base, headers, clock }),
      agentState: () => ({}),
      onAlarm: (error) => alarms.push(error),
    }),
  )
  /** Lets the uploader and the jobs work. */
  const until = async (condition: () => boolean | Promise<boolean>, stepMs = 1000) => {
    let done = false
    for (let i = 0; i < 2000 && !done; i += 1) {
      await delay(2)
      clock.advance(stepMs)
      await rig.jobs.drain()
      done = await condition()
    }
    expect({ done, errors: rig.errors, alarms, log: server.log.slice(-5) }).toMatchObject({ done: true })
  }
  const sizeOf = async (id: string) => {
    const { state, streams } = await detail(rig, id)
    return state === 'ready' ? streams[0]?.export.files[0]?.mp4Bytes : undefined
  }
  const puts = () => server.log.filter((line) => line.startsWith('PUT') && line.endsWith('.h264')).length

  await fill(ring)
  await claim(ring, 'first', startMs + 4000)
  await until(async () => (await sizeOf('first')) !== undefined)
  const whole = await sizeOf('first')
  expect(puts()).toBe(3)

  const { status } = await rig.ask('DELETE', '/v1/recordings/first', { token: rig.tokens.admin })
  expect(status).toBe(200)
  await until(() => clock.nowMs() > startMs + deleteGraceMs * 2, 60_000)
  await expire(rig.jobs.ports, AbortSignal.timeout(10_000))
  expect(await statesOf(rig)).toEqual(['deleted', 'deleted', 'deleted'])
  const deletedAtMs = clock.nowMs()

  await claim(ring, 'second', clock.nowMs())
  await until(async () => (await ring.pendingUploads({ limit: 10 })).recordings.length === 0)
  await until(() => clock.nowMs() > deletedAtMs + deletingMsMax - 60_000, 10_000)
  expect({ puts: puts(), states: await statesOf(rig) }).toEqual({
    puts: 3,
    states: ['deleted', 'deleted', 'deleted'],
  })
  await until(async () => (await statesOf(rig)).every((state) => state === 'SUCCESS'))
  await until(async () => (await sizeOf('second')) === whole)

  await until(async () => (await ring.pendingUploads({ limit: 10 })).total.segments === 0)
  const [stream] = (await detail(rig, 'second')).streams
  expect(stream).toMatchObject({ gaps: [] })
  expect(puts()).toBe(6)
  expect({ alarms, fatal, errors: rig.errors }).toEqual({ alarms: [], fatal: [], errors: [] })
})
