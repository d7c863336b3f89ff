import { expect, test } from 'vitest'
import { expire } from '../../../../cloud/jobs/expire.ts'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import { findSegment } from '../../../../cloud/rows/segment.ts'
import type { Recording } from '../../../../shared/contract/recording.ts'
import { AppError } from '../../../../shared/error.ts'
import { deleteAgainMs, deleteGraceMs, deleteHeardMs, exportKeepMs } from '../../../../shared/limits.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import { faultyPorts } from '../../../support/faulty-ports.ts'
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

const startMs = Date.UTC(2026, 2, 1, 11)
const epoch = 1_700_000_000_000
const agent = 'lab'

function segment(seq: number): SealedSegment {
  const units = Array.from({ length: 10 }, (_, i) =>
    unitOf(syntheticPicture(seq * 10 + i, { startMs: 5000 })),
  )
  return sealSegment({
    ...{ agent, stream: 'cam', epoch, seq, units, video: syntheticVideo },
    wallOffsetMs: startMs - 5000,
  })
}

const segments = [0, 1, 2, 3].map(segment)
const part = (first: number, end: number) => segments.slice(first, end)

/** The segments of an `always` stream say so in their manifest. */
function keptAlways(sealed: SealedSegment): SealedSegment {
  const manifest = { ...sealed.manifest, kept: 'always' as const }
  const files = sealed.files.filter(({ ext }) => ext !== 'json')
  return { manifest, files: [...files, { ext: 'json', bytes: Buffer.from(JSON.stringify(manifest)) }] }
}

async function archive(
  rig: ApiRig,
  sealed: readonly SealedSegment[],
  recordings: Recording[],
): Promise<void> {
  for (const one of sealed) await putSegment(rig.jobs.ports.store, one)
  for (const recording of recordings) await putRecording(rig.jobs.ports.store, recording)
  expect(await rig.jobs.drain()).toEqual([])
}

async function remove(rig: ApiRig, id: string): Promise<void> {
  const { status } = await rig.ask('DELETE', `/v1/recordings/${id}`, { token: rig.tokens.admin })
  expect(status).toBe(200)
}

/** What the agent says a minute later: which of its recordings the cloud does not know to the end. */
async function hear(rig: ApiRig, claims: { from: number; streams: string[] }[] = []): Promise<void> {
  rig.jobs.clock.advance(60_000)
  const body = { version: '1', state: { claims } }
  const { status } = await rig.ask('POST', '/v1/agent/heartbeat', { token: rig.tokens.device, body })
  expect(status).toBe(200)
}

async function purgeAfter(rig: ApiRig, ms = deleteGraceMs): Promise<void> {
  rig.jobs.clock.advance(ms)
  await expire(rig.jobs.ports, new AbortController().signal)
}

async function keysOf(rig: ApiRig): Promise<string[]> {
  const lists = await Promise.all(
    ['raw/', 'media/', 'exports/'].map((prefix) => rig.jobs.ports.store.list(prefix)),
  )
  return lists.flatMap(({ keys }) => keys.map(({ key }) => key))
}

const stateOf = async (rig: ApiRig, seq: number) => {
  const row = await findSegment(rig.jobs.ports.catalogue, { agent, stream: 'cam', epoch, seq })
  return row?.deletedAt === undefined ? row?.status : 'deleted'
}
const states = (rig: ApiRig, seqs = [0, 1, 2, 3]) => Promise.all(seqs.map((seq) => stateOf(rig, seq)))

test('a deleted recording gives its bytes back, after its grace, and says so', async () => {
  await using rig = await openApiRig()
  await archive(rig, part(0, 2), [recordingOf('take', part(0, 2))])
  await remove(rig, 'take')
  await hear(rig)
  await purgeAfter(rig, 0)
  expect(await states(rig, [0, 1])).toEqual(['SUCCESS', 'SUCCESS'])
  await purgeAfter(rig)
  expect(await keysOf(rig)).toEqual([])
  expect(await states(rig, [0, 1])).toEqual(['deleted', 'deleted'])
  const { rows: audits } = await rig.jobs.ports.catalogue.query({ pk: 'R#take', prefix: 'AUDIT#' })
  expect(audits.map(({ what }) => what)).toEqual([
    'delete',
    expect.stringMatching(/^purge: 2 segments deleted/),
  ])
  const listed = await rig.ask(
    'GET',
    `/v1/segments?stream=cam&agent=lab&from=${startMs - 1000}&to=${startMs + 60_000}`,
    { token: rig.tokens.admin },
  )
  expect(listed.json).toEqual({ segments: [] })
})

test('a segment that two recordings share stays until both are deleted', async () => {
  await using rig = await openApiRig()
  await archive(rig, segments, [recordingOf('one', part(0, 3)), recordingOf('two', part(2, 4))])
  await remove(rig, 'one')
  await hear(rig)
  await purgeAfter(rig)
  expect(await states(rig)).toEqual(['deleted', 'deleted', 'SUCCESS', 'SUCCESS'])
  const playlist = await rig.ask('GET', '/v1/recordings/two/playlist.m3u8', { token: rig.tokens.viewer })
  expect(playlist.text.match(/#EXTINF/g)).toHaveLength(2)
  await remove(rig, 'two')
  await hear(rig)
  await purgeAfter(rig)
  expect(await states(rig)).toEqual(Array(4).fill('deleted'))
  expect(await keysOf(rig)).toEqual([])
})

test('what an open recording may come to list stays, and so does all of a stream that keeps everything', async () => {
  await using rig = await openApiRig()
  const always = keptAlways(segment(0))
  await archive(rig, [always, ...part(1, 4)], [recordingOf('take', [always, ...part(1, 4)])])
  await remove(rig, 'take')
  await hear(rig, [{ from: startMs + 2500, streams: ['other', 'cam'] }])
  await purgeAfter(rig)
  expect(await states(rig)).toEqual(['SUCCESS', 'deleted', 'SUCCESS', 'SUCCESS'])
})

test('an agent that is not heard may hold an open recording: nothing is deleted for a week', async () => {
  await using rig = await openApiRig()
  await archive(rig, part(0, 1), [recordingOf('take', part(0, 1))])
  await hear(rig)
  rig.jobs.clock.advance(1)
  await remove(rig, 'take')
  for (let day = 0; day < deleteHeardMs / deleteAgainMs; day += 1) {
    await purgeAfter(rig, day === 0 ? deleteGraceMs : deleteAgainMs)
    expect(await states(rig, [0])).toEqual(['SUCCESS'])
  }
  await purgeAfter(rig, deleteAgainMs)
  expect(await states(rig, [0])).toEqual(['deleted'])
})

test('a segment that comes after its recording was deleted goes the day after', async () => {
  await using rig = await openApiRig()
  await archive(rig, part(0, 1), [recordingOf('take', part(0, 2))])
  await remove(rig, 'take')
  await hear(rig)
  await purgeAfter(rig)
  await archive(rig, part(1, 2), [])
  expect(await states(rig, [0, 1])).toEqual(['deleted', 'SUCCESS'])
  await hear(rig)
  await purgeAfter(rig, deleteAgainMs)
  expect(await states(rig, [0, 1])).toEqual(['deleted', 'deleted'])
  expect((await getRecording(rig.jobs.ports.catalogue, 'take'))?.meta.purgedAt).toBeDefined()
  expect(await keysOf(rig)).toEqual([])
})

test('what was deleted does not come back: not by an event, a question or a revision of its agent', async () => {
  await using rig = await openApiRig()
  const take = recordingOf('take', part(0, 1))
  await archive(rig, part(0, 1), [take])
  await remove(rig, 'take')
  await hear(rig)
  await purgeAfter(rig)
  const event = { s3: { object: { key: `raw/lab/cam/${epoch}-000000.json` } } }
  await rig.jobs.ports.queue.send('mux', JSON.stringify({ Records: [event] }))
  expect(await rig.jobs.drain()).toEqual([])
  expect(await states(rig, [0])).toEqual(['deleted'])
  const token = rig.tokens.device
  const ask = (path: string, body: unknown) => rig.ask('POST', path, { token, body })
  const { manifest } = segment(0)
  const file = { ext: 'h264', ...manifest.video?.file }
  const asked = { segments: [{ stream: 'cam', epoch, seq: 0, files: [file] }] }
  expect((await ask('/v1/agent/segments/status', asked)).json).toMatchObject({
    segments: [{ status: 'muxed' }],
  })
  const revision = { id: 'take', rev: 1, sizeBytes: 10, sha256: '0'.repeat(64) }
  expect((await ask('/v1/agent/recordings', { recordings: [revision] })).json).toMatchObject({
    recordings: [{ status: 'stored' }],
  })
  // A recording that reaches back into it says what is missing, at once.
  await archive(rig, part(1, 2), [recordingOf('later', part(0, 2))])
  const later = await rig.ask('GET', '/v1/recordings/later', { token: rig.tokens.viewer })
  expect(later.json).toMatchObject({ state: 'ready' })
})

test('killed at any step, the next run ends it', { timeout: 120_000 }, async () => {
  for (let at = 1; ; at += 1) {
    await using rig = await openApiRig()
    await archive(rig, segments, [recordingOf('one', part(0, 3)), recordingOf('two', part(2, 4))])
    await remove(rig, 'one')
    await hear(rig)
    rig.jobs.clock.advance(deleteGraceMs)
    const { ports, calls } = faultyPorts(rig.jobs.ports, {
      at,
      when: at % 2 ? 'before' : 'after',
      kill: true,
    })
    const failed = await expire(ports, new AbortController().signal).catch((cause: unknown) =>
      AppError.from(cause),
    )
    await purgeAfter(rig, 0)
    expect(await states(rig), `call ${at}`).toEqual(['deleted', 'deleted', 'SUCCESS', 'SUCCESS'])
    const left = (await keysOf(rig)).filter((key) => /0000-00000[01]|take|\/one\//.test(key))
    expect(left, `call ${at}`).toEqual([])
    if (!(failed instanceof AppError)) {
      expect(calls()).toBeLessThan(at)
      expect(at).toBeGreaterThan(40)
      return
    }
  }
})

test('the files of an older version go a day after the newer one is there', async () => {
  await using rig = await openApiRig()
  await archive(rig, part(0, 1), [recordingOf('take', part(0, 2))])
  rig.jobs.clock.advance(25 * 3_600_000) // Then it is exported without the second.
  await rig.jobs.ports.queue.send('export', JSON.stringify({ kind: 'check', recording: 'take' }))
  expect(await rig.jobs.drain()).toEqual([])
  await archive(rig, part(1, 2), [])
  rig.jobs.clock.advance(900_000)
  expect(await rig.jobs.drain()).toEqual([])
  expect((await getRecording(rig.jobs.ports.catalogue, 'take'))?.meta.filesVersion).toBe(2)
  const exports = async () => (await keysOf(rig)).filter((key) => key.startsWith('exports/'))
  await purgeAfter(rig, 0)
  expect(await exports()).toHaveLength(6)
  await purgeAfter(rig, exportKeepMs)
  expect(await exports()).toEqual(
    ['cam-1.mp4', 'cam.csv', 'manifest.json'].map((file) => `exports/take/v2/${file}`),
  )
})

test('many deletions of one agent look through the list of recordings once', async () => {
  await using rig = await openApiRig()
  const { catalogue } = rig.jobs.ports
  const ids = Array.from({ length: 12 }, (_, i) => `take-${i}`)
  const recordings = ids.map((id) => recordingOf(id, part(0, 1)))
  await archive(rig, segments, [...recordings, recordingOf('stays', part(1, 2))])
  for (const id of ids) await remove(rig, id)
  await hear(rig)
  rig.jobs.clock.advance(deleteGraceMs)
  let lists = 0
  const counting = watchedCatalogue(catalogue, ({ pk }) => {
    lists += pk.startsWith('R#2026') ? 1 : 0
  })
  await expire({ ...rig.jobs.ports, catalogue: counting }, new AbortController().signal)
  expect(await states(rig)).toEqual(['deleted', 'SUCCESS', 'SUCCESS', 'SUCCESS'])
  expect(lists).toBe(1)
})
