import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createApi } from '../../../../cloud/api/app.ts'
import { keys } from '../../../../shared/contract/segment.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import { readAll } from '../../../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { readLabels, syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const epoch = 1_772_366_400_000
const start = 1_772_366_400_000 // 2026-03-01T12:00:00Z
const segment = (stream: string, seq: number) =>
  sealSegment({
    agent: 'lab',
    stream,
    epoch,
    seq,
    video: syntheticVideo,
    units: Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(seq * 10 + i, { stream }))),
  })
const door = [0, 1].map((seq) => segment('door', seq))
const desk = [segment('desk', 0)]

let rig: ApiRig
const ask = (path: string, token = rig.tokens.viewer) => rig.ask('GET', path, { token })
const locationOf = (asked: { headers: Headers }) => asked.headers.get('location') ?? ''

/** What a redirect leads to. */
async function follow(location: string): Promise<Response> {
  return rig.jobs.cloud.storeRoute(new Request(`http://cloud${location}`))
}

beforeAll(async () => {
  rig = await openApiRig()
  const { ports } = rig.jobs
  for (const sealed of [...door, ...desk]) await putSegment(ports.store, sealed)
  const gap = { from: start + 200, to: start + 300, cause: 'sequence' as const, units: 1 }
  const take = recordingOf('take', [...door, ...desk], { title: 'Lab <one>', labels: ['red'] })
  if (take.streams[0]) take.streams[0].gaps = [gap]
  await putRecording(ports.store, take)
  await putRecording(ports.store, recordingOf('older', desk, { from: start - 40 * 86_400_000, to: start }))
  await putRecording(
    ports.store,
    recordingOf('open', desk, { state: 'open', to: null, from: start + 60_000 }),
  )
  await rig.jobs.drain()
})
afterAll(() => rig[Symbol.asyncDispose]())
beforeEach(() => expect(rig.errors).toEqual([]))

describe('the list', () => {
  const ids = (json: Record<string, unknown>) => (json.recordings as { id: string }[]).map(({ id }) => id)

  test('is newest first, over the borders of months', async () => {
    const { status, json } = await ask('/v1/recordings')
    expect(status).toBe(200)
    expect(ids(json)).toEqual(['open', 'take', 'older'])
    expect(json.recordings).toMatchObject([
      { state: 'open', to: null, streams: ['desk'] },
      { state: 'ready', title: 'Lab <one>', labels: ['red'], hold: false, streams: ['door', 'desk'] },
      { state: 'ready' },
    ])
    expect(json.cursor).toBeUndefined()
  })

  test('goes on from its cursor until it is done', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let pages = 0; pages < 5; pages += 1) {
      const { json } = await ask(`/v1/recordings?limit=1${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      seen.push(...ids(json))
      cursor = String(json.cursor ?? '')
      if (!cursor) break
    }
    expect(seen).toEqual(['open', 'take', 'older'])
  })

  test.each([
    ['stream=door', ['take']],
    ['title=LAB', ['take']],
    ['label=red', ['take']],
    ['label=blue', []],
    [`from=${start}`, ['open', 'take']],
    [`to=${start}`, ['older']],
    ['from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:30%2B01:00', ['take']],
  ])('%s', async (query, expected) => {
    expect(ids((await ask(`/v1/recordings?${query}`)).json)).toEqual(expected)
  })

  test.each(['limit=0', 'limit=x', 'from=yesterday', 'colour=red', 'stream=..'])(
    'refuses %s',
    async (query) => {
      expect((await ask(`/v1/recordings?${query}`)).status).toBe(400)
    },
  )

  test('shows a token of one stream only that stream', async () => {
    const token = await rig.token({ role: 'viewer', stream: 'door' })
    const { json } = await ask('/v1/recordings', token)
    expect(json.recordings).toMatchObject([{ id: 'take', streams: ['door'] }])
    expect((await ask('/v1/recordings/take', token)).json).toMatchObject({ streams: [{ name: 'door' }] })
    expect((await ask('/v1/recordings/older', token)).status).toBe(404)
    expect((await ask('/v1/recordings/take/download?stream=desk', token)).status).toBe(404)
    expect((await ask('/v1/segments?stream=door&from=0&to=1', token)).status).toBe(403)
  })
})

test('one recording says what it holds', async () => {
  const { json } = await ask('/v1/recordings/take')
  expect(json).toMatchObject({
    id: 'take',
    agent: 'lab',
    state: 'ready',
    from: start,
    streams: [
      {
        name: 'door',
        units: 20,
        gaps: [{ from: start + 200, to: start + 300, cause: 'sequence', units: 1 }],
        segments: [
          { epoch, seq: 0, state: 'muxed' },
          { epoch, seq: 1, state: 'muxed' },
        ],
        clock: { offsetMs: 0, boundMs: 5, source: 'device' },
        export: {
          task: 'export-take-v1',
          files: [
            {
              part: 1,
              from: start,
              width: 640,
              height: 480,
              sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
            },
          ],
        },
      },
      { name: 'desk', units: 10 },
    ],
  })
  expect((await ask('/v1/recordings/nothing')).status).toBe(404)
})

test('a download is a redirect to the file, under a name for people, and is written down', async () => {
  const asked = await ask('/v1/recordings/take/download?stream=door')
  expect([asked.status, asked.headers.get('cache-control')]).toEqual([302, 'no-store'])
  const file = await follow(locationOf(asked))
  expect(file.headers.get('content-type')).toBe('video/mp4')
  expect(file.headers.get('content-disposition')).toContain('Lab _one_-2026-03-01T12-00-00-door.mp4')
  const expected = await readAll(rig.jobs.ports.store, keys.exportPart('take', 1, 'door', 1))
  expect(Buffer.from(await file.arrayBuffer()).equals(expected)).toBe(true)

  const { rows } = await rig.jobs.ports.catalogue.query({ pk: 'R#take', prefix: 'AUDIT#' })
  expect(rows).toContainEqual(expect.objectContaining({ who: rig.tokens.viewer, what: 'download door' }))
  expect((await ask('/v1/recordings/take/download?part=7')).status).toBe(404)
  expect((await ask('/v1/recordings/open/download')).status).toBe(404)
})

test('what was received is one file: the segments one behind the other', async () => {
  const asked = await ask('/v1/recordings/take/download?stream=door&format=h264')
  expect([asked.status, asked.headers.get('content-disposition')]).toEqual([
    200,
    'attachment; filename="Lab__one_-2026-03-01T12-00-00-door.h264"',
  ])
  const { body } = await rig.api.fetch(
    new Request('http://cloud/v1/recordings/take/download?stream=door&format=h264', {
      headers: { authorization: `Bearer ${rig.tokens.viewer}` },
    }),
  )
  const bytes = Buffer.concat(await Array.fromAsync(body ?? []))
  expect(readLabels(bytes).map(({ n }) => n)).toEqual([...Array(20).keys()])
})

test('a link that was copied is dead after five minutes', async () => {
  const location = locationOf(await ask('/v1/recordings/take/timestamps.csv?stream=door'))
  const csv = await (await follow(location)).text()
  expect(csv.trim().split('\n').length).toBe(21)
  rig.jobs.clock.advance(302_000)
  expect((await follow(location)).status).toBe(403)
})

test('the playlist names an init section, dates and segments that redirect', async () => {
  const asked = await ask('/v1/recordings/take/playlist.m3u8?stream=door')
  expect(asked.headers.get('content-type')).toBe('application/vnd.apple.mpegurl')
  const lines = asked.text.split('\n')
  expect(lines.filter((line) => line.startsWith('#EXT-X-MAP')).length).toBe(1)
  expect(asked.text).toContain('#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z')
  expect(lines.filter((line) => line === '#EXT-X-DISCONTINUITY').length).toBe(0)
  expect(lines.at(-2)).toBe('#EXT-X-ENDLIST')

  const url = lines.find((line) => line.startsWith('segments/')) ?? ''
  const [, mapBytes, mapOffset] = /EXT-X-MAP.*BYTERANGE="(\d+)@(\d+)"/.exec(asked.text) ?? []
  const [, mediaBytes, mediaOffset] = /EXT-X-BYTERANGE:(\d+)@(\d+)/.exec(asked.text) ?? []
  const segment = await follow(locationOf(await ask(`/v1/recordings/take/${url}`)))
  const bytes = Buffer.from(await segment.arrayBuffer())
  const boxAt = (offset: number) => bytes.toString('latin1', offset + 4, offset + 8)
  expect(boxAt(Number(mapOffset))).toBe('ftyp')
  expect(boxAt(Number(mapOffset) + Number(mapBytes))).toBe('moov')
  expect(boxAt(Number(mediaOffset))).toBe('moof')
  expect(Number(mediaOffset) + Number(mediaBytes)).toBe(bytes.length)
  expect((await ask('/v1/recordings/older/segments/door/1772366400000-000000.mp4')).status).toBe(404)
  expect((await ask('/v1/recordings/take/segments/door/1772366400000-000009.mp4')).status).toBe(404)
})

test('segments and gaps of a stream, newest first, page by page', async () => {
  const range = `from=${start}&to=${start + 3_600_000}`
  const first = await ask(`/v1/segments?stream=door&agent=lab&${range}&limit=1`)
  expect(first.json).toMatchObject({ segments: [{ stream: 'door', seq: 1, units: 10, state: 'muxed' }] })
  const cursor = encodeURIComponent(String(first.json.cursor))
  const second = await ask(`/v1/segments?stream=door&agent=lab&${range}&limit=1&cursor=${cursor}`)
  expect(second.json).toMatchObject({ segments: [{ seq: 0 }] })
  expect((await ask(`/v1/gaps?stream=door&agent=lab&${range}`)).json).toEqual({ gaps: [] })
  expect((await ask(`/v1/segments?stream=door&from=0&to=${start}`)).status).toBe(400)
})

describe('shares', () => {
  const share = async (body = {}) =>
    (await rig.ask('POST', '/v1/recordings/take/shares', { token: rig.tokens.operator, body })).json as {
      id: string
      url: string
      expiresAt: number
    }

  test('open one recording to whoever has the address', async () => {
    const { url, expiresAt } = await share({ expiresInS: 3600 })
    expect(expiresAt).toBe(rig.jobs.clock.nowMs() + 3_600_000)
    const shared = await rig.ask('GET', url)
    expect(shared.json).toMatchObject({ id: 'take', streams: [{ name: 'door', files: [{ part: 1 }] }, {}] })
    expect(shared.text).not.toMatch(/agent|sha256/)
    const download = await rig.ask('GET', `${url}/download?stream=door&part=1`)
    expect((await follow(locationOf(download))).status).toBe(200)
    const playlist = await rig.ask('GET', `${url}/playlist.m3u8?stream=door`)
    const segment = playlist.text.split('\n').find((line) => line.startsWith('segments/'))
    expect((await rig.ask('GET', `${url}/${segment}`)).status).toBe(302)
  })

  test('are a page without script for browsers, every name escaped', async () => {
    const { url } = await share()
    const page = await rig.ask('GET', url, { accept: 'text/html,*/*' })
    expect(page.text).toContain('<h1>Lab &lt;one&gt;</h1>')
    expect(page.text).not.toContain('<script')
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  })

  test('that are no more are said to a person in a sentence, in the language of the browser', async () => {
    const { url } = await share({ expiresInS: 60 })
    rig.jobs.clock.advance(60_000)
    const ask = (language: string) =>
      rig.ask('GET', url, { accept: 'text/html,*/*', acceptLanguage: language })
    const [english, chinese] = [await ask('en-GB,en;q=0.9'), await ask('zh-CN,zh;q=0.9')]
    expect([english.status, chinese.status]).toEqual([404, 404])
    expect(english.text).toContain('<h1>This link is not valid any more.</h1>')
    expect(chinese.text).toContain('<html lang="zh-CN">')
    expect(chinese.text).toContain('此分享链接已失效')
  })

  test('end when they are revoked, and when their time is over', async () => {
    const revoked = await share()
    const id = encodeURIComponent(revoked.id)
    const listed = async () =>
      (await rig.ask('GET', '/v1/recordings/take/shares', { token: rig.tokens.operator })).json
    expect(JSON.stringify(await listed())).toContain(revoked.id)
    expect((await rig.ask('DELETE', `/v1/shares/${id}`, { token: rig.tokens.operator })).status).toBe(200)
    expect(JSON.stringify(await listed())).not.toContain(revoked.id)
    const short = await share({ expiresInS: 60 })
    rig.jobs.clock.advance(60_000)
    const unknown = await rig.ask('GET', '/s/0123456789012345678901234567890123456789012')
    for (const { url } of [revoked, short]) {
      const asked = await rig.ask('GET', url)
      const message = (asked.json.error as { message: string }).message
      expect([asked.status, message]).toEqual([404, (unknown.json.error as { message: string }).message])
    }
    expect(
      (
        await rig.ask('POST', '/v1/recordings/take/shares', {
          token: rig.tokens.operator,
          body: { expiresInS: 1e9 },
        })
      ).status,
    ).toBe(400)
  })

  test('are stored only as a hash', async () => {
    const { url } = await share()
    const { rows } = await rig.jobs.ports.catalogue.query({ pk: 'R#take' })
    expect(JSON.stringify(rows)).not.toContain(url.slice('/s/'.length))
  })
})

test('exports on request are a task, and then a recording like others', async () => {
  const body = { agent: 'lab', streams: ['door'], from: start + 500, to: '2026-03-01T12:00:01.500Z' }
  const token = rig.tokens.operator
  const asked = await rig.ask('POST', '/v1/exports', { token, body })
  expect([asked.status, asked.json]).toMatchObject([202, { kind: 'export', status: 'PENDING' }])
  await rig.jobs.drain()
  const done = await rig.ask('GET', `/v1/tasks/${asked.json.id}`, { token })
  expect(done.json).toMatchObject({ status: 'SUCCESS', progress: 100 })
  const nothing = { ...body, streams: ['attic'] }
  expect((await rig.ask('POST', '/v1/exports', { token, body: nothing })).status).toBe(404)
  expect((await rig.ask('POST', '/v1/exports', { token, body: { ...body, to: 5 } })).status).toBe(400)
})

test('tasks are listed by state; one that is over can be neither cancelled nor tried again', async () => {
  const { json } = await ask('/v1/tasks?status=SUCCESS')
  const ids = (json.tasks as { id: string }[]).map(({ id }) => id)
  expect(ids).toContain('export-take-v1')
  expect((await ask('/v1/tasks?status=FAILED')).json).toEqual({ tasks: [] })
  for (const action of ['retry', 'cancel']) {
    const path = `/v1/tasks/export-take-v1/${action}`
    expect((await rig.ask('POST', path, { token: rig.tokens.operator })).status).toBe(412)
  }
  expect((await ask('/v1/tasks/none')).status).toBe(404)
})

test('a recording on hold is not deleted; a deleted one is gone from everywhere', async () => {
  const token = rig.tokens.admin
  const hold = (value: boolean) =>
    rig.ask('PUT', '/v1/recordings/older/hold', { token, body: { hold: value } })
  expect((await hold(true)).json).toMatchObject({ id: 'older', hold: true })
  expect((await rig.ask('DELETE', '/v1/recordings/older', { token })).status).toBe(412)
  expect((await rig.ask('DELETE', '/v1/recordings/open', { token })).status).toBe(412)
  await hold(false)
  expect((await rig.ask('DELETE', '/v1/recordings/older', { token })).status).toBe(200)
  expect((await ask('/v1/recordings/older')).status).toBe(404)
  expect(
    ((await ask('/v1/recordings')).json.recordings as { id: string }[]).map(({ id }) => id),
  ).not.toContain('older')
})

test('health tells of the machine, where there is one', async () => {
  const machine = async () => ({ disk: { freeBytes: 1, totalBytes: 100, low: true }, ffmpeg: true })
  const api = createApi({ ...rig.jobs.ports, machine })
  const response = await api.fetch(new Request('http://cloud/v1/health'))
  expect(await response.json()).toMatchObject({
    status: 'degraded',
    disk: { freeBytes: 1, low: true },
    ffmpeg: true,
  })
})

test('health tells how much work waits', async () => {
  const { status, json } = await rig.ask('GET', '/v1/health')
  expect([status, json]).toMatchObject([200, { status: 'ok', queues: { mux: { waiting: 0, dead: 0 } } }])
})
