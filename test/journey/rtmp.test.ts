import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { FlvParser } from '../../shared/media/flv.ts'
import { RtmpClient } from '../support/rtmp-client.ts'
import { openRtmpRig } from '../support/rtmp-rig.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'

const run = promisify(execFile)
const programs = ['ffmpeg', 'ffprobe', 'gst-launch-1.0', 'rtmpdump', 'mpv'] as const
const missing = programs.filter((name) => !hasProgram(name))
if (missing.length > 0) console.warn(`RTMP journeys without ${missing.join(', ')}: not installed`)
const has = (name: (typeof programs)[number]) => !missing.includes(name)

let directory = ''
let source = ''
let rig: Awaited<ReturnType<typeof openRtmpRig>>

/** Three seconds at 25 pictures a second, with B-frames and AAC. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edgereel-rtmp-'))
  source = join(directory, 'source.flv')
  if (!has('ffmpeg')) return
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25', '-f', 'lavfi', '-i', 'sine=f=440:r=44100']
  const codecs = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '25', '-c:a', 'aac']
  await run('ffmpeg', ['-v', 'error', ...inputs, '-t', '3', ...codecs, source])
})
afterAll(() => rm(directory, { recursive: true }))
beforeEach(async () => {
  rig = await openRtmpRig()
})
afterEach(() => rig[Symbol.asyncDispose]())

type Times = { dts: number; pts: number }

/** In milliseconds, as FFmpeg reads them. */
function probe(path: string, track: 'v' | 'a'): Times[] {
  const args = [
    '-v',
    'quiet',
    '-select_streams',
    track,
    '-show_entries',
    'packet=pts,dts',
    '-of',
    'json',
    path,
  ]
  return JSON.parse(execFileSync('ffprobe', args, { maxBuffer: 1e8 }).toString()).packets
}

/** Relative to the first picture's decoding time. */
function spacing(video: readonly Times[], audio: readonly Times[]) {
  const zero = video[0]?.dts ?? 0
  const shown = (list: readonly Times[]) => list.map(({ dts, pts }) => [dts - zero, pts - zero])
  return { video: shown(video), audio: shown(audio) }
}

function timesOf(units: readonly AccessUnit[]) {
  const of = (track: string) =>
    units.filter((unit) => unit.track === track).map(({ dtsMs, ptsMs }) => ({ dts: dtsMs, pts: ptsMs }))
  return spacing(of('video'), of('audio'))
}

function expectWhole(units: readonly AccessUnit[], path = source): void {
  const [got, wanted] = [timesOf(units), spacing(probe(path, 'v'), probe(path, 'a'))]
  expect(got.video).toEqual(wanted.video)
  expect(got.audio).toHaveLength(wanted.audio.length)
  // Stamps are rounded to milliseconds; ours count samples from the first of them.
  got.audio.forEach(([, pts = 0], i) => {
    expect(Math.abs(pts - (wanted.audio[i]?.[1] ?? 0))).toBeLessThanOrEqual(1)
  })
  expect(rig.ingest.refused).toEqual({
    'bad-picture': 0,
    'bad-sound': 0,
    'no-configuration': 0,
    'bad-metadata': 0,
  })
  expect(new Set(units.map(({ epoch }) => epoch))).toEqual(new Set([0]))
}

const gone = () => expect.poll(() => rig.hub.stream('cam')?.state, { timeout: 10_000 }).toBe('waiting')

describe('publishers: every picture and every frame at its time', () => {
  test.skipIf(!has('ffmpeg'))('FFmpeg', async () => {
    await run('ffmpeg', [
      '-v',
      'error',
      '-re',
      '-i',
      source,
      '-c',
      'copy',
      '-f',
      'flv',
      rig.url('cam', 'publisher:cam'),
    ])
    await gone()
    expectWhole(rig.units)
  })

  test.skipIf(!has('ffmpeg') || !has('gst-launch-1.0')).each(['rtmp2sink', 'rtmpsink'])(
    'GStreamer %s',
    async (sink) => {
      const url = rig.url('cam', 'publisher:cam')
      // Its muxer has its own idea of decoding times: what it would write to a file is what must arrive.
      const muxed = join(directory, 'gst.flv')
      const pipeline = `filesrc location=${source} ! flvdemux name=d flvmux streamable=true name=m
        d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m. m. ! `
      const launch = (out: string) => run('gst-launch-1.0', ['-q', ...`${pipeline}${out}`.split(/\s+/)])
      await launch(`filesink location=${muxed}`)
      await launch(`${sink} location=${url}`)
      await gone()
      expectWhole(rig.units, muxed)
    },
  )

  test.skipIf(!has('ffmpeg'))('sim rtmp', async () => {
    const { signal } = new AbortController()
    await simRtmp({
      url: rig.url('cam'),
      token: 'publisher:cam',
      file: source,
      once: true,
      speed: 2,
      digest: true,
      signal,
    })
    await gone()
    expectWhole(rig.units)
  })

  test('sim rtmp with the built-in clip, round after round', async () => {
    const stop = new AbortController()
    const sim = simRtmp({ url: rig.url('cam', 'admin'), speed: 20, signal: stop.signal, clock: 'epoch' })
    await expect.poll(() => rig.units.length, { timeout: 10_000 }).toBeGreaterThan(300)
    stop.abort()
    await sim
    const dts = rig.units.map(({ dtsMs }) => dtsMs)
    expect(new Set(dts.slice(1, 300).map((ms, i) => ms - (dts[i] ?? 0)))).toEqual(new Set([40]))
  })

  test.skipIf(!has('ffmpeg'))('FFmpeg with a wrong token is told why', async () => {
    const push = run('ffmpeg', [
      '-v',
      'error',
      '-i',
      source,
      '-c',
      'copy',
      '-f',
      'flv',
      rig.url('cam', 'wrong'),
    ])
    await expect(push).rejects.toThrow(/needs a token/)
  })
})

describe.skipIf(!has('ffmpeg'))('players: the first picture decodes, no word of complaint', () => {
  let stop: AbortController
  let url = ''
  beforeEach(async () => {
    stop = new AbortController()
    url = rig.url('cam', 'viewer:cam')
    simRtmp({ url: rig.url('cam', 'publisher:cam'), file: source, signal: stop.signal }).catch(
      () => undefined,
    )
    await expect.poll(() => rig.units.length, { timeout: 10_000 }).toBeGreaterThan(0)
  })
  afterEach(() => stop.abort())

  const decodes = async (file: string, limit = 30) => {
    const counted = ['-map', '0:v', '-frames:v', String(limit), '-f', 'framecrc', '-']
    const { stdout, stderr } = await run('ffmpeg', ['-v', 'error', '-i', file, ...counted])
    expect(stderr).toBe('')
    expect(stdout.split('\n').filter((line) => /^0,/.test(line)).length).toBe(limit)
  }

  test('FFmpeg', () => decodes(url))

  test('FFmpeg sees the times that were sent', async () => {
    const file = join(directory, 'pulled.flv')
    await run('ffmpeg', ['-v', 'error', '-i', url, '-t', '1.5', '-c', 'copy', '-y', file])
    const first = probe(file, 'v')
    const steps = first.slice(1).map(({ dts }, i) => dts - (first[i]?.dts ?? 0))
    expect(new Set(steps)).toEqual(new Set([40]))
    expect(new Set(first.map(({ dts, pts }) => pts - dts)).size).toBeGreaterThan(1)
  })

  test.skipIf(!has('rtmpdump'))('rtmpdump', async () => {
    const file = join(directory, 'rtmpdump.flv')
    const [path, token] = url.split('?')
    const args = ['-q', '--live', '-r', String(path?.replace('/cam', '')), '-y', `cam?${token}`, '-o', file]
    await run('rtmpdump', args, { timeout: 3000 }).catch(() => undefined) // It has no end of its own.
    const tags = new FlvParser().push(await readFile(file))
    expect(tags.filter(({ kind }) => kind === 'video').length).toBeGreaterThan(40)
    await decodes(file)
  })

  test.skipIf(!has('gst-launch-1.0')).each([
    ['rtmp2src', ''],
    ['rtmpsrc', ' live=1'],
  ])('GStreamer %s', async (element, more) => {
    const file = join(directory, `${element}.flv`)
    const src = [element, `location=${url}${more}`, 'num-buffers=60']
    await run('gst-launch-1.0', ['-q', ...src, '!', 'filesink', `location=${file}`])
    await decodes(file, 10)
  })

  test.skipIf(!has('mpv'))('mpv', async () => {
    const { stdout } = await run('mpv', [
      '--no-config',
      '--vo=null',
      '--ao=null',
      '--frames=25',
      '--msg-level=all=warn',
      url,
    ])
    expect(stdout).toBe('')
  })

  test('a viewer that stops reading is skipped and ended, the others see everything', async () => {
    const stalled = await RtmpClient.open(url, 'play')
    stalled.socket.pause()
    await using good = await RtmpClient.open(url, 'play')
    await expect.poll(() => good.tags.length, { timeout: 10_000 }).toBeGreaterThan(100)
    const times = good.tags
      .filter(({ kind, body }) => kind === 'video' && body[1] === 1)
      .map((tag) => tag.timestampMs)
    expect(new Set(times.slice(1).map((ms, i) => ms - (times[i] ?? 0)))).toEqual(new Set([40]))
    await stalled[Symbol.asyncDispose]()
  })
})

test.skipIf(!sharedPath('data/flv'))('H.265 goes in and out as Enhanced hvc1', async () => {
  const stop = new AbortController()
  const file = sharedPath('data/flv', 'ff81_hevc_aac.flv') ?? ''
  const sim = simRtmp({ url: rig.url('cam', 'admin'), file, speed: 5, signal: stop.signal })
  await expect.poll(() => rig.units.length, { timeout: 10_000 }).toBeGreaterThan(0)
  await using player = await RtmpClient.open(rig.url('cam', 'admin'), 'play')
  await expect.poll(() => player.tags.length, { timeout: 10_000 }).toBeGreaterThan(100)
  stop.abort()
  await sim
  expect(rig.hub.stream('cam')?.video?.codec).toBe('h265')
  const video = player.tags.filter(({ kind }) => kind === 'video')
  expect(Buffer.from(video[0]?.body.subarray(0, 5) ?? []).toString('latin1')).toBe('\x90hvc1')
})
