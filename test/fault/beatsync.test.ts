import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { BeatsyncResult } from '../../shared/contract/beatsync-api.ts'
import { type ApiRig, openApiRig } from '../support/api-rig.ts'
import { film, made, submit, taskOf, upload } from '../support/beatsync-rig.ts'
import { faultyPorts } from '../support/faulty-ports.ts'
import { hasProgram } from '../support/shared-data.ts'
import { joined, part, silence, song, wav } from '../support/songs.ts'

// RELIABILITY.md F3, F4, F8, G1, G5. The music is made here; FFmpeg makes the films.

const possible = hasProgram('ffmpeg')
if (!possible) console.log('skipped: no FFmpeg on this machine')

const music = song(1, 8)
let directory = ''
let temporary = ''
let dance: Buffer = Buffer.alloc(0)

beforeAll(async () => {
  if (!possible) return
  directory = await mkdtemp(join(tmpdir(), 'edgereel-beatsync-test-'))
  temporary = join(directory, 'tmp')
  await mkdir(temporary)
  vi.stubEnv('TMPDIR', temporary)
  dance = await film(directory, joined(silence(1), part(music, 0, 5)))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

/** Of this process's own: others may be at work on this machine. */
const leftovers = () => readdirSync(temporary).filter((name) => name.startsWith('edgereel-beatsync-'))

async function done(rig: ApiRig, files: { dance: Buffer; bgm: Buffer; names?: [string, string] }) {
  const [danceName, bgmName] = files.names ?? ['dance.mp4', 'bgm.wav']
  const ids = { dance: await upload(rig, danceName, files.dance), bgm: await upload(rig, bgmName, files.bgm) }
  const { id } = await submit(rig, ids)
  await rig.jobs.drain({ queues: ['beatsync'] })
  return await taskOf(rig, id)
}

test.skipIf(!possible)(
  'a playlist, a list of files or an SVG as .mp4: INVALID_FORMAT, and nobody is called',
  async () => {
    let calls = 0
    const server = createServer((_request, response) => {
      calls += 1
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.ts`
    const ftyp = Buffer.from('0000001c6674797069736f6d0000020069736f6d69736f326d703431', 'hex')
    const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n${url}\n#EXT-X-ENDLIST\n`
    const disguised = [
      playlist,
      `ffconcat version 1.0\nfile '${url}'\n`,
      `<svg xmlns="http://www.w3.org/2000/svg"><image href="${url}"/></svg>`,
      `[playlist]\nFile1=${url}\n`,
      Buffer.concat([ftyp, Buffer.from(playlist)]),
      Buffer.concat([ftyp, Buffer.from(`0000ffff6d6f6f76${'00'.repeat(64)}`, 'hex')]),
    ].map((content) => Buffer.from(content))
    await using rig = await openApiRig()
    for (const file of disguised) {
      expect(await done(rig, { dance: file, bgm: wav(music) })).toMatchObject({
        status: 'FAILED',
        reason: 'INVALID_FORMAT',
      })
      expect(await done(rig, { dance, bgm: file, names: ['a.mp4', 'b.mp3'] })).toMatchObject({
        reason: 'INVALID_FORMAT',
      })
    }
    expect(calls).toBe(0)
    expect((await rig.jobs.ports.queue.depth('beatsync')).dead).toBe(0)
    expect(leftovers()).toEqual([])
    server.close()
  },
)

test.skipIf(!possible)('what cannot be aligned says why, in both languages', async () => {
  await using rig = await openApiRig()
  const soundless = await made(directory, 'soundless.mp4', [
    '-i',
    join(directory, 'dance.mp4'),
    '-an',
    '-c',
    'copy',
  ])
  const long = await made(directory, 'long.flac', ['-f', 'lavfi', '-i', 'anullsrc=r=8000:cl=mono:d=10800'])
  const silent = await film(directory, silence(3), 'silent.mp4')
  const vp8 = [
    '-f',
    'lavfi',
    '-i',
    'testsrc=d=1',
    '-f',
    'lavfi',
    '-i',
    'sine=d=1',
    '-c:v',
    'mpeg1video',
    '-c:a',
    'mp3',
  ]
  const old = await made(directory, 'old.mkv', vp8)
  const cases: [Buffer, Buffer, [string, string], object][] = [
    [soundless, wav(music), ['a.mp4', 'b.wav'], { reason: 'INVALID_FORMAT', detail: 'A file has no sound.' }],
    [dance, soundless, ['a.mp4', 'b.mp4'], { reason: 'INVALID_FORMAT' }],
    [dance, long, ['a.mp4', 'b.flac'], { reason: 'FILE_TOO_LARGE' }],
    [silent, wav(music), ['a.mp4', 'b.wav'], { reason: 'PROCESSING_FAILED', detail: 'silent' }],
    [dance, wav(silence(5)), ['a.mp4', 'b.wav'], { reason: 'PROCESSING_FAILED', detail: 'silent' }],
    [
      wav(music),
      wav(music),
      ['a.mp4', 'b.wav'],
      { reason: 'INVALID_FORMAT', detail: 'The dance file has no pictures.' },
    ],
    [old, wav(music), ['a.mkv', 'b.wav'], { reason: 'INVALID_FORMAT' }],
    [
      dance,
      wav(song(2, 8, 1.03)),
      ['a.mp4', 'b.wav'],
      { reason: 'PROCESSING_FAILED', detail: 'not_same_song' },
    ],
    [dance.subarray(0, 20_000), wav(music), ['a.mp4', 'b.wav'], { reason: 'INVALID_FORMAT' }],
  ]
  for (const [video, bgm, names, wanted] of cases) {
    const task = await done(rig, { dance: video, bgm, names })
    expect(task, JSON.stringify(task)).toMatchObject({ status: 'FAILED', ...wanted })
    if (task.detail !== 'FFmpeg could not read the file.') expect(task.messageZh).toMatch(/[\u4e00-\u9fff]/)
  }
  expect(await rig.jobs.ports.queue.depth('beatsync')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
  expect(leftovers()).toEqual([])
})

test.skipIf(!possible)('96 kHz in eight channels, a second of music, AVI and MKV and MOV', async () => {
  await using rig = await openApiRig()
  const source = join(directory, 'dance.mp4')
  const wide = await made(directory, 'wide.wav', [
    '-i',
    join(directory, 'dance.mp4.wav'),
    '-ar',
    '96000',
    '-ac',
    '8',
  ])
  const avi = await made(directory, 'a.avi', ['-i', source, '-c:v', 'mpeg4', '-bf', '2', '-c:a', 'pcm_s16le'])
  const mkv = await made(directory, 'a.mkv', ['-i', source, '-c:v', 'copy', '-c:a', 'pcm_s16le'])
  const mov = await made(directory, 'a.mov', ['-i', source, '-c', 'copy'])
  const short = await film(directory, part(music, 3, 4.2), 'short.mp4')
  const cases: [Buffer, string, Buffer, number][] = [
    [dance, 'a.mp4', wide, 1000],
    [avi, 'a.avi', wav(music), 1000],
    [mkv, 'a.mkv', wav(music), 1000],
    [mov, 'a.mov', wav(music), 1000],
    [short, 'short.mp4', wav(music), -3000],
  ]
  for (const [video, name, bgm, offsetMs] of cases) {
    const task = await done(rig, { dance: video, bgm, names: [name, 'bgm.wav'] })
    expect(task, `${name} ${JSON.stringify(task)}`).toMatchObject({ status: 'SUCCESS' })
    const found = (task.result as BeatsyncResult).variants.modular
    const soundLateMs = bgm === wide ? 1000 : 0 // The wide one is the dance's own sound with its silent second.
    expect(Math.abs((found?.offsetMs ?? 1e9) - offsetMs + soundLateMs), name).toBeLessThan(30)
  }
})

test.skipIf(!possible)(
  'killed at any call of a port, the next run ends it; nothing half is seen',
  async () => {
    let calls = Number.POSITIVE_INFINITY
    for (let at = 1; at <= calls; at += 4) {
      await using rig = await openApiRig()
      const ids = {
        dance: await upload(rig, 'dance.mp4', dance),
        bgm: await upload(rig, 'bgm.wav', wav(music)),
      }
      const { id } = await submit(rig, { ...ids, variants: ['modular'] })
      const faulty = faultyPorts(rig.jobs.ports, { at, when: at % 8 === 1 ? 'before' : 'after', kill: true })
      await rig.jobs.drain({ ports: faulty.ports, queues: ['beatsync'], receivesMax: 1 })
      calls = Math.min(calls, faulty.calls() < at ? faulty.calls() : calls)
      const between = await taskOf(rig, id)
      if (between.status === 'SUCCESS')
        expect(Object.keys((between.result as BeatsyncResult).variants)).toEqual(['modular'])
      rig.jobs.clock.advance(120_000) // The lease and the message's invisibility are over.
      await rig.jobs.drain({ queues: ['beatsync'], receivesMax: 20 })
      const task = await taskOf(rig, id)
      expect(task, `call ${at}: ${JSON.stringify(task)}`).toMatchObject({ status: 'SUCCESS' })
      const { sha256 = '' } = (task.result as BeatsyncResult).variants.modular ?? {}
      const { keys } = await rig.jobs.ports.store.list('results/')
      expect(keys).toHaveLength(1)
      expect((await rig.jobs.ports.store.head(keys[0]?.key ?? ''))?.sha256).toBe(sha256)
      expect(leftovers()).toEqual([])
    }
  },
  300_000,
)

test.skipIf(!possible)('the same files twice at once: one computation, two results', async () => {
  await using rig = await openApiRig()
  const bgm = wav(music)
  const ids = { dance: await upload(rig, 'dance.mp4', dance), bgm: await upload(rig, 'bgm.wav', bgm) }
  const other = await rig.token({ role: 'operator' })
  const theirs = {
    dance: await upload(rig, 'mine.mp4', dance, { token: other }),
    bgm: await upload(rig, 'mine.wav', bgm, { token: other, sum: false }),
  }
  const [one, two] = [await submit(rig, ids), await submit(rig, theirs, other)]
  let puts = 0
  const { store } = rig.jobs.ports
  const counting = new Proxy(store, {
    get: (target, name) => {
      if (name === 'put') puts += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const ports = { ...rig.jobs.ports, store: counting }
  const drain = () => rig.jobs.drain({ ports, queues: ['beatsync'], receivesMax: 5 })
  await Promise.all([drain(), drain()])
  rig.jobs.clock.advance(10_000)
  await drain()
  const results = [await taskOf(rig, one.id), await taskOf(rig, two.id)].map((task) => {
    expect(task, JSON.stringify(task)).toMatchObject({ status: 'SUCCESS', attempts: 1 })
    return task.result as BeatsyncResult
  })
  expect(puts).toBe(2) // One for each variant.
  expect(results.map(({ cached }) => cached).sort()).toEqual([false, true])
  expect(results[0]?.variants.v2?.sha256).toBe(results[1]?.variants.v2?.sha256)
})

test.skipIf(!possible)(
  'a result that was changed on the disk is not given again; other parameters are another result',
  async () => {
    await using rig = await openApiRig()
    const ids = {
      dance: await upload(rig, 'dance.mp4', dance),
      bgm: await upload(rig, 'bgm.wav', wav(music)),
    }
    const first = await submit(rig, ids)
    await rig.jobs.drain({ queues: ['beatsync'] })
    expect(await submit(rig, ids)).toMatchObject({ status: 'SUCCESS', result: { cached: true } })
    expect(await submit(rig, { ...ids, variants: ['v2'] })).toMatchObject({ status: 'PENDING' })
    expect(await submit(rig, { ...ids, exact: true })).toMatchObject({ status: 'PENDING' })
    const { store } = rig.jobs.ports
    const key = (await store.list('results/')).keys[0]?.key ?? ''
    await store.put(key, Buffer.alloc(1000), { sizeBytes: 1000, contentType: 'video/mp4' })
    const again = await submit(rig, ids)
    expect(again.status).toBe('PENDING')
    await rig.jobs.drain({ queues: ['beatsync'] })
    rig.jobs.clock.advance(10_000)
    await rig.jobs.drain({ queues: ['beatsync'] })
    const [before, after] = [await taskOf(rig, first.id), await taskOf(rig, again.id)]
    expect(after).toMatchObject({ status: 'SUCCESS', result: { cached: false } })
    expect((after.result as BeatsyncResult).variants.modular?.cut).toEqual(
      (before.result as BeatsyncResult).variants.modular?.cut,
    )
  },
)
