import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { apiHandler } from '../../../cloud/aws/lambda/api-handler.ts'
import { queueHandler } from '../../../cloud/aws/lambda/queue-handler.ts'
import { addToken } from '../../../cloud/rows/access.ts'
import type { BeatsyncResult, UploadCreated } from '../../../shared/contract/beatsync-api.ts'
import type { Task } from '../../../shared/contract/task.ts'
import { alignCases } from '../../support/beatsync-rig.ts'
import { closeAwsRigs, openAwsRig } from '../../support/emulators/aws-rig.ts'
import { awsMissing } from '../../support/emulators/aws-world.ts'
import { serveFunction } from '../../support/emulators/lambda-http.ts'
import { pollOnce } from '../../support/emulators/lambda-queue.ts'
import { probePackets } from '../../support/movie-judges.ts'
import { hasProgram } from '../../support/shared-data.ts'

// BeatSync as a person uses it, on AWS: the API's function, S3 with its own addresses and forms, SQS, the job's function.

const easy = alignCases().find(({ name }) => name.startsWith('a1'))
const missing =
  awsMissing() ?? (easy && hasProgram('ffmpeg') ? undefined : 'no FFmpeg or no ../shared/data/align')
if (missing) console.log(`skipped: ${missing}`)
afterAll(closeAwsRigs)

const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const token = 'a-token-of-an-operator'

describe.skipIf(missing)('BeatSync on AWS', () => {
  test('from two files, one PUT and one by a form, to two results', { timeout: 180_000 }, async () => {
    await using rig = await openAwsRig()
    const sha256 = sumOf(Buffer.from(token))
    await addToken(rig.cloud.catalogue, { sha256, name: 'ada', role: 'operator', createdAt: 1 })
    await using server = await serveFunction(apiHandler(rig.cloud))
    const call = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const json = body ? { body: JSON.stringify(body) } : {}
      return await fetch(new URL(path, server.url), { method, headers, redirect: 'manual', ...json })
    }
    const announce = async (path: string, bytes: Uint8Array, method: 'PUT' | 'POST') => {
      const file = { name: basename(path), sizeBytes: bytes.length, sha256: sumOf(bytes) }
      const body = { ...file, contentType: 'application/octet-stream', method }
      return (await (await call('POST', '/v1/uploads', body)).json()) as UploadCreated
    }
    const { dance = '', bgm = '', truth } = easy ?? {}
    const [film, music] = [readFileSync(dance), readFileSync(bgm)]
    const put = await announce(dance, film, 'PUT')
    expect((await fetch(put.url, { method: 'PUT', headers: put.headers ?? {}, body: film })).status).toBe(200)
    const posted = await announce(bgm, music, 'POST')
    const form = new FormData()
    for (const [name, value] of Object.entries(posted.fields ?? {})) form.append(name, value)
    form.append('file', new Blob([music]), basename(bgm))
    expect((await fetch(posted.url, { method: 'POST', body: form })).status).toBe(204)

    const asked = { kind: 'beatsync', dance: put.id, bgm: posted.id }
    const { id } = (await (await call('POST', '/v1/tasks', asked)).json()) as Task
    const run = queueHandler('beatsync', rig.cloud)
    expect(await pollOnce(rig.cloud.queue, 'beatsync', run)).toBe(true)
    const task = (await (await call('GET', `/v1/tasks/${id}`)).json()) as Task
    expect(task, JSON.stringify(task)).toMatchObject({ status: 'SUCCESS', progress: 100, attempts: 1 })
    const { variants } = task.result as BeatsyncResult
    for (const variant of ['modular', 'v2'] as const) {
      const of = variants[variant]
      expect(Math.abs((of?.offsetMs ?? 1e9) - (truth?.offset_ms ?? 0))).toBeLessThan(10)
      const found = await call('GET', of?.download ?? '')
      expect(found.status).toBe(302)
      const movie = await (await fetch(found.headers.get('location') ?? '')).bytes()
      expect([movie.length, sumOf(movie)]).toEqual([of?.sizeBytes, of?.sha256])
      const soundMs = (probePackets(movie, 'a').at(-1)?.ptsMs ?? 0) + 21
      expect(Math.abs(soundMs - ((of?.cut.toMs ?? 0) - (of?.cut.fromMs ?? 0)))).toBeLessThan(50)
    }
    expect(await rig.cloud.queue.depth('beatsync')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
    const again = (await (await call('POST', '/v1/tasks', asked)).json()) as Task
    expect(again).toMatchObject({ status: 'SUCCESS', result: { cached: true } })
  })
})
