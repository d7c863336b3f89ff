import { expect, test } from 'vitest'
import {
  addShare,
  addToken,
  findShare,
  findToken,
  listTokens,
  revokeShare,
  revokeTokens,
} from '../../../../cloud/rows/access.ts'
import { getRecording, listRecordings, saveRecording, segmentIds } from '../../../../cloud/rows/recording.ts'
import { newSegmentRow, segmentsBetween, segmentsById } from '../../../../cloud/rows/segment.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import { recordingOf, sealSegment, unitOf } from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'
import { watchedCatalogue } from '../../../support/watched-catalogue.ts'

const epoch = 1_700_000_000_000
const at = (seq: number, startMs: number) =>
  sealSegment({
    agent: 'lab',
    stream: 'cam',
    epoch,
    seq,
    units: [0, 1].map((n) => unitOf(syntheticPicture(n, { startMs }))),
    video: syntheticVideo,
  })

test('recordings are listed newest first over months and empty years, in pages', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  const starts = [
    '2019-12-31T23:59:59Z',
    '2024-02-29T00:00:00Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:01Z',
    '1970-01-01T00:00:00Z',
  ]
  for (const [i, start] of starts.entries()) {
    const from = Date.parse(start)
    await saveRecording(catalogue, recordingOf(`r${i}`, [at(1, 5000)], { from, to: from + 1000 }), 0)
  }
  for (const limit of [1, 2, 3, 100]) {
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = await listRecordings(catalogue, { limit, ...(cursor !== undefined && { cursor }) })
      ids.push(...page.recordings.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(ids).toEqual(['r3', 'r2', 'r1', 'r0', 'r4'])
  }
})

test('an older revision changes nothing, another agent may not take the id', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  const value = recordingOf('r', [at(1, 5000), at(2, 6000), at(4, 7000)])
  expect(await saveRecording(catalogue, { ...value, rev: 3, title: 'three' }, 0)).toBe('saved')
  expect(await saveRecording(catalogue, { ...value, rev: 2, title: 'two' }, 0)).toBe('old')
  expect(await saveRecording(catalogue, { ...value, rev: 3, title: 'again' }, 0)).toBe('old')
  await expect(saveRecording(catalogue, { ...value, rev: 4, agent: 'other' }, 0)).rejects.toMatchObject({
    kind: 'AlreadyExists',
  })
  const rows = await getRecording(catalogue, 'r')
  expect(rows?.meta.title).toBe('three')
  expect(rows?.streams[0]?.runs).toEqual([
    [epoch, 1, 2],
    [epoch, 4, 4],
  ])
  expect(rows?.streams.flatMap(segmentIds).map(({ seq }) => seq)).toEqual([1, 2, 4])
})

test('segments are found by range over midnight, and by id even where the wall clock was wrong', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  const midnight = Date.parse('2026-03-02T00:00:00Z')
  const starts = [midnight - 70_000, midnight - 50, midnight + 60_000, midnight + 40 * 86_400_000]
  for (const [i, start] of starts.entries())
    await catalogue.put(newSegmentRow(at(i + 1, start).manifest, 0), 'absent')
  const range = { agent: 'lab', stream: 'cam', from: midnight, to: midnight + 60_001 }
  const found = await Array.fromAsync(segmentsBetween(catalogue, range))
  expect(found.map(({ seq }) => seq)).toEqual([2, 3])
  const ids = [1, 2, 4, 9].map((seq) => ({ epoch, seq }))
  expect([...(await segmentsById(catalogue, { ...range, ids })).values()].map(({ seq }) => seq)).toEqual([
    1, 2, 4,
  ])
})

test('tokens and shares: found by hash, gone when revoked or expired', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  await addToken(catalogue, { sha256: 'a', name: 'door', role: 'viewer', createdAt: 0, expiresAt: 100 })
  expect(await findToken(catalogue, 'a', 99)).toMatchObject({ name: 'door' })
  expect(await findToken(catalogue, 'a', 100)).toBeUndefined()
  expect(await findToken(catalogue, 'b', 0)).toBeUndefined()
  expect(await revokeTokens(catalogue, ({ name }) => name === 'door', 50)).toBe(1)
  expect(await findToken(catalogue, 'a', 0)).toBeUndefined()
  expect(await listTokens(catalogue)).toHaveLength(1)

  await addShare(catalogue, { id: 'rec~1', secretSha256: 'h', createdAt: 0, createdBy: 'me', expiresAt: 100 })
  expect(await findShare(catalogue, 'h', 99)).toMatchObject({ recording: 'rec' })
  expect(await findShare(catalogue, 'h', 100)).toBeUndefined()
  await revokeShare(catalogue, 'rec~1', 1)
  expect(await findShare(catalogue, 'h', 0)).toBeUndefined()
  await expect(revokeShare(catalogue, 'rec~2', 1)).rejects.toMatchObject({ kind: 'NotFound' })
})

test('a list of an earlier time begins there, not at today', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  const start = Date.UTC(2026, 0, 31, 23)
  const ids = Array.from({ length: 40 }, (_, i) => `r${String(i).padStart(2, '0')}`)
  for (const [i, id] of ids.entries()) {
    const from = start + i * 600_000 // Of two months.
    await saveRecording(catalogue, recordingOf(id, [at(1, 5000)], { from, to: from + 1000 }), 0)
  }
  for (const n of [0, 1, 5, 6, 7, 39]) {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const more = cursor === undefined ? {} : { cursor }
      const page = await listRecordings(catalogue, { limit: 4, before: start + n * 600_000, ...more })
      expect(page.recordings).toHaveLength(Math.min(4, n - seen.length))
      seen.push(...page.recordings.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(ids.slice(0, n).reverse())
  }
})

test('hours of segments that are not there are one question, and those behind a clock that was set are found', async () => {
  await using rig = await openJobsRig()
  let queries = 0
  const catalogue = watchedCatalogue(rig.ports.catalogue, () => {
    queries += 1
  })
  const range = { agent: 'lab', stream: 'cam', from: 10_000, to: 20_000 }
  const ids = Array.from({ length: 1440 }, (_, i) => ({ epoch, seq: 999_000 + i }))
  expect((await segmentsById(catalogue, { ...range, ids })).size).toBe(0)
  expect(queries).toBeLessThanOrEqual(4)
  for (const [seq, startMs] of [
    [999_003, 15_000],
    [999_100, 90_000_000],
    [999_999, 90_000_000],
    [1_000_000, 90_000_000],
    [1_000_001, 180_000_000],
  ] as const)
    await catalogue.put(newSegmentRow(at(seq, startMs).manifest, 0), 'absent')
  const found = [...(await segmentsById(catalogue, { ...range, ids })).keys()].sort()
  expect(found.map((name) => Number(name.split('-')[1])).sort((a, b) => a - b)).toEqual([
    999_003, 999_100, 999_999, 1_000_000, 1_000_001,
  ])
})
