import { expect, test } from 'vitest'
import { expire } from '../../../../cloud/jobs/expire.ts'
import { changeRecording, getRecording } from '../../../../cloud/rows/recording.ts'
import { findSegment, segmentDaysBefore } from '../../../../cloud/rows/segment.ts'
import { keys } from '../../../../shared/contract/segment.ts'
import { deleteGraceMs, rawKeepMs } from '../../../../shared/limits.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  type SealedSegment,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'
import { watchedCatalogue } from '../../../support/watched-catalogue.ts'

const dayMs = 86_400_000
const keepMs = 30 * dayMs
const agent = 'lab'
const epoch = 1_700_000_000_000

/** A segment of a stream that uploads everything, on the rig's first day. */
function segment(rig: ApiRig, seq: number): SealedSegment {
  const units = Array.from({ length: 10 }, (_, i) =>
    unitOf(syntheticPicture(seq * 10 + i, { startMs: 5000 })),
  )
  const wallOffsetMs = rig.jobs.clock.nowMs() - 5000
  return sealSegment({ ...{ agent, stream: 'cam', epoch, seq, units, video: syntheticVideo }, wallOffsetMs })
}

async function later(rig: ApiRig, ms: number): Promise<void> {
  rig.jobs.clock.advance(ms)
  await expire(rig.jobs.ports, new AbortController().signal, { keepMs })
}

const isThere = async (rig: ApiRig, seq: number) => {
  const row = await findSegment(rig.jobs.ports.catalogue, { agent, stream: 'cam', epoch, seq })
  return row !== undefined && row.deletedAt === undefined
}

test('recordings and segments go when they are older than what is kept, those on hold stay', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const segments = [0, 1, 2, 3].map((seq) => segment(rig, seq))
  for (const one of segments) await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('old', segments.slice(0, 2)))
  await putRecording(ports.store, recordingOf('held', segments.slice(1, 3)))
  expect(await rig.jobs.drain()).toEqual([])
  const { status } = await rig.ask('PUT', '/v1/recordings/held/hold', {
    token: rig.tokens.admin,
    body: { hold: true },
  })
  expect(status).toBe(200)

  await later(rig, rawKeepMs)
  expect(await isThere(rig, 3)).toBe(true) // Not old yet, though its raw pictures are gone.
  await later(rig, keepMs + dayMs)
  expect((await getRecording(ports.catalogue, 'old'))?.meta.deletedAt).toBeDefined()
  expect((await getRecording(ports.catalogue, 'held'))?.meta.deletedAt).toBeUndefined()
  expect(await Promise.all([0, 1, 2, 3].map((seq) => isThere(rig, seq)))).toEqual([false, true, true, false])
  await later(rig, deleteGraceMs)
  const playlist = await rig.ask('GET', '/v1/recordings/held/playlist.m3u8', { token: rig.tokens.viewer })
  expect(playlist.text.match(/#EXTINF/g)).toHaveLength(2)

  await rig.ask('PUT', '/v1/recordings/held/hold', { token: rig.tokens.admin, body: { hold: false } })
  await later(rig, 1)
  expect(await isThere(rig, 1)).toBe(false)
  expect(await Array.fromAsync(segmentDaysBefore(ports.catalogue, ports.clock.nowMs()))).toEqual([])
  const audit = await rig.ask('GET', '/v1/recordings/held/audit', { token: rig.tokens.admin })
  const { entries } = audit.json as { entries: { who: string; what: string }[] }
  expect(entries.map(({ what }) => what).sort()).toEqual(['delete', 'hold', 'release', 'view'])
  expect(entries).toContainEqual(expect.objectContaining({ who: 'retention', what: 'delete' }))
})

test('a hold that comes while retention looks keeps the recording and its segments', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(rig, 0)
  await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('take', [one]))
  expect(await rig.jobs.drain()).toEqual([])
  rig.jobs.clock.advance(keepMs + 2 * dayMs)
  const { catalogue } = ports
  const slow = watchedCatalogue(catalogue, async ({ pk }, page) => {
    const isList = pk.startsWith('R#') && page.rows.some(({ id, hold }) => id === 'take' && !hold)
    if (isList) await changeRecording(catalogue, 'take', (row) => ({ ...row, hold: true }))
  })
  await expire({ ...ports, catalogue: slow }, new AbortController().signal, { keepMs })
  expect((await getRecording(catalogue, 'take'))?.meta).toMatchObject({ hold: true })
  expect((await getRecording(catalogue, 'take'))?.meta.deletedAt).toBeUndefined()
  expect(await isThere(rig, 0)).toBe(true)
  const audit = await rig.ask('GET', '/v1/recordings/take/audit', { token: rig.tokens.admin })
  expect(audit.json).toEqual({ entries: [] })
})

test('a hold that comes too late is refused, not promised', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(rig, 0)
  await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('take', [one]))
  expect(await rig.jobs.drain()).toEqual([])
  const put = ports.store.put.bind(ports.store)
  ports.store.put = async (key, body, options) => {
    if (key.endsWith('/hold.json'))
      await rig.ask('DELETE', '/v1/recordings/take', { token: rig.tokens.admin })
    await put(key, body, options)
  }
  const body = { hold: true }
  const { status } = await rig.ask('PUT', '/v1/recordings/take/hold', { token: rig.tokens.admin, body })
  expect(status).toBe(404)
})

test('an MP4 that is gone a day later is made again, and the raw pictures stay until it is', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(rig, 0)
  await putSegment(ports.store, one)
  expect(await rig.jobs.drain()).toEqual([])
  await ports.store.delete(keys.media(one.manifest))
  await later(rig, rawKeepMs + 1)
  expect(await findSegment(ports.catalogue, one.manifest)).toMatchObject({ status: 'PENDING' })
  expect(await rig.jobs.drain()).toEqual([])
  const row = await findSegment(ports.catalogue, one.manifest)
  expect(row).toMatchObject({ status: 'SUCCESS', media: { key: keys.media(one.manifest) } })
  expect((await ports.store.head(keys.media(one.manifest)))?.sizeBytes).toBe(row?.media?.sizeBytes)
  expect(await ports.store.head(keys.raw(one.manifest, 'h264'))).toBeDefined()
  await later(rig, rawKeepMs + 1)
  expect(await ports.store.head(keys.raw(one.manifest, 'h264'))).toBeUndefined()
})
