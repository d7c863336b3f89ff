import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../support/program.ts'
import { filmingCamera, openRtspRig, until } from '../support/rtsp-rig.ts'
import { hasProgram } from '../support/shared-data.ts'

const run = promisify(execFile)
const python = '/usr/bin/python3' // Debian's, which has the GStreamer bindings.
const script = resolve(import.meta.dirname, '../support/gst_rtsp.py')
const bindings = "import gi; gi.require_version('GstRtspServer', '1.0')"
const hasGst = spawnSync(python, ['-c', bindings]).status === 0
const hasFfmpeg = hasProgram('ffmpeg')
if (!hasGst || !hasFfmpeg) console.warn('RTSP judges: ffmpeg or gir1.2-gst-rtsp-server-1.0 is not installed')

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edgereel-rtsp-'))
  if (!hasFfmpeg) return
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25', '-f', 'lavfi', '-i', 'sine=f=440:r=44100']
  const cut = ['-t', '4', '-g', '25', '-bf', '2', '-c:a', 'aac']
  const make = (name: string, ...codec: string[]) =>
    run('ffmpeg', ['-v', 'error', ...inputs, ...codec, ...cut, join(directory, name)])
  await make('h264.mp4', '-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', 'slices=4')
  await make('h265.mp4', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none')
})
afterAll(() => rm(directory, { recursive: true }))

let stack = new AsyncDisposableStack()
afterEach(async () => {
  const closing = stack
  stack = new AsyncDisposableStack()
  await closing.disposeAsync()
})

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
}

/** `args`: user, password and transport. */
async function gstreamer(launch: string, ...args: string[]): Promise<number> {
  const port = await freePort()
  const child = spawn(python, [script, String(port), launch, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  stack.defer(() => ended(child))
  let said = ''
  child.stdout.on('data', (bytes) => {
    said += bytes
  })
  await until(() => said.includes('ready'), 'GStreamer listens')
  return port
}

type Packet = { pts_time: string; dts_time: string }

/** Milliseconds, in decode order, from the first. */
function shown(path: string, track: 'v' | 'a'): number[] {
  const args = [
    '-v',
    'quiet',
    '-select_streams',
    track,
    '-show_entries',
    'packet=pts_time',
    '-of',
    'json',
    path,
  ]
  const { packets } = JSON.parse(execFileSync('ffprobe', args).toString()) as { packets: Packet[] }
  return packets.map(({ pts_time }) => Number(pts_time) * 1000)
}

const fromFirst = (list: readonly number[]) => list.map((ms) => ms - (list[0] ?? 0))
const fileOf = (name: string) => join(directory, name)
const lanes = (name: string, parse: string, pay: string, sound = 'rtpmp4gpay') =>
  `( filesrc location=${fileOf(name)} ! qtdemux name=d d.video_0 ! queue ! ${parse} ! ${pay} name=pay0 pt=96 ` +
  `d.audio_0 ! queue ! aacparse ! ${sound} name=pay1 pt=97 )`

describe.runIf(hasGst && hasFfmpeg)('GStreamer as the camera', () => {
  test.each([
    ['h264.mp4', 'h264parse', 'rtph264pay', 'tcp'],
    ['h264.mp4', 'h264parse', 'rtph264pay aggregate-mode=zero-latency', 'udp'],
    ['h265.mp4', 'h265parse', 'rtph265pay', 'tcp'],
    ['h265.mp4', 'h265parse', 'rtph265pay aggregate-mode=zero-latency', 'udp'],
    ['h264.mp4', 'h264parse', 'rtph264pay', 'tcp', 'rtpmp4apay'],
  ])(
    '%s by %s, %s, %s: every picture at its time, with its sound',
    async (name, parse, pay, transport, payOfSound?: string) => {
      const port = await gstreamer(lanes(name, parse, pay, payOfSound), 'admin', 'a:b@c/d', transport)
      const rig = stack.use(openRtspRig())
      const suffix = transport === 'udp' ? '#udp' : ''
      rig.sources.set('cam', `rtsp://admin:a%3Ab%40c%2Fd@127.0.0.1:${port}/cam${suffix}`)
      using _ = rig.sources.hold('cam')
      const wanted = fromFirst(shown(fileOf(name), 'v'))
      // The payloader of H.264 holds the last picture back until it sees the next.
      await until(() => rig.pictures('cam').length >= wanted.length - 1, 'all pictures came')
      const units = rig.units('cam').filter(({ epoch }) => epoch === 0)
      const pictures = units.filter(({ track }) => track === 'video')
      const far = fromFirst(pictures.map(({ ptsMs }) => ptsMs)).filter(
        (ms, i) => Math.abs(ms - (wanted[i] ?? 0)) > 1,
      )
      expect(far).toEqual([])
      expect(pictures.some(({ damaged }) => damaged)).toBe(false)
      expect(rig.gaps('cam').filter(({ cause }) => cause !== 'source-lost')).toEqual([])
      // From the sender reports on sound is where the file has it, within a frame.
      const zero = (pictures[0]?.ptsMs ?? 0) - (shown(fileOf(name), 'v')[0] ?? 0)
      const sound = units.filter(({ track }) => track === 'audio').map(({ ptsMs }) => ptsMs - zero)
      const frames = shown(fileOf(name), 'a')
      expect(sound.length).toBeGreaterThan(150)
      const late = sound.slice(sound.length / 2)
      const off = late.filter((ms) => Math.min(...frames.map((frame) => Math.abs(frame - ms))) > 24)
      expect(off).toEqual([])
    },
  )

  test('G.711, and two at once, one of them with a wrong password', async () => {
    const launch =
      '( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! openh264enc gop-size=25 ! ' +
      'h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 audiotestsrc is-live=true ! ' +
      'audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )'
    const port = await gstreamer(launch, 'admin', 'right')
    const rig = stack.use(openRtspRig())
    rig.sources.set('bad', `rtsp://admin:wrong@127.0.0.1:${port}/cam`)
    rig.sources.set('good', `rtsp://admin:right@127.0.0.1:${port}/cam`)
    using _bad = rig.sources.hold('bad')
    using _good = rig.sources.hold('good')
    await until(() => rig.sources.info('bad')?.status.error?.kind === 'Unauthenticated', 'it was refused')
    await until(() => rig.pictures('good').length > 50, 'pictures came')
    const sound = rig.units('good').filter(({ track }) => track === 'audio')
    expect(sound[0]?.config).toMatchObject({ codec: 'g711a', sampleRate: 8000, channels: 1 })
  })
})

describe.runIf(hasFfmpeg)('FFmpeg watches the simulated camera', () => {
  test.each(['tcp', 'udp'])('by %s, with Digest', async (transport) => {
    const login = { user: 'admin', password: 'p@ss' }
    const camera = stack.use(await filmingCamera({ login }))
    const url = camera.url.replace('//', '//admin:p%40ss@')
    const to = join(directory, `${transport}.mkv`)
    await run('ffmpeg', ['-v', 'error', '-rtsp_transport', transport, '-i', url, '-t', '2', '-c', 'copy', to])
    // FFmpeg's parser gives the first picture no stamp of its own.
    const got = fromFirst(shown(to, 'v').slice(1))
    expect(got.length).toBeGreaterThan(30)
    const [first] = camera.sent
    const sent = camera.sent.map(({ timestamp }) => ((timestamp - (first?.timestamp ?? 0)) >>> 0) / 90)
    const runs = sent.map((_, at) => fromFirst(sent.slice(at, at + got.length)))
    const fits = runs.some((times) => got.every((ms, i) => Math.abs(ms - (times[i] ?? Number.NaN)) <= 1))
    expect(fits).toBe(true)
  })
})
