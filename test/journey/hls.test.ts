import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { describe, expect, test } from 'vitest'
import { hlsPlaylist } from '../../cloud/api/playlist.ts'
import { addShare } from '../../cloud/rows/access.ts'
import { findSegment, type SegmentRow } from '../../cloud/rows/segment.ts'
import { segmentName } from '../../shared/contract/segment.ts'
import { type ApiRig, openApiRig } from '../support/api-rig.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { type MovieSource, movieSourceOf, realMovies } from '../support/movie-source.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  type SealedSegment,
  sealSegment,
  unitsOf,
} from '../support/segment-fixture.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// A recording of three segments, with B-frames and sound, as players of HLS see it.

const path = realMovies.find(([, file]) => file.includes('bbb_prog'))?.[1]
const epoch = 1_772_366_400_000
const byMs = epoch + 400 // Timeline of the source's 0.
const wallOffsetMs = 7000

type Sample = MovieSource['video']['samples'][number]

/** The samples of [from, to) ms by decoding time. */
const within = (samples: readonly Sample[], from: number, to: number) =>
  samples.filter(({ dtsMs }) => dtsMs >= from && dtsMs < to)

function segmentsOf(source: MovieSource): SealedSegment[] {
  const keys = source.video.samples.filter(({ sync }) => sync).map(({ dtsMs }) => dtsMs)
  const cuts = [0, 1, 2].map((n) => keys[Math.floor((n * keys.length) / 3)] ?? 0)
  const { video, audio } = source
  return cuts.map((from, seq) => {
    const start = seq === 0 ? Number.NEGATIVE_INFINITY : from
    const end = cuts[seq + 1] ?? Number.POSITIVE_INFINITY
    const sound = audio ? unitsOf('audio', within(audio.samples, start, end), byMs) : []
    const units = [...unitsOf('video', within(video.samples, start, end), byMs), ...sound]
    return sealSegment({
      ...{ agent: 'lab', stream: 'cam', epoch, seq, wallOffsetMs, video: video.config },
      units: units.sort((a, b) => a.dtsMs - b.dtsMs),
      ...(audio && { audio: audio.config }),
    })
  })
}

async function archive(rig: ApiRig, source: MovieSource): Promise<SegmentRow[]> {
  const sealed = segmentsOf(source)
  for (const one of sealed) await putSegment(rig.jobs.ports.store, one)
  await putRecording(rig.jobs.ports.store, recordingOf('take', sealed))
  expect(await rig.jobs.drain()).toEqual([])
  const rows = await Promise.all(
    sealed.map(({ manifest }) => findSegment(rig.jobs.ports.catalogue, manifest)),
  )
  return rows.filter((row) => row !== undefined)
}

type Packet = { pts_time: string; dts_time: string }

function probe(file: string, stream: 'v' | 'a'): Packet[] {
  const args = ['-v', 'error', '-select_streams', stream, '-show_entries', 'packet=pts_time,dts_time']
  const text = execFileSync('ffprobe', [...args, '-allowed_extensions', 'ALL', '-of', 'json', file])
  return (JSON.parse(text.toString()) as { packets: Packet[] }).packets
}

const spacing = (stamps: readonly number[]) => {
  const sorted = stamps.toSorted((a, b) => a - b)
  return sorted.slice(1).map((ms, i) => Math.round(ms - (sorted[i] ?? 0)))
}

describe.skipIf(!path)('a playlist of three segments with B-frames and sound', () => {
  const source = path ? movieSourceOf(path) : undefined

  test('gives FFmpeg every picture and every sound at its distance from the others', async () => {
    if (!source) throw new Error('no source')
    await using rig = await openApiRig()
    await using directory = await temporaryDirectory()
    const rows = await archive(rig, source)
    for (const row of rows)
      await writeFile(
        join(directory.path, `${segmentName(row)}.mp4`),
        await rig.jobs.read(row.media?.key ?? ''),
      )
    const playlist = hlsPlaylist(rows, {
      closed: true,
      fromMs: rows[0]?.from ?? 0,
      urlOf: (segment) => `${segment}.mp4`,
    })
    const file = join(directory.path, 'playlist.m3u8')
    await writeFile(file, playlist)

    expect(playlist).not.toContain('DISCONTINUITY')
    const pictures = probe(file, 'v').map(({ pts_time }) => Number(pts_time) * 1000)
    expect(spacing(pictures)).toEqual(spacing(source.video.samples.map(({ ptsMs }) => ptsMs)))
    const sounds = probe(file, 'a').map(({ pts_time }) => Number(pts_time) * 1000)
    expect(sounds).toHaveLength(source.audio?.samples.length ?? 0)
    const offset = (pictures[0] ?? 0) - (source.video.samples[0]?.ptsMs ?? 0)
    for (const [i, ms] of sounds.entries())
      expect(Math.abs(ms - (source.audio?.samples[i]?.ptsMs ?? 0) - offset)).toBeLessThan(3)
    // The sum of what the playlist says is the length of what there is.
    const lengths = [...playlist.matchAll(/#EXTINF:([\d.]+)/g)].map((match) => Number(match[1]) * 1000)
    const shownMs = Math.max(...pictures) - Math.min(...pictures)
    expect(Math.abs(lengths.reduce((sum, ms) => sum + ms, 0) - shownMs)).toBeLessThan(100)
  })

  test('each of them alone begins at 0, sound and picture together', async () => {
    if (!source) throw new Error('no source')
    await using rig = await openApiRig()
    await using directory = await temporaryDirectory()
    for (const row of await archive(rig, source)) {
      const file = join(directory.path, 'one.mp4')
      await writeFile(file, await rig.jobs.read(row.media?.key ?? ''))
      const first = (stream: 'v' | 'a') =>
        Math.min(...probe(file, stream).map(({ pts_time }) => Number(pts_time) * 1000))
      expect(Math.round(first('v'))).toBe(0)
      expect(Math.abs(first('a'))).toBeLessThan(100)
    }
  })

  test.skipIf(!chromiumPath())(
    'plays in Chromium without a hole, at the true time',
    { timeout: 60_000 },
    async () => {
      if (!source) throw new Error('no source')
      await using rig = await openApiRig()
      const rows = await archive(rig, source)
      await using server = await serve(rig)
      await using browser = await openBrowser({})
      const page = await browser.context.newPage()
      await page.goto(`${server.origin}/player.html`)
      const seen = await page.evaluate(watch, rows.length)

      const frameMs = 1000 / 24
      // With B-frames its first DTS lies before the first picture: it steps over that, and over nothing else.
      expect(seen.errors.filter((reason) => !/buffer holes, seeking from 0 to 0\.[01]/.test(reason))).toEqual(
        [],
      )
      expect(seen.ranges).toHaveLength(1)
      const wholeMs = spacing(source.video.samples.map(({ ptsMs }) => ptsMs)).reduce((sum, ms) => sum + ms, 0)
      const [start = 0, end = 0] = seen.ranges[0] ?? []
      expect(Math.abs(end * 1000 - start * 1000 - wholeMs)).toBeLessThan(3 * frameMs)
      // Wherever one looks, the player's date is the picture's: each segment's first picture is at its `from`.
      for (const { fragment, dateMs, startS } of seen.fragments) {
        expect(Math.abs(dateMs - (rows[fragment]?.from ?? 0))).toBeLessThan(frameMs)
        const trueS = ((rows[fragment]?.from ?? 0) - (rows[0]?.from ?? 0)) / 1000
        expect(Math.abs(startS - trueS) * 1000).toBeLessThan(frameMs)
      }
      expect(seen.pictures).toBeGreaterThan(0)

      const alone = await page.evaluate(openAlone, await segmentUrl(rig, rows[1]))
      expect(alone.error).toBe('')
      expect(alone.firstPictureS).toBeLessThan(0.001)
      expect(Math.abs(alone.durationS * 1000 - (rows[1]?.media?.durationMs ?? 0))).toBeLessThan(3 * frameMs)
    },
  )
})

const secret = 'a-secret-of-more-than-twenty-characters'

async function segmentUrl(rig: ApiRig, row: SegmentRow | undefined): Promise<string> {
  return await rig.jobs.ports.store.presignGet({ key: row?.media?.key ?? '', expiresS: 60 })
}

/** The API with a share of the recording, and a page with hls.js, at one origin. */
async function serve(rig: ApiRig): Promise<AsyncDisposable & { origin: string }> {
  const secretSha256 = createHash('sha256').update(secret).digest('hex')
  const share = { id: 'take~0123456789abcdef', secretSha256, createdAt: 0, createdBy: 'test' }
  await addShare(rig.jobs.ports.catalogue, { ...share, expiresAt: Number.MAX_SAFE_INTEGER })
  const script = createRequire(import.meta.url).resolve('hls.js/dist/hls.js')
  const api = getRequestListener(rig.fetch, { overrideGlobalObjects: false })
  const server = createServer((request, response) => {
    if (request.url === '/hls.js') createReadStream(script).pipe(response)
    else if (request.url === '/player.html')
      response.end('<!doctype html><video muted></video><script src="hls.js"></script>')
    else void api(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

type Fragment = { sn: number; startPTS: number; programDateTime: number | null }
type Hls = {
  loadSource(url: string): void
  attachMedia(video: HTMLVideoElement): void
  on(
    event: string,
    heard: (name: string, of: { frag: Fragment; details: string; reason?: string }) => void,
  ): void
}

/** In the page: loads the whole playlist and plays a second of it. */
async function watch(count: number) {
  const { Hls } = globalThis as unknown as { Hls: new (options: object) => Hls }
  const video = document.querySelector('video')
  if (!video) throw new Error('no video')
  const hls = new Hls({ maxBufferLength: 600, enableWorker: false })
  const errors: string[] = []
  const loaded = new Map<number, Fragment>()
  hls.on('hlsError', (_name, { details, reason }) => errors.push(reason ?? details))
  const all = new Promise<void>((resolve) => {
    hls.on('hlsFragBuffered', (_name, { frag }) => {
      if (typeof frag.sn === 'number') loaded.set(frag.sn, frag)
      if (loaded.size === count) resolve()
    })
    setTimeout(resolve, 20_000)
  })
  hls.loadSource('/s/a-secret-of-more-than-twenty-characters/playlist.m3u8')
  hls.attachMedia(video)
  await all
  await video.play()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { buffered } = video
  const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)])
  const fragments = [...loaded.values()].map(({ sn, startPTS, programDateTime }) => ({
    fragment: sn,
    startS: startPTS - (loaded.get(0)?.startPTS ?? 0),
    dateMs: programDateTime ?? 0,
  }))
  return { errors, ranges, fragments, pictures: video.getVideoPlaybackQuality().totalVideoFrames }
}

/** In the page: one segment's file by itself; the time of the first picture that is shown. */
async function openAlone(url: string) {
  const video = document.createElement('video')
  video.muted = true
  document.body.append(video)
  const first = new Promise<number>((resolve) => {
    video.requestVideoFrameCallback((_now, { mediaTime }) => resolve(mediaTime))
  })
  video.src = url
  const failed = new Promise<number>((resolve) => video.addEventListener('error', () => resolve(-1)))
  const firstPictureS = await Promise.race([first, failed])
  return { firstPictureS, durationS: video.duration, error: video.error?.message ?? '' }
}
