import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TaskLimits, taskLimits, withinTime } from '../../cloud/jobs/beatsync/limits.ts'
import { runBeatsync } from '../../cloud/jobs/beatsync/run-beatsync.ts'
import { beatsyncMessage, parseMessage } from '../../cloud/jobs/messages.ts'
import type { ObjectStore } from '../../cloud/ports.ts'
import type { BeatsyncResult } from '../../shared/contract/beatsync-api.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { type ApiRig, openApiRig } from '../support/api-rig.ts'
import { film, submit, taskOf, upload } from '../support/beatsync-rig.ts'
import { probePackets } from '../support/movie-judges.ts'
import { hasProgram } from '../support/shared-data.ts'
import { joined, part, silence, song, wav } from '../support/songs.ts'

// RELIABILITY.md G5: limits of time and disk, a cancel in the middle, and what is not the same picture by picture.

const possible = hasProgram('ffmpeg')
if (!possible) console.log('skipped: no FFmpeg on this machine')

const music = song(1, 8)
let directory = ''
let dance: Buffer = Buffer.alloc(0)
beforeAll(async () => {
  if (!possible) return
  directory = await mkdtemp(join(tmpdir(), 'edgereel-beatsync-limits-'))
  dance = await film(directory, joined(silence(1), part(music, 0, 5))) // A key frame every two seconds.
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const limited = (limits: Partial<TaskLimits>) =>
  openApiRig({
    beatsync: (body, ports, signal) =>
      runBeatsync(parseMessage(beatsyncMessage, body).task, ports, signal, { ...taskLimits, ...limits }),
  })

async function submitted(rig: ApiRig, more: object = {}): Promise<string> {
  const ids = { dance: await upload(rig, 'dance.mp4', dance), bgm: await upload(rig, 'bgm.wav', wav(music)) }
  return (await submit(rig, { ...ids, ...more })).id
}

/** Until its three attempts are used up. */
async function exhausted(rig: ApiRig): Promise<Task> {
  const id = await submitted(rig)
  for (let n = 0; n < 3; n += 1) {
    expect(await taskOf(rig, id)).toMatchObject({ status: 'PENDING', attempts: n })
    await rig.jobs.drain({ queues: ['beatsync'] })
    rig.jobs.clock.advance(61_000)
  }
  await rig.jobs.drain({ queues: ['beatsync'] })
  expect((await rig.jobs.ports.queue.depth('beatsync')).dead).toBe(1) // Of the server, not of what was given.
  expect((await rig.jobs.ports.store.list('results/')).keys).toEqual([])
  return await taskOf(rig, id)
}

const chinese = expect.stringMatching(/[\u4e00-\u9fff]/)

test.skipIf(!possible)('longer than it may take: TIMEOUT, after three attempts', async () => {
  await using rig = await limited({ softMs: 1, hardMs: 5000 })
  const wanted = { status: 'FAILED', reason: 'TIMEOUT', attempts: 3, messageZh: chinese }
  expect(await exhausted(rig)).toMatchObject(wanted)
})

test.skipIf(!possible)('not enough disk: RESOURCE_LIMIT, before anything was written', async () => {
  await using rig = await limited({ spareBytes: 2 ** 52 })
  const wanted = { status: 'FAILED', reason: 'RESOURCE_LIMIT', attempts: 3, messageZh: chinese }
  expect(await exhausted(rig)).toMatchObject(wanted)
})

test('work that obeys ends at the soft limit, work that does not at the hard one, a cancel says its own', async () => {
  const forever = (signal?: AbortSignal) =>
    delay(60_000, undefined, signal ? { signal, ref: false } : { ref: false })
  const outer = new AbortController()
  const at = (softMs: number, hardMs: number, work: (signal: AbortSignal) => Promise<unknown>) =>
    withinTime(outer.signal, work, { softMs, hardMs })
  await expect(at(5, 60_000, (signal) => forever(signal))).rejects.toMatchObject({ kind: 'DeadlineExceeded' })
  await expect(at(5, 20, () => forever())).rejects.toMatchObject({ kind: 'DeadlineExceeded' })
  expect(await at(60_000, 60_000, async () => 'done')).toBe('done')
  const cancelled = new AppError('FailedPrecondition', 'The task was cancelled.')
  const work = at(60_000, 60_000, async (signal) => {
    outer.abort(cancelled)
    signal.throwIfAborted()
  })
  await expect(work).rejects.toBe(cancelled)
})

test.skipIf(!possible)('cancelled in the middle: it ends there, and leaves no result', async () => {
  await using rig = await openApiRig()
  const id = await submitted(rig)
  const { store } = rig.jobs.ports
  const get: ObjectStore['get'] = async (...args) => {
    const path = `/v1/tasks/${id}/cancel`
    const { status } = await rig.ask('POST', path, { token: rig.tokens.operator, body: {} })
    expect([200, 412]).toContain(status)
    rig.jobs.clock.advance(2000) // The next word of progress is due.
    return await store.get(...args)
  }
  const cancelling = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === 'get' ? get : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const ports = { ...rig.jobs.ports, store: cancelling }
  expect(await rig.jobs.drain({ ports, queues: ['beatsync'] })).toEqual([])
  expect(await taskOf(rig, id)).toMatchObject({ status: 'FAILED', detail: 'The task was cancelled.' })
  expect((await rig.jobs.ports.store.list('results/')).keys).toEqual([])
  expect(await rig.jobs.ports.queue.depth('beatsync')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
  const other = await submitted(rig) // Its place is free again.
  await rig.jobs.drain({ queues: ['beatsync'] })
  expect(await taskOf(rig, other)).toMatchObject({ status: 'SUCCESS' })
})

test.skipIf(!possible)(
  'exact: the first picture in the file is that of the cut; else those before it are hidden',
  async () => {
    await using rig = await openApiRig()
    const packets = async (exact: boolean) => {
      const id = await submitted(rig, { exact, variants: ['modular'] })
      expect(await rig.jobs.drain({ queues: ['beatsync'] })).toEqual([])
      const task = await taskOf(rig, id)
      expect(task, JSON.stringify(task)).toMatchObject({ status: 'SUCCESS' })
      const { cut, download } = (task.result as BeatsyncResult).variants.modular ?? {}
      const found = await rig.ask('GET', download ?? '', { token: rig.tokens.viewer })
      const file = await rig.fetch(new Request(`http://cloud${found.headers.get('location')}`))
      return { fromMs: cut?.fromMs ?? 0, pictures: probePackets(await file.bytes(), 'v') }
    }
    const [copied, exact] = [await packets(false), await packets(true)]
    expect(Math.abs(exact.fromMs - 1000)).toBeLessThan(60) // In the middle of two key frames.
    expect(copied.pictures.filter(({ discard }) => discard).length).toBeGreaterThan(20)
    expect(exact.pictures.filter(({ discard }) => discard)).toEqual([])
    const shown = (list: { ptsMs: number }[]) => Math.min(...list.map(({ ptsMs }) => ptsMs))
    expect(Math.abs(shown(exact.pictures))).toBeLessThan(41)
    expect(shown(copied.pictures)).toBeLessThan(-900)
  },
)
