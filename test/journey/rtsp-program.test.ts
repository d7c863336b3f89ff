import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { streamInfo } from '../../shared/contract/agent-api.ts'
import { FlvParser } from '../../shared/media/flv.ts'
import { Program } from '../support/program.ts'
import { filmingCamera, until } from '../support/rtsp-rig.ts'
import { hasProgram } from '../support/shared-data.ts'

const streams = z.object({ streams: z.array(streamInfo) })
const login = { user: 'admin', password: 's3cret' }

let program: Program
let camera: Awaited<ReturnType<typeof filmingCamera>>
let address = ''
beforeAll(async () => {
  camera = await filmingCamera({ login })
  address = camera.url.replace('//', '//admin:s3cret@')
  const config = `
rtmp: { port: null }
grpc: { port: null }
cameras: { allow: [127.0.0.0/8] }
streams: { door: { source: "${address}" } }
`
  program = await Program.start({ config })
}, 40_000)
afterAll(async () => {
  await program?.[Symbol.asyncDispose]()
  await camera?.[Symbol.asyncDispose]()
})

async function info(name: string) {
  return streamInfo.parse(await program.json(`/agent/v1/streams/${name}`))
}

describe('a camera of the configuration', () => {
  test('is idle until somebody watches; the viewer waits for the first key frame, and it is left when he leaves', async () => {
    expect(await info('door')).toMatchObject({ state: 'waiting', camera: { state: 'idle' } })
    expect(camera.playing).toBe(0)
    const leaving = new AbortController()
    const response = await program.fetch('/live/door.flv', { signal: leaving.signal })
    expect(response.status).toBe(200)
    const parser = new FlvParser()
    const tags: string[] = []
    for await (const bytes of response.body ?? []) {
      tags.push(...parser.push(bytes).map(({ kind }) => kind))
      if (tags.filter((kind) => kind === 'video').length > 20) break
    }
    expect(camera.playing).toBe(1)
    expect(await info('door')).toMatchObject({
      ...{ state: 'live', kind: 'rtsp', camera: { state: 'live' }, viewers: 0 },
      source: expect.not.stringContaining('s3cret'),
    })
    leaving.abort()
    await until(() => camera.playing === 0, 'nobody is there any more', 20_000)
    expect((await info('door')).camera?.state).toBe('idle')
  }, 60_000)

  test('is recorded without a viewer: every picture is in the archive at its time', async () => {
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams: ['door'] })
    await until(() => camera.playing === 1, 'it is fetched from')
    const from = camera.sent.length
    await sleep(5000)
    const to = camera.sent.length
    await program.post(`/agent/v1/recordings/${id}/stop`)
    const detail = await program.ready(id, 60_000)
    const got = detail.streams[0]
    expect(got?.gaps).toEqual([])
    expect(got?.clock?.source).toBe('device')
    const sent = camera.sent.slice(from + 5, to - 10).map(({ timestamp }) => timestamp)
    expect(got?.units).toBeGreaterThanOrEqual(sent.length)
    if (!hasProgram('ffprobe')) return
    const response = await program.fetch(`/v1/recordings/${id}/download?stream=door`)
    const movie = join(program.data, 'door.mp4')
    await writeFile(movie, new Uint8Array(await response.arrayBuffer()))
    const args = [
      '-v',
      'quiet',
      '-select_streams',
      'v',
      '-show_entries',
      'packet=pts',
      '-of',
      'csv=p=0',
      movie,
    ]
    const pts = execFileSync('ffprobe', args)
      .toString()
      .trim()
      .split('\n')
      .map((line) => Number.parseInt(line, 10))
    const steps = (list: readonly number[]) => list.slice(1).map((value, i) => value - (list[i] ?? 0))
    const wanted = steps(sent).map((ticks) => (ticks >>> 0) / 90)
    const times = steps(pts)
    const fits = times.some((_, at) => wanted.every((ms, i) => Math.abs(ms - (times[at + i] ?? 0)) <= 1))
    expect(fits).toBe(true)
  }, 120_000)
})

describe('a camera that is set while the agent runs', () => {
  test('with a wrong password: offline, and why', async () => {
    const body = JSON.stringify({ source: address.replace('s3cret', 'wr0ng'), ring: 'always' })
    await program.json('/agent/v1/streams/gate', { method: 'PUT', body })
    await program.until(async () => (await info('gate')).camera?.state === 'offline', 15_000, 'it is offline')
    expect((await info('gate')).camera?.reason).toMatch(/user or the password/)
  }, 30_000)

  test('with the right one: fetched from always, also after it is named again', async () => {
    const body = JSON.stringify({ source: `${address}#udp` })
    await program.json('/agent/v1/streams/gate', { method: 'PUT', body })
    await program.until(async () => (await info('gate')).camera?.state === 'live', 15_000, 'it is live')
    expect((await program.fetch('/agent/v1/streams/gate', { method: 'DELETE' })).ok).toBe(true)
    await until(() => camera.playing === 0, 'it was left')
    expect((await program.fetch('/agent/v1/streams/gate')).status).toBe(404)
  }, 30_000)

  test.each([
    ['ftp://10.0.0.9/x', 400],
    ['rtsp://', 400],
  ])('refused: %s', async (source, status) => {
    const answer = await program.fetch('/agent/v1/streams/x', {
      method: 'PUT',
      body: JSON.stringify({ source }),
    })
    expect(answer.status).toBe(status)
  })
})

test('no secret of a camera is listed or logged', async () => {
  const shown = JSON.stringify(streams.parse(await program.json('/agent/v1/streams')))
  for (const text of [shown, program.output]) {
    expect(text).not.toContain('s3cret')
    expect(text).not.toContain('wr0ng')
  }
})
