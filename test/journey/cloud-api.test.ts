import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRing } from '../../agent/ring/ring.ts'
import type { Ring } from '../../agent/ring/types.ts'
import { createCloudClient } from '../../agent/upload/cloud-client.ts'
import { startUploader, type Uploader } from '../../agent/upload/uploader.ts'
import { createApi } from '../../cloud/api/app.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { splitAnnexB } from '../../shared/media/nal.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { internalToken } from '../support/api-rig.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { openJourneyCloud } from '../support/journey-cloud.ts'
import { decodePictures, probePackets } from '../support/movie-judges.ts'
import { type MovieSource, readMovieSource } from '../support/movie-source.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { deliveryOfTest } from '../support/unruly-queue.ts'

const movie = hasProgram('ffprobe') ? sharedPath('data/mp4/mp4ff__bbb_prog_10s.mp4') : undefined
if (movie === undefined) console.log('skipped: needs ffprobe and the data beside the repository')

const epoch = 1_772_366_400_000
const wallStart = 1_772_366_400_000

let stack: AsyncDisposableStack
let source: MovieSource
let ring: Ring
let uploader: Uploader
let port: number

/** The agent's half (a real ring, the real uploader) and the cloud's, joined by a unix socket as on one PC. */
beforeAll(async () => {
  if (movie === undefined) return
  source = readMovieSource(movie)
  stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'edgereel-journey-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const socket = join(dir, 'cloud.sock')
  port = await startCloud(dir, socket)
  ring = stack.use(
    await openRing({
      dir,
      agent: { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' },
      quotaBytes: 1e9,
      whenFull: 'overwrite',
      clock: systemClock,
      onFatal: (error) => expect.fail(error.message),
    }),
  )
  uploader = stack.use(
    startUploader({
      source: ring,
      client: createCloudClient({
        base: `unix:${socket}`,
        headers: () => as('device', 'lab'),
        clock: systemClock,
      }),
      clock: systemClock,
      random: Math.random,
      bandwidth: null,
      hours: null,
      version: 'test',
      agentState: () => ({}),
      onAlarm: (error) => expect.fail(error.message),
    }),
  )
  ring.onSealed(() => uploader.wake())
})
afterAll(() => stack?.disposeAsync())

async function startCloud(dir: string, socket: string): Promise<number> {
  const cloud = stack.use(await openJourneyCloud({ dir, clock: systemClock, deliver: deliveryOfTest() }))
  const ports = { ...cloud, clock: systemClock }
  const api = createApi({ ...ports, internalToken, onError: (error) => expect.fail(error.message) })
  stack.use(cloud.startWork())
  const listener = getRequestListener((request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/player.html')
      return new Response(playerPage, { headers: { 'content-type': 'text/html' } })
    if (pathname === '/hls.js') return new Response(readFileSync('node_modules/hls.js/dist/hls.min.js'))
    return pathname.startsWith('/store/') ? cloud.storeRoute(request) : api.fetch(request)
  })
  const [unix, tcp] = [createServer(listener), createServer(listener)]
  await once(unix.listen(socket), 'listening')
  stack.defer(() => closeServer(unix))
  await once(tcp.listen(0, '127.0.0.1'), 'listening')
  stack.defer(() => closeServer(tcp))
  return (tcp.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

function as(role: string, subject: string): Record<string, string> {
  return { authorization: `Bearer ${internalToken}`, 'x-edgereel-role': role, 'x-edgereel-subject': subject }
}

const get = (path: string, headers = as('viewer', 'ana')) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers })

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 1000; i += 1) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await delay(10)
  }
  return expect.fail('it did not come to pass')
}

function unit(track: 'video' | 'audio', index: number): AccessUnit | undefined {
  const from = track === 'video' ? source.video : source.audio
  const sample = from?.samples[index]
  if (!from || !sample) return undefined
  const { dtsMs, ptsMs, sync, bytes } = sample
  const nalUnits = track === 'video' ? splitAnnexB(bytes) : [bytes]
  return {
    ...{ track, config: from.config, nalUnits, sizeBytes: bytes.length, epoch, timeSource: 'device' },
    ...{ randomAccess: track === 'audio' || sync, idr: track === 'video' && sync },
    ...{ dtsMs: wallStart + dtsMs, ptsMs: wallStart + ptsMs, arrivalMs: ptsMs },
  }
}

/** Two segments, cut at the second key frame, and the closed claim on them. */
async function record(id: string): Promise<void> {
  const { samples, config } = source.video
  const cut = samples.findIndex((sample, i) => i > 0 && sample.sync)
  const audio = source.audio
  for (const [seq, [from, to]] of [
    [0, cut],
    [cut, samples.length],
  ].entries()) {
    const writer = ring.open({
      ...{ stream: 'door', epoch, seq, video: config, wallOffsetMs: 0, wallBoundMs: 5 },
      ...{ timeSource: 'device', continues: false },
      ...(audio && { audio: audio.config }),
    })
    const inside = (ms: number) =>
      ms >= (samples[from as number]?.dtsMs ?? 0) && ms < (samples[to as number]?.dtsMs ?? 1e9)
    const units = [
      ...samples.map((_, i) => (i >= (from as number) && i < (to as number) ? unit('video', i) : undefined)),
      ...(audio?.samples ?? []).map((sample, i) => (inside(sample.dtsMs) ? unit('audio', i) : undefined)),
    ].filter((one) => one !== undefined)
    for (const one of units.sort((a, b) => a.dtsMs - b.dtsMs)) expect(writer.append(one)).toBe('taken')
    await writer.seal({ reason: 'test', wallOffsetMs: 0, wallBoundMs: 5 })
  }
  const rows = await ring.segments({ stream: 'door' })
  const [first, last] = [rows[0]?.from ?? 0, rows.at(-1)?.to ?? 0]
  const claim: Recording = {
    ...{ version: 1, id, agent: 'lab', rev: 1, state: 'closed', title: 'A take', labels: [] },
    ...{ createdAt: first, from: first, to: last },
    streams: [
      {
        name: 'door',
        from: first,
        to: last,
        segments: rows.map(({ epoch, seq }) => ({ epoch, seq })),
        gaps: [],
      },
    ],
  }
  await ring.saveRecording(claim)
  uploader.wake()
}

type Detail = { state: string; streams: { units: number; export: { files: { mp4Bytes: number }[] } }[] }

test.skipIf(movie === undefined)(
  'from the ring to a file that plays: every picture, at its own time',
  async () => {
    await record('take')
    const detail = await until(async () => {
      const answer = await get('/v1/recordings/take')
      const found = answer.ok ? ((await answer.json()) as Detail) : undefined
      return found?.state === 'ready' ? found : undefined
    })
    expect(detail.streams[0]?.units).toBe(source.video.samples.length)

    const file = Buffer.from(await (await get('/v1/recordings/take/download')).arrayBuffer())
    expect(file.length).toBe(detail.streams[0]?.export.files[0]?.mp4Bytes)
    const sent = source.video.samples.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
    const { shownMs, complaints } = decodePictures(file)
    expect(complaints).toBe('')
    expect(shownMs).toEqual(sent.map((ms) => ms - (sent[0] ?? 0)))
    expect(probePackets(file, 'v').length).toBe(sent.length)

    const csv = (await (await get('/v1/recordings/take/timestamps.csv')).text()).trim().split('\n')
    expect(csv.length).toBe(1 + sent.length)
    await until(async () => (uploader.status().pending === 0 ? true : undefined))
    expect(uploader.status()).toMatchObject({ state: 'ok', setAside: 0 })
    expect((await ring.segments({ stream: 'door' })).every((row) => row.uploaded)).toBe(true)
  },
)

const playerPage = `<!doctype html><video id="video" muted></video><script src="/hls.js"></script>`

/** Loads the playlist at `url` in the page `/player.html`; answers what the player holds when all is there. */
async function loadHls({ url, lengthS }: { url: string; lengthS: number }) {
  const video = document.querySelector('video') as HTMLVideoElement
  const { Hls } = window as unknown as { Hls: typeof import('hls.js').default }
  const hls = new Hls({ maxBufferLength: 600, maxMaxBufferLength: 600 })
  const errors: string[] = []
  hls.on(Hls.Events.ERROR, (_, error) => errors.push(`${error.details} ${error.error?.message ?? ''}`))
  hls.loadSource(url)
  hls.attachMedia(video)
  const held = () =>
    Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)])
  while ((held().at(-1)?.[1] ?? 0) < lengthS && errors.length === 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const seeked = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }))
  video.currentTime = lengthS - 1
  await seeked
  return { ranges: held(), errors, wallMs: hls.playingDate?.getTime(), currentTime: video.currentTime }
}

const fudgeS = 0.2 // hls.js does not read edit lists: B-frames shift each segment by their delay of 83 ms.

test.skipIf(movie === undefined || chromiumPath() === undefined)(
  'hls.js plays a share through the redirects to its end, and knows the wall time',
  async () => {
    const headers = { ...as('operator', 'ana'), 'content-type': 'application/json' }
    const shares = `http://127.0.0.1:${port}/v1/recordings/take/shares`
    const made = (await (await fetch(shares, { method: 'POST', headers, body: '{}' })).json()) as {
      url: string
    }
    const times = source.video.samples.map(({ ptsMs }) => ptsMs)
    const lengthS = (Math.max(...times) - Math.min(...times)) / 1000
    await using browser = await openBrowser({})
    const page = await browser.context.newPage()
    await page.goto(`http://127.0.0.1:${port}/player.html`)
    const url = `${made.url}/playlist.m3u8?stream=door`
    const played = await page.evaluate(loadHls, { url, lengthS: lengthS - fudgeS })

    expect(played.errors).toEqual([])
    for (const [i, [start = 0]] of played.ranges.entries()) {
      expect(start - (played.ranges[i - 1]?.[1] ?? 0)).toBeLessThan(fudgeS)
    }
    const firstMs = (await ring.segments({ stream: 'door' }))[0]?.from ?? 0
    expect(Math.abs((played.wallMs ?? 0) - firstMs - played.currentTime * 1000)).toBeLessThan(1000 * fudgeS)
  },
)
