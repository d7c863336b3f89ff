import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Publisher } from '../../agent/hub/hub.ts'
import { FlvParser } from '../../shared/media/flv.ts'
import { openDoors } from '../support/door-rig.ts'
import { clipUnits, fakeUnit } from '../support/live-units.ts'

// Processes that only send (docs/decisions/0008): what becomes of viewers when one dies or stands still.

let doors: Awaited<ReturnType<typeof openDoors>>
let publisher: Publisher
let url = ''
beforeEach(async () => {
  doors = await openDoors({ workers: 2 })
  publisher = doors.hub.publish({ name: 'cam', kind: 'test', identity: 'x', onDisplaced: () => undefined })
  url = `http://127.0.0.1:${doors.port}/live/cam.flv?token=${await doors.token('viewer', 'cam')}`
})
afterEach(() => doors[Symbol.asyncDispose]())

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i += 1) await sleep(10)
  expect(condition()).toBe(true)
}

type Watcher = { stamps: number[]; isOver: boolean; isClean: boolean }

/** A viewer; the first begins at the first worker, the second at the other. */
async function watch(): Promise<Watcher> {
  const watcher = { stamps: [] as number[], isOver: false, isClean: false }
  const before = doors.play.figures.viewers.http
  const parser = new FlvParser()
  const read = async () => {
    const { body } = await fetch(url)
    for await (const bytes of body ?? []) {
      const pictures = parser.push(bytes).filter((tag) => tag.kind === 'video' && tag.body[1] === 1)
      watcher.stamps.push(...pictures.map(({ timestampMs }) => timestampMs))
    }
    watcher.isClean = true
  }
  read()
    .catch(() => undefined)
    .finally(() => {
      watcher.isOver = true
    })
  await until(() => doors.play.figures.viewers.http === before + 1)
  return watcher
}

test('a killed worker takes only its own viewers with it, and another takes its place', async () => {
  const units = clipUnits()
  let sent = 0
  const film = async (pictures: number) => {
    for (const unit of units.slice(sent, sent + pictures)) {
      publisher.push(unit)
      await sleep(5)
    }
    sent += pictures
  }
  await film(30)
  const watchers = [await watch(), await watch()]
  await film(30)
  const before = doors.workers.pids
  process.kill(before[0] ?? 0, 'SIGKILL')
  await film(30)
  await until(() => watchers.filter(({ isOver }) => isOver).length === 1)
  expect(watchers.some(({ isOver, isClean }) => isOver && isClean)).toBe(false)
  expect(doors.play.figures).toMatchObject({ viewers: { http: 1 }, ended: { worker: 1, gone: 0 } })

  await until(() => doors.workers.pids.length === 2)
  const [killed = 0, left = 0] = before
  expect(doors.workers.pids).toContain(left)
  expect(doors.workers.pids).not.toContain(killed)
  const third = await watch()
  await film(30)
  publisher.end('done')
  doors.hub.remove('cam')
  const survivor = watchers.find(({ isOver }) => !isOver)
  await until(() => third.isOver && survivor?.isOver === true)
  const times = units.slice(0, sent).map(({ dtsMs }) => dtsMs - (units[0]?.dtsMs ?? 0))
  expect(survivor?.stamps).toEqual(times.filter((ms) => ms >= (survivor?.stamps[0] ?? 0)))
  expect(survivor?.stamps[0]).toBeLessThanOrEqual(times[30] ?? 0)
  expect(third.stamps.at(-1)).toBe(times.at(-1))
  expect(third.isClean).toBe(true)
  expect(doors.hub.stream('cam')?.viewers ?? 0).toBe(0)
})

test('one that stands still is ended when too much waits for it; the others go on', async () => {
  publisher.push(fakeUnit({ ms: 0, key: true }))
  const watchers = [await watch(), await watch()]
  process.kill(doors.workers.pids[0] ?? 0, 'SIGSTOP')
  for (let n = 1; n <= 100; n += 1) {
    publisher.push(fakeUnit({ ms: n * 40, key: n % 10 === 0, bytes: 400_000 }))
    // As fast as the other takes it: on a busy machine too much would wait for that one as well.
    await until(() => watchers.some(({ stamps }) => stamps.at(-1) === n * 40))
  }
  await until(() => doors.play.figures.ended.worker === 1)
  await until(() => doors.workers.pids.length === 2)
})

test('one that stands still while little is sent is ended when it is silent', async () => {
  publisher.push(fakeUnit({ ms: 0, key: true }))
  await watch()
  process.kill(doors.workers.pids[0] ?? 0, 'SIGSTOP')
  await until(() => doors.play.figures.ended.worker === 1)
})

test('without any worker the agent sends by itself', async () => {
  publisher.push(fakeUnit({ ms: 0, key: true }))
  for (const pid of doors.workers.pids) process.kill(pid, 'SIGKILL')
  await until(() => doors.workers.pids.length === 0)
  const watcher = await watch()
  await until(() => watcher.stamps.length === 1)
})
