import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHub, type Publisher } from '../../../../agent/hub/hub.ts'
import { createForwards, type ForwardEvent, type Forwards } from '../../../../agent/play/rtmp-forwards.ts'
import { ServerSession } from '../../../../agent/protocol/rtmp/server-session.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import { clipUnits, fakeUnit } from '../../../support/live-units.ts'
import { freePort } from '../../../support/program.ts'
import { openRtmpRig } from '../../../support/rtmp-rig.ts'
import { hasProgram } from '../../../support/shared-data.ts'

// From one hub to the RTMP door of another, over real sockets.

let there: Awaited<ReturnType<typeof openRtmpRig>>
let hub: ReturnType<typeof createHub>
let forwards: Forwards
let events: ForwardEvent[] = []
let publisher: Publisher

async function start(url: string, graceMs = 30_000, onExpired: () => void = () => undefined): Promise<void> {
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const onEvent = ({ type, stream }: { type: string; stream: string }) => {
    const found = hub.stream(stream)
    if (type === 'published' && found) forwards.published(found)
    if (type === 'expired') onExpired()
  }
  hub = createHub({ openSink: () => sink, clock: systemClock, onEvent, graceMs })
  forwards = createForwards({
    targets: { Cam: [url] },
    clock: systemClock,
    random: () => 0.1,
    onEvent: (event) => events.push(event),
  })
  publisher = publish()
}
const publish = () => hub.publish({ name: 'cam', kind: 'test', identity: 'x', onDisplaced: () => undefined })
const until = (condition: () => boolean) => expect.poll(condition, { timeout: 8000, interval: 10 }).toBe(true)
const secret = 's3cret-of-the-account'

beforeEach(async () => {
  events = []
  there = await openRtmpRig()
})
afterEach(async () => {
  await forwards[Symbol.asyncDispose]()
  hub[Symbol.dispose]()
  await there[Symbol.asyncDispose]()
})

test('begins at the cached key frame, goes on live, and says goodbye when the stream is over', async () => {
  await start(there.url('copy', 'publisher:copy'))
  const units = clipUnits().slice(0, 60)
  for (const unit of units.slice(0, 40)) publisher.push(unit)
  await until(() => there.units.length > 0)
  for (const unit of units.slice(40)) publisher.push(unit)
  const first = units.slice(0, 40).findLastIndex(({ randomAccess }) => randomAccess)
  await until(() => there.units.length === 60 - first)
  expect(there.units.map((unit) => unit.nalUnits)).toEqual(units.slice(first).map((unit) => unit.nalUnits))
  const spacing = (list: readonly { ptsMs: number }[]) =>
    list.map(({ ptsMs }) => ptsMs - (list[0]?.ptsMs ?? 0))
  expect(spacing(there.units)).toEqual(spacing(units.slice(first)))
  expect(forwards.status()).toMatchObject([{ stream: 'cam', state: 'live', failures: 0, skips: 0 }])

  publisher.end('done')
  hub.remove('cam')
  await until(() => there.hub.stream('copy')?.state === 'waiting')
  await until(() => forwards.status().length === 0)
  expect(events.map(({ type }) => type)).toEqual(['live'])
})

test('a stream that is not configured is not forwarded', async () => {
  await start(there.url('copy', 'publisher:copy'))
  hub.publish({ name: 'other', kind: 'test', identity: 'x', onDisplaced: () => undefined })
  expect(forwards.status().map(({ stream }) => stream)).toEqual(['cam'])
})

test('a connection that is cut is made again, and begins at a key frame', async () => {
  await start(there.url('copy', 'publisher:copy'))
  const [key, next] = clipUnits()
  if (key) publisher.push(key)
  await until(() => forwards.status()[0]?.state === 'live' && there.units.length === 1)
  there.door.close(there.door.sessions()[0]?.id ?? 0)
  await until(() => forwards.status()[0]?.failures === 1)
  if (next) publisher.push(next)
  await until(() => there.units.length === 3)
  expect(there.units.map(({ randomAccess }) => randomAccess)).toEqual([true, true, false])
  expect(events.map(({ type }) => type)).toEqual(['live', 'failed', 'live'])
})

test('a publisher that comes back is forwarded over the same connection', async () => {
  await start(there.url('copy', 'publisher:copy'))
  publisher.push(fakeUnit({ ms: 0, key: true }))
  await until(() => there.units.length === 1)
  publisher.end('gone')
  publisher = publish()
  publisher.push(fakeUnit({ ms: 5000, key: true }))
  await until(() => there.units.length === 2)
  expect(forwards.status()[0]).toMatchObject({ state: 'live', failures: 0 })
})

test('a publisher that comes while the goodbye of the one before is under way is forwarded, too', async () => {
  const comeAgain = () => {
    publisher = publish()
    publisher.push(fakeUnit({ ms: 90_000, key: true }))
  }
  await start(there.url('copy', 'publisher:copy'), 20, comeAgain)
  publisher.push(fakeUnit({ ms: 0, key: true }))
  await until(() => there.units.length === 1)
  publisher.end('gone')
  await until(() => there.units.length === 2)
  expect(forwards.status()).toMatchObject([{ state: 'live' }])
})

test('what is refused is told without the secret of the address, and tried again', async () => {
  await start(there.url(secret, `wrong-${secret}`))
  await until(() => (forwards.status()[0]?.failures ?? 0) >= 2)
  const [status] = forwards.status()
  expect(status).toMatchObject({
    target: `rtmp://127.0.0.1:${there.door.port}/live`,
    error: /refused/ as never,
  })
  expect(
    JSON.stringify([status, events]) + events.map((e) => ('error' in e ? e.error.stack : '')),
  ).not.toContain(secret)
})

test('a server that is not there does not hold up the end of the agent', async () => {
  await start(`rtmp://127.0.0.1:${await freePort()}/live/cam`)
  await until(() => (forwards.status()[0]?.failures ?? 0) >= 1)
  expect(forwards.status()[0]?.error).toMatch(/cannot be reached/)
  await forwards[Symbol.asyncDispose]()
  await until(() => forwards.status().length === 0)
})

test('a server that stops reading costs a bounded number of bytes: whole GOPs are dropped and counted', async () => {
  let answers: (() => void) | undefined
  const server = createServer((socket) => {
    const session = new ServerSession()
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      for (const event of session.push(bytes)) {
        if (event.kind === 'send') socket.write(event.bytes)
        if (event.kind !== 'begin') continue
        socket.write(session.accept())
        socket.pause()
        answers = () => socket.resume()
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await start(`rtmp://127.0.0.1:${(server.address() as AddressInfo).port}/live/cam`)
  publisher.push(fakeUnit({ ms: 0, key: true }))
  await until(() => forwards.status()[0]?.state === 'live')
  const unitBytes = 500_000
  for (let i = 1; i <= 60; i += 1) {
    publisher.push(fakeUnit({ ms: i * 40, key: i % 4 === 0, bytes: unitBytes }))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const { bytes, skips } = forwards.status()[0] ?? { bytes: 0, skips: 0 }
  expect(skips).toBeGreaterThan(0)
  expect(bytes).toBeLessThan(40 * unitBytes)
  answers?.()
  await until(() => (forwards.status()[0]?.bytes ?? 0) > bytes) // It goes on at the newest key frame.
  server.close()
})

test.skipIf(!hasProgram('ffmpeg') || !hasProgram('ffprobe'))(
  'FFmpeg takes it as from any encoder',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'edgereel-forward-'))
    const port = await freePort()
    const file = join(directory, 'got.flv')
    const url = `rtmp://127.0.0.1:${port}/live/copy`
    const run = promisify(execFile)
    const taking = run('ffmpeg', ['-v', 'error', '-listen', '1', '-i', url, '-c', 'copy', '-y', file])
    await start(url)
    const units = clipUnits().slice(0, 60)
    for (const unit of units) publisher.push(unit)
    await until(() => forwards.status()[0]?.state === 'live')
    await new Promise((resolve) => setTimeout(resolve, 300))
    publisher.end('done')
    hub.remove('cam')
    // FFmpeg as a server reports the end of any publisher, its own too, as an error of input; of the media, none.
    expect((await taking).stderr).toMatch(/^(rtmp:\S+: Input\/output error\s*)?$/)
    const first = units.findLastIndex(({ randomAccess }) => randomAccess)
    const args = ['-v', 'error', '-show_entries', 'packet=pts', '-of', 'csv=p=0', file]
    const { stdout } = await run('ffprobe', args)
    const times = stdout.trim().split('\n').map(Number)
    expect(times.map((ms) => ms - (times[0] ?? 0))).toEqual(
      units.slice(first).map(({ ptsMs }) => ptsMs - (units[first]?.ptsMs ?? 0)),
    )
    await rm(directory, { recursive: true })
  },
)
