import { expect, test } from 'vitest'
import { expire } from '../../../../cloud/jobs/expire.ts'
import { rebuildStep } from '../../../../cloud/jobs/rebuild.ts'
import type { Row } from '../../../../cloud/ports.ts'
import { changeRecording } from '../../../../cloud/rows/recording.ts'
import { keys } from '../../../../shared/contract/segment.ts'
import { rawKeepMs } from '../../../../shared/limits.ts'
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

const agent = 'lab'
const epoch = 1_700_000_000_000
const startMs = Date.UTC(2026, 2, 1, 11)

function segment(seq: number): SealedSegment {
  const units = Array.from({ length: 10 }, (_, i) =>
    unitOf(syntheticPicture(seq * 10 + i, { startMs: 5000 })),
  )
  const of = { agent, stream: 'cam', epoch, seq, units, video: syntheticVideo }
  return sealSegment({ ...of, wallOffsetMs: startMs - 5000 })
}

async function rebuild(rig: ApiRig) {
  const sum = { segments: 0, muxing: 0, recordings: 0, exports: 0, failed: 0 }
  let cursor: string | undefined
  do {
    const { json } = await rig.ask('POST', '/v1/rebuild', { token: rig.tokens.admin, body: { cursor } })
    const step = json as Record<'segments' | 'muxing' | 'recordings' | 'exports', number> & {
      failed: unknown[]
      cursor?: string
    }
    for (const key of ['segments', 'muxing', 'recordings', 'exports'] as const) sum[key] += step[key]
    sum.failed += step.failed.length
    cursor = step.cursor
  } while (cursor !== undefined)
  return sum
}

/** All rows below some partitions; what a run of jobs counts is left out. */
async function forget(rig: ApiRig): Promise<void> {
  const { catalogue } = rig.jobs.ports
  const drop = async (rows: Row[]) => {
    for (const { pk, sk } of rows) await catalogue.delete(pk, sk)
  }
  for (const pk of [`S#${agent}#cam#2026-03-01`, 'R#take', 'SDAYS', 'M#R#'])
    await drop((await catalogue.query({ pk })).rows)
}

test('a catalogue that was lost is made again from the objects', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const segments = [0, 1, 2].map(segment)
  for (const one of segments.slice(0, 2)) await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('take', segments.slice(0, 2)))
  expect(await rig.jobs.drain()).toEqual([])
  await rig.ask('PUT', '/v1/recordings/take/hold', { token: rig.tokens.admin, body: { hold: true } })
  rig.jobs.clock.advance(rawKeepMs + 1)
  await expire(ports, new AbortController().signal)
  await putSegment(ports.store, segments[2] as SealedSegment) // Its raw pictures are still there.
  expect(await rig.jobs.drain()).toEqual([])

  const admin = { token: rig.tokens.admin }
  const ask = async () => {
    const taken = await rig.ask('GET', '/v1/recordings/take', admin)
    const playlist = await rig.ask('GET', '/v1/recordings/take/playlist.m3u8', admin)
    const range = `stream=cam&agent=lab&from=${startMs - 1000}&to=${startMs + 60_000}`
    const listed = await rig.ask('GET', `/v1/segments?${range}`, admin)
    const all = await rig.ask('GET', `/v1/playlist.m3u8?${range}`, admin)
    return { taken: taken.json, playlist: playlist.text, listed: listed.json, all: all.text }
  }
  const before = await ask()
  expect(before.all.match(/#EXTINF/g)).toHaveLength(3)
  await forget(rig)
  expect((await rig.ask('GET', '/v1/recordings/take', admin)).status).toBe(404)

  expect(await rebuild(rig)).toEqual({ segments: 2, muxing: 1, recordings: 1, exports: 1, failed: 0 })
  expect(await rig.jobs.drain()).toEqual([])
  expect(await ask()).toEqual(before)
  expect(before.taken).toMatchObject({ hold: true, state: 'ready' })
  // Once more changes nothing.
  expect(await rebuild(rig)).toEqual({ segments: 0, muxing: 0, recordings: 0, exports: 0, failed: 0 })
})

test('a segment of which neither pictures nor MP4 are there is named, with the reason', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(0)
  await putSegment(ports.store, one)
  expect(await rig.jobs.drain()).toEqual([])
  await ports.store.delete(keys.raw(one.manifest, 'h264'))
  await ports.store.delete(keys.media(one.manifest))
  await forget(rig)
  const { json } = await rig.ask('POST', '/v1/rebuild', { token: rig.tokens.admin, body: {} })
  expect(json).toMatchObject({ segments: 0, failed: [{ key: keys.raw(one.manifest, 'json') }] })
})

test('a cursor that is none is refused', async () => {
  await using rig = await openApiRig()
  const { status } = await rig.ask('POST', '/v1/rebuild', { token: rig.tokens.admin, body: { cursor: 'x' } })
  expect(status).toBe(400)
})

test('in the middle of a rebuild nothing goes that a recording on hold wants', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(0)
  await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('take', [one]))
  expect(await rig.jobs.drain()).toEqual([])
  await rig.ask('PUT', '/v1/recordings/take/hold', { token: rig.tokens.admin, body: { hold: true } })
  rig.jobs.clock.advance(rawKeepMs + 1)
  const { signal } = new AbortController()
  await expire(ports, signal)
  await forget(rig)

  // One object a step; after each, the cloud is killed and goes on with what it always does.
  const list: typeof ports.store.list = async (prefix, after) => {
    const page = await ports.store.list(prefix, after)
    const [first] = page.keys
    return first && page.keys.length > 1 ? { keys: [first], cursor: first.key } : page
  }
  const store = new Proxy(ports.store, {
    get(target, name) {
      const value: unknown = name === 'list' ? list : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  rig.jobs.clock.advance(90 * 86_400_000)
  let cursor: string | undefined
  let steps = 0
  do {
    await rebuildStep({ ...ports, store }, cursor)
    cursor = (await rebuildStep({ ...ports, store }, cursor)).cursor
    await expire(ports, signal, { keepMs: 30 * 86_400_000 })
    steps += 1
  } while (cursor !== undefined)
  expect(steps).toBeGreaterThan(3)
  expect(await ports.store.head(keys.media(one.manifest))).toBeDefined()
  const taken = await rig.ask('GET', '/v1/recordings/take', { token: rig.tokens.admin })
  expect(taken.json).toMatchObject({ hold: true, state: 'ready', streams: [{ units: 10 }] })
})

test('a hold comes back also when the rebuild before was killed behind its recording', async () => {
  await using rig = await openApiRig()
  const { ports } = rig.jobs
  const one = segment(0)
  await putSegment(ports.store, one)
  await putRecording(ports.store, recordingOf('take', [one]))
  expect(await rig.jobs.drain()).toEqual([])
  await rig.ask('PUT', '/v1/recordings/take/hold', { token: rig.tokens.admin, body: { hold: true } })
  await changeRecording(ports.catalogue, 'take', ({ hold: _hold, ...row }) => row)
  await rebuild(rig)
  const taken = await rig.ask('GET', '/v1/recordings/take', { token: rig.tokens.admin })
  expect(taken.json).toMatchObject({ hold: true })
})
