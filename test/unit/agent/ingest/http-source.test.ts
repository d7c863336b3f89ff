import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createCameraGuard } from '../../../../agent/ingest/camera-guard.ts'
import { createFileSource } from '../../../../agent/ingest/file-source.ts'
import { createHttpSource } from '../../../../agent/ingest/http-source.ts'
import { createRemux } from '../../../../agent/ingest/remux.ts'
import type { PulledSource } from '../../../../agent/ingest/source.ts'
import { parseCameraUri } from '../../../../agent/protocol/camera-uri.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import type { Clock } from '../../../../shared/node/clock.ts'
import { hasProgram } from '../../../support/shared-data.ts'

const guard = createCameraGuard({ allow: ['127.0.0.0/8'], ownPorts: () => [] })
const ffmpeg = hasProgram('ffmpeg')

/** Plays at once: a short wait is over as soon as it is asked for, a long one is a deadline that is not reached. */
function fastClock(deadlinesPass = false): Clock & { waitedMs: number } {
  const clock = {
    waitedMs: 0,
    nowMs: () => 1_700_000_000_000 + Math.round(clock.waitedMs),
    monotonicMs: () => 1000 + clock.waitedMs,
    sleep: async (ms: number, signal?: AbortSignal) => {
      if (ms >= 10_000 && !deadlinesPass) {
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      }
      clock.waitedMs += ms
    },
  }
  return clock
}

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'http-source-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function made(name: string, ...args: string[]): Buffer {
  const inputs = ['-f', 'lavfi', '-i', 'testsrc=s=320x180:r=25:d=4', '-f', 'lavfi', '-i', 'sine=d=4:r=48000']
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '25', '-c:a', 'aac']
  const { status, stderr } = spawnSync('ffmpeg', [
    '-y',
    '-v',
    'error',
    ...inputs,
    ...codecs,
    ...args,
    join(dir, name),
  ])
  expect(stderr.toString() + status).toBe('0')
  return readFileSync(join(dir, name))
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://admin:sesame@127.0.0.1:${(server.address() as AddressInfo).port}/live`
}

function http(
  url: string,
  clock: Clock = fastClock(),
  findFfmpeg = async (): Promise<string | undefined> => 'ffmpeg',
) {
  return createHttpSource({ uri: parseCameraUri(url), guard, clock, remux: createRemux(findFfmpeg) })
}

async function play(source: PulledSource, signal = new AbortController().signal) {
  const units: AccessUnit[] = []
  let connected = 0
  const error = await source
    .connectOnce({
      signal,
      output: { connected: () => (connected += 1), unit: (unit) => units.push(unit), gap: () => undefined },
    })
    .then(
      () => undefined,
      (reason: unknown) => reason,
    )
  const pictures = units.filter(({ track }) => track === 'video')
  const firstMs = pictures[0]?.ptsMs ?? 0
  return { units, pictures, connected, error, times: pictures.map(({ ptsMs }) => ptsMs - firstMs) }
}

const evenly = Array.from({ length: 100 }, (_, n) => n * 40)

describe.skipIf(!ffmpeg)('files over HTTP', () => {
  test.each([
    ['x.flv', ['-f', 'flv', '-flvflags', 'no_duration_filesize']],
    ['x.ts', ['-f', 'mpegts']],
    ['end.mp4', ['-f', 'mp4']],
    ['start.mp4', ['-f', 'mp4', '-movflags', 'faststart']],
    ['fragments.mp4', ['-f', 'mp4', '-movflags', 'frag_keyframe+empty_moov+default_base_moof']],
    ['x.mkv', ['-f', 'matroska']],
  ])('%s: every picture, with its times, as fast as it plays', async (name, args) => {
    const bytes = made(name, ...args)
    const url = await serve((_, response) => {
      response.setHeader('content-length', bytes.length)
      response.end(bytes)
    })
    const clock = fastClock()
    const { error, pictures, units, times, connected } = await play(http(url, clock))
    expect(error).toBe(undefined)
    expect(times.toSorted((a, b) => a - b)).toEqual(evenly)
    expect(pictures[0]).toMatchObject({ randomAccess: true, epoch: 0 })
    expect(units.length - pictures.length).toBeGreaterThan(180)
    expect(connected).toBeGreaterThan(0)
    expect(clock.waitedMs).toBeGreaterThan(3300)
  })

  test('two connections of one source have different epochs', async () => {
    const bytes = made('two.ts', '-f', 'mpegts')
    const source = http(await serve((_, response) => response.end(bytes)))
    expect((await play(source)).units[0]?.epoch).toBe(0)
    expect((await play(source)).units[0]?.epoch).toBe(1)
  })

  test('a live stream that ends was cut off; what it sent at once is not held back', async () => {
    const bytes = made('live.flv', '-f', 'flv')
    const clock = fastClock()
    const url = await serve((_, response) => {
      response.write(bytes)
      response.end()
    })
    const { error, pictures } = await play(http(url, clock))
    expect(error).toMatchObject({ kind: 'Unavailable', message: expect.stringContaining('connection ended') })
    expect(String(error)).not.toContain('sesame')
    expect(pictures.length).toBe(100)
    expect(clock.waitedMs).toBe(0)
  })

  test('a server that stalls', async () => {
    const bytes = made('stall.flv', '-f', 'flv').subarray(0, 20_000)
    const url = await serve((_, response) => {
      response.write(bytes)
    })
    const { error, pictures } = await play(http(url, fastClock(true)))
    expect(error).toMatchObject({
      kind: 'Unavailable',
      message: expect.stringContaining('sent nothing for 10 s'),
    })
    expect(pictures.length).toBeGreaterThanOrEqual(0)
  })

  test('aborted: it settles', async () => {
    const stop = new AbortController()
    const url = await serve((_, response) => {
      response.write(Buffer.from('FLV'))
      setTimeout(() => stop.abort(), 50)
    })
    expect((await play(http(url), stop.signal)).error).toBeDefined()
  })
})

describe.skipIf(!ffmpeg)('what is no video', () => {
  test.each([
    ['a page', '<html>log in</html>'.repeat(100)],
    ['nothing', ''],
    ['noise', Buffer.alloc(100_000, 7)],
    ['a playlist of our files', '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///tmp/x.ts\n'],
    ['a list of our files', "ffconcat version 1.0\nfile 'x.ts'\n"],
  ])('%s', async (_, body) => {
    const url = await serve((_request, response) => response.end(body))
    const { error } = await play(http(url))
    expect(error).toMatchObject({
      kind: 'InvalidArgument',
      message: expect.stringContaining('no video that can be read'),
    })
  })

  test('without FFmpeg it is said', async () => {
    const url = await serve((_, response) => response.end('<html>'))
    const { error } = await play(http(url, fastClock(), async () => undefined))
    expect(error).toMatchObject({ message: expect.stringContaining('FFmpeg is not found') })
  })
})

describe.skipIf(!ffmpeg)('files', () => {
  const file = (path: string, root: string | null) =>
    createFileSource({
      uri: parseCameraUri(`file://${path}`),
      root,
      clock: fastClock(),
      remux: createRemux(async () => 'ffmpeg'),
    })

  test.each(['f.flv', 'f.ts', 'f.mp4'])('%s', async (name) => {
    made(name)
    const { error, times } = await play(file(join(dir, name), dir))
    expect(error).toBe(undefined)
    expect(times.toSorted((a, b) => a - b)).toEqual(evenly)
  })

  test('outside of the directory, or without one: refused, also by a link', async () => {
    writeFileSync(join(dir, 'there'), 'x')
    symlinkSync('/etc/passwd', join(dir, 'link'))
    expect((await play(file(join(dir, 'there'), null))).error).toMatchObject({ kind: 'PermissionDenied' })
    for (const path of ['/etc/passwd', join(dir, 'link'), `${dir}/../${'x'}`, dir]) {
      expect((await play(file(path, dir))).error).toMatchObject({
        kind: expect.stringMatching(/Denied|NotFound/),
      })
    }
  })
})
