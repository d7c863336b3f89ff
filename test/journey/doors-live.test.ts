import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Publisher } from '../../agent/hub/hub.ts'
import { FlvParser, flvTagBytes } from '../../shared/media/flv.ts'
import { openDoors } from '../support/door-rig.ts'
import { clipUnits, fakeUnit } from '../support/live-units.ts'
import { hasProgram } from '../support/shared-data.ts'

// What a viewer gets of a live stream, over real sockets: the same, whichever process sends.

describe.each([0, 2])('with %i processes that only send', (workers) => {
  let doors: Awaited<ReturnType<typeof openDoors>>
  let publisher: Publisher
  let token = ''
  beforeEach(async () => {
    doors = await openDoors({ workers })
    publisher = doors.hub.publish({ name: 'cam', kind: 'test', identity: 'x', onDisplaced: () => undefined })
    token = await doors.token('viewer', 'cam')
  })
  afterEach(() => doors[Symbol.asyncDispose]())

  async function until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 1000 && !condition(); i += 1) await delay(10)
    expect(condition()).toBe(true)
  }

  const url = (scheme: string) => `${scheme}://127.0.0.1:${doors.port}/live/cam.flv?token=${token}`

  /** Sends the clip in a tenth of its time, then ends the stream. */
  async function playClip(): Promise<number[]> {
    const units = clipUnits().slice(0, 150)
    for (const unit of units) {
      publisher.push(unit)
      await delay(4)
    }
    publisher.end('done')
    doors.hub.remove('cam')
    return units.map(({ ptsMs }) => ptsMs - (units[0]?.ptsMs ?? 0))
  }

  const picturesOf = (bytes: Uint8Array) =>
    new FlvParser().push(bytes).filter(({ kind, body }) => kind === 'video' && body[1] === 1)

  test.skipIf(!hasProgram('ffprobe'))('ffprobe reads every picture at its time from HTTP-FLV', async () => {
    const args = ['-v', 'error', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', url('http')]
    const probe = promisify(execFile)('ffprobe', args)
    await until(() => doors.play.figures.viewers.http === 1)
    const sent = await playClip()
    const { stdout, stderr } = await probe
    expect(stderr).toBe('')
    const seen = stdout
      .trim()
      .split('\n')
      .map((line) => Math.round(Number.parseFloat(line) * 1000))
    expect(seen).toEqual(sent)
  })

  test.skipIf(!hasProgram('ffmpeg'))('ffmpeg decodes it without a complaint', async () => {
    const decode = promisify(execFile)('ffmpeg', [
      '-v',
      'error',
      '-err_detect',
      'explode',
      '-i',
      url('http'),
      '-f',
      'null',
      '-',
    ])
    await until(() => doors.play.figures.viewers.http === 1)
    await playClip()
    expect((await decode).stderr).toBe('')
  })

  test('WebSocket: the same pictures, in whole tags, and a clean end', async () => {
    const socket = new WebSocket(url('ws'))
    socket.binaryType = 'arraybuffer'
    const messages: Uint8Array[] = []
    const { promise: closed, resolve } = Promise.withResolvers<CloseEvent>()
    socket.onmessage = ({ data }) => messages.push(new Uint8Array(data))
    socket.onclose = resolve
    await until(() => doors.play.figures.viewers.ws === 1)
    const sent = await playClip()
    expect(await closed).toMatchObject({ code: 1000, reason: 'ended', wasClean: true })
    expect(picturesOf(Buffer.concat(messages)).map(({ timestampMs }) => timestampMs)).toEqual(sent)
    for (const message of messages.slice(1)) {
      const tag = new FlvParser({ from: 'tag header' }).push(message)[0]
      expect(tag && flvTagBytes([tag.body])).toBe(message.length)
    }
  })

  test('who joins late begins at the newest key frame, and at its time', async () => {
    const units = clipUnits()
    for (const unit of units.slice(0, 80)) publisher.push(unit)
    const response = await fetch(url('http'))
    expect(response.headers.get('content-type')).toBe('video/x-flv')
    publisher.end('done')
    doors.hub.remove('cam')
    const pictures = picturesOf(await response.bytes())
    const last = units.slice(0, 80).findLast(({ randomAccess }) => randomAccess)
    expect(pictures[0]?.timestampMs).toBe((last?.dtsMs ?? 0) - (units[0]?.dtsMs ?? 0))
    expect(pictures[0]?.body[0]).toBe(0x17)
  })

  describe('viewers that never read (RELIABILITY.md E1)', () => {
    const openStalled = async () => {
      const sockets = Array.from({ length: 10 }, () =>
        connect({ port: doors.port, host: '127.0.0.1' }).on('error', () => undefined),
      )
      for (const socket of sockets) {
        socket.pause()
        socket.write(`GET /live/cam.flv?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      }
      await until(() => doors.play.figures.viewers.http === 10)
      return sockets
    }

    test('cost a bounded number of bytes, are ended and counted, and the others get everything', async () => {
      publisher.push(fakeUnit({ ms: 0, key: true }))
      const stalled = await openStalled()
      const response = await fetch(url('http'))
      const reading = response.bytes()
      const before = process.memoryUsage()
      const rounds = 260
      for (let i = 1; i <= rounds; i += 1) {
        publisher.push(fakeUnit({ ms: i * 50, key: i % 10 === 0, bytes: 200_000 }))
        await delay(50)
      }
      const after = process.memoryUsage()
      expect(doors.play.figures.ended.stalled).toBe(10)
      expect(doors.play.figures.skips).toBeGreaterThanOrEqual(10)
      expect(doors.play.figures.viewers.http).toBe(1)
      // 52 MB went by; the good one holds all of it in this very process, the others at most their budgets.
      const growth = after.arrayBuffers - before.arrayBuffers
      expect(growth).toBeLessThan(rounds * 200_000 + 10 * 4 * 1024 * 1024 + 64 * 1024 * 1024)
      publisher.end('done')
      doors.hub.remove('cam')
      expect(picturesOf(await reading)).toHaveLength(rounds + 1)
      for (const socket of stalled) socket.destroy()
    }, 40_000)
  })

  test('500 join at once: each gets the whole GOP, of which there is one copy (RELIABILITY.md E4)', async () => {
    const gopBytes = 1_000_000
    for (let i = 0; i < 10; i += 1)
      publisher.push(fakeUnit({ ms: i * 40, key: i === 0, bytes: gopBytes / 10 }))
    const before = process.memoryUsage().arrayBuffers
    let most = before
    const got = Array.from({ length: 500 }, () => 0)
    const sockets = got.map((_, i) => {
      const socket = connect({ port: doors.port, host: '127.0.0.1' }).on('error', () => undefined)
      socket.on('data', (bytes) => {
        got[i] = (got[i] ?? 0) + bytes.length
        most = Math.max(most, process.memoryUsage().arrayBuffers)
      })
      socket.write(`GET /live/cam.flv?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      return socket
    })
    await until(() => got.every((bytes) => bytes > gopBytes))
    expect(doors.play.figures.viewers.http).toBe(500)
    expect(doors.play.figures.ended).toMatchObject({ gone: 0, stalled: 0 })
    // 500 MB were read in this very process, too: a copy for each viewer would be as much again, at once.
    expect(most - before).toBeLessThan(250 * gopBytes)
    for (const socket of sockets) socket.destroy()
    await until(() => doors.play.figures.viewers.http === 0)
  })

  test('one connection is one viewer, whatever is asked for behind the stream', async () => {
    for (const unit of clipUnits().slice(0, 10)) publisher.push(unit)
    const socket = connect(doors.port, '127.0.0.1').on('error', () => undefined)
    const get = `GET /live/cam.flv?token=${token} HTTP/1.1\r\nhost: localhost\r\n\r\n`
    socket.write(get.repeat(20))
    await Promise.race([once(socket, 'data'), once(socket, 'close')])
    expect(doors.play.figures.viewers.http).toBeLessThanOrEqual(1)
    socket.destroy()
    await until(() => doors.play.figures.viewers.http === 0)
  })

  test('a viewer that leaves is forgotten', async () => {
    publisher.push(fakeUnit({ key: true }))
    const abort = new AbortController()
    await fetch(url('http'), { signal: abort.signal })
    const socket = new WebSocket(url('ws'))
    await until(() => doors.play.figures.viewers.ws === 1)
    abort.abort()
    socket.close()
    await until(() => doors.play.figures.viewers.http + doors.play.figures.viewers.ws === 0)
    expect(doors.hub.stream('cam')?.viewers).toBe(0)
  })
})
