import { ReadableStream } from 'node:stream/web'
import { expect, test } from 'vitest'
import { runBeatsync } from '../../../../cloud/jobs/beatsync/run-beatsync.ts'
import { expire } from '../../../../cloud/jobs/expire.ts'
import { changeRow } from '../../../../cloud/rows/change-row.ts'
import { taskKey } from '../../../../cloud/rows/task.ts'
import { readLine } from '../../../../cloud/rows/task-line.ts'
import { beatsyncOpenPerUser, uploadBytesMax } from '../../../../shared/cloud-limits.ts'
import type { UploadCreated } from '../../../../shared/contract/beatsync-api.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import { sha256Of, submit, taskOf, upload } from '../../../support/beatsync-rig.ts'

// The line of tasks, its limits and its rights. What the files are does not matter here: each ends as INVALID_FORMAT.

const file = Buffer.from('neither a film nor a song')

async function pair(rig: ApiRig, token = rig.tokens.operator) {
  const dance = await upload(rig, 'dance.mp4', file, { token })
  return { dance, bgm: await upload(rig, 'bgm.mp3', file, { token }) }
}

const asked = (more: object = {}) => ({
  name: 'a.mp4',
  sizeBytes: file.length,
  contentType: 'video/mp4',
  ...more,
})

test.each([
  ['another extension', { name: 'a.exe' }, /must end in one of/],
  ['no extension', { name: 'mp4' }, /must end in one of/],
  ['another type', { contentType: 'text/html' }, /type of video or audio/],
  ['too large', { sizeBytes: uploadBytesMax + 1 }, /sizeBytes/],
  ['empty', { sizeBytes: 0 }, /sizeBytes/],
  ['a key nobody knows', { key: 'raw/x' }, /key/],
])('an upload is refused before a byte of it: %s', async (_name, wrong, words) => {
  await using rig = await openApiRig()
  const answer = await rig.ask('POST', '/v1/uploads', { token: rig.tokens.operator, body: asked(wrong) })
  expect(answer.status).toBe(400)
  expect(answer.text).toMatch(words)
})

test('a PUT may only be what was announced', async () => {
  await using rig = await openApiRig()
  const body = asked({ sha256: sha256Of(file) })
  const { json } = await rig.ask('POST', '/v1/uploads', { token: rig.tokens.operator, body })
  const { url, headers = {} } = json as UploadCreated
  const put = async (content: Buffer, changed: Record<string, string>) => {
    const init = { method: 'PUT', headers: { ...headers, ...changed }, body: content as BodyInit }
    return (await rig.fetch(new Request(`http://cloud${url}`, init))).status
  }
  expect(await put(file, { 'content-type': 'text/html' })).toBe(403)
  expect(await put(Buffer.concat([file, file]), { 'content-length': String(2 * file.length) })).toBe(403)
  expect(await put(Buffer.from('x'.repeat(file.length)), {})).toBe(400)
  expect(await put(file, {})).toBe(200)
  expect(await put(file, {})).toBe(412)
})

test('a form: fields, then the file, in any pieces', async () => {
  await using rig = await openApiRig()
  const ask = async (more: object = {}) => {
    const body = asked({ method: 'POST', ...more })
    return (await rig.ask('POST', '/v1/uploads', { token: rig.tokens.operator, body })).json as UploadCreated
  }
  const send = async (fields: Record<string, string>, content: Buffer, pieceBytes = 1000) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    form.set('file', new Blob([new Uint8Array(content)]), 'a.mp4')
    const whole = new Request('http://cloud/store/', { method: 'POST', body: form })
    const bytes = Buffer.from(await whole.bytes())
    const pieces = ReadableStream.from(
      Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
        bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
      ),
    )
    const headers = { 'content-type': whole.headers.get('content-type') ?? '' }
    const init = { method: 'POST', headers, body: pieces, duplex: 'half' } as unknown as RequestInit
    return (await rig.fetch(new Request('http://cloud/store/', init))).status
  }
  for (const pieceBytes of [1, 7, 1000]) {
    const { id, fields = {} } = await ask()
    expect(await send(fields, file, pieceBytes)).toBe(204)
    expect(await rig.jobs.read(`uploads/${id}.mp4`)).toEqual(file)
    expect(await send(fields, file)).toBe(412)
  }
  const { fields = {} } = await ask({ sha256: sha256Of(file) })
  expect(await send({ ...fields, key: 'raw/lab/door/x.json' }, file)).toBe(403)
  expect(await send({ ...fields, policy: `${fields.policy}A` }, file)).toBe(403)
  expect(await send(fields, Buffer.concat([file, file]))).toBe(400)
  expect(await send(fields, Buffer.from('x'.repeat(file.length)))).toBe(400)
  rig.jobs.clock.advance(1_000_000)
  expect(await send(fields, file)).toBe(403)
  const bare = {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    body: 'nothing',
  }
  expect((await rig.fetch(new Request('http://cloud/store/', bare))).status).toBe(400)
})

test("nobody uses another's upload, but an admin; who only watches makes nothing", async () => {
  await using rig = await openApiRig()
  const ids = await pair(rig)
  const stranger = await rig.token({ role: 'operator' })
  const ask = (token: string) => rig.ask('POST', '/v1/tasks', { token, body: { kind: 'beatsync', ...ids } })
  expect((await ask(stranger)).status).toBe(404)
  expect((await ask(rig.tokens.viewer)).status).toBe(403)
  expect((await ask(rig.tokens.device)).status).toBe(403)
  expect((await ask(rig.tokens.admin)).status).toBe(202)
  const { id } = (await ask(rig.tokens.operator)).json
  expect((await rig.ask('GET', `/v1/tasks/${id}/download`, { token: rig.tokens.viewer })).status).toBe(404)
  expect((await rig.ask('GET', `/v1/tasks/${id}/download`, {})).status).toBe(401)
})

test('a file that never came: FILE_NOT_FOUND, and nothing for the operator to look at', async () => {
  await using rig = await openApiRig()
  const { id: dance } = (await rig.ask('POST', '/v1/uploads', { token: rig.tokens.operator, body: asked() }))
    .json as UploadCreated
  const { id } = await submit(rig, { dance, bgm: dance })
  expect(await rig.jobs.drain({ queues: ['beatsync'] })).toEqual([])
  expect(await taskOf(rig, id)).toMatchObject({ status: 'FAILED', reason: 'FILE_NOT_FOUND' })
  expect(await readLine(rig.jobs.ports.catalogue, 'beatsync')).toEqual([])
})

test('a person may have so many unfinished tasks; another is not hindered', async () => {
  await using rig = await openApiRig()
  const ids = await pair(rig)
  const body = { kind: 'beatsync', ...ids }
  for (let n = 0; n < beatsyncOpenPerUser; n += 1) await submit(rig, ids)
  const refused = await rig.ask('POST', '/v1/tasks', { token: rig.tokens.operator, body })
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('5')
  expect(refused.text).toMatch(/个未完成的任务/)
  await submit(rig, await pair(rig, rig.tokens.admin), rig.tokens.admin)
  await rig.jobs.drain({ queues: ['beatsync'] })
  await submit(rig, ids)
})

const atWork = async (rig: ApiRig, id: string) => {
  const leaseUntil = rig.jobs.clock.nowMs() + 60_000
  await changeRow(
    rig.jobs.ports.catalogue,
    taskKey(id),
    (row) => row && { ...row, status: 'PROCESSING', leaseUntil },
  )
}

test('two of one person at once: the third waits, that of another does not', async () => {
  await using rig = await openApiRig()
  const ids = await pair(rig)
  const [one, two, three] = [await submit(rig, ids), await submit(rig, ids), await submit(rig, ids)]
  const other = await submit(rig, await pair(rig, rig.tokens.admin), rig.tokens.admin)
  const signal = new AbortController().signal
  const { ports } = rig.jobs
  const seats = { pk: `U#${'secret-3-of-operator'}`, sk: 'beatsync' }
  const sinceMs = rig.jobs.clock.nowMs()
  await ports.catalogue.put({ ...seats, seats: [one, two].map(({ id }) => ({ task: id, sinceMs })) }, 'any')
  for (const { id } of [one, two]) await atWork(rig, id)
  await runBeatsync(three.id, ports, signal)
  expect(await taskOf(rig, three.id)).toMatchObject({ status: 'PENDING', attempts: 0 })
  await runBeatsync(other.id, ports, signal)
  expect(await taskOf(rig, other.id)).toMatchObject({ status: 'FAILED', reason: 'INVALID_FORMAT' })
  rig.jobs.clock.advance(61_000) // The first two were killed: their leases and seats are over.
  await runBeatsync(three.id, ports, signal)
  expect(await taskOf(rig, three.id)).toMatchObject({ status: 'FAILED', reason: 'INVALID_FORMAT' })
})

test('of high priority first, though it came last', async () => {
  await using rig = await openApiRig()
  const ids = await pair(rig)
  const low = await submit(rig, { ...ids, priority: 'low' })
  const high = await submit(rig, { ...ids, priority: 'high' })
  const { ports } = rig.jobs
  await runBeatsync(low.id, ports, new AbortController().signal)
  expect(await taskOf(rig, low.id)).toMatchObject({ status: 'PENDING', attempts: 0 })
  await runBeatsync(high.id, ports, new AbortController().signal)
  await runBeatsync(low.id, ports, new AbortController().signal)
  expect(await taskOf(rig, low.id)).toMatchObject({ status: 'FAILED' })
})

test('cancel before its turn, retry after', async () => {
  await using rig = await openApiRig()
  const { id } = await submit(rig, await pair(rig))
  const act = (what: string) =>
    rig.ask('POST', `/v1/tasks/${id}/${what}`, { token: rig.tokens.operator, body: {} })
  expect((await act('cancel')).json).toMatchObject({ status: 'FAILED', messageZh: '任务已取消。' })
  expect((await act('cancel')).status).toBe(412)
  expect(await rig.jobs.drain({ queues: ['beatsync'] })).toEqual([])
  expect((await rig.jobs.ports.queue.depth('beatsync')).dead).toBe(0)
  expect((await act('retry')).json).toMatchObject({ status: 'PENDING', attempts: 0 })
  await rig.jobs.drain({ queues: ['beatsync'] })
  expect(await taskOf(rig, id)).toMatchObject({ status: 'FAILED', reason: 'INVALID_FORMAT' })
  const list = await rig.ask('GET', '/v1/tasks?kind=beatsync', { token: rig.tokens.viewer })
  expect(list.json.tasks).toHaveLength(1)
  expect((await rig.ask('GET', '/v1/tasks?kind=export', { token: rig.tokens.viewer })).json.tasks).toEqual([])
})

test('uploads and results are gone after a day', async () => {
  await using rig = await openApiRig()
  const ids = await pair(rig)
  const { store } = rig.jobs.ports
  await store.put('results/beatsync/a/v2.mp4', file, { sizeBytes: file.length, contentType: 'video/mp4' })
  // Files carry the system's time, and the rig's clock stands still in the past.
  rig.jobs.clock.advance(Date.now() - rig.jobs.clock.nowMs() + 25 * 3_600_000)
  await expire(rig.jobs.ports, new AbortController().signal)
  for (const prefix of ['uploads/', 'results/']) expect((await store.list(prefix)).keys).toEqual([])
  const body = { kind: 'beatsync', ...ids }
  expect((await rig.ask('POST', '/v1/tasks', { token: rig.tokens.operator, body })).status).toBe(404)
})
