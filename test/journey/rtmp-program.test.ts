import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'
import { picturesOf, playByVlc } from '../support/vlc.ts'

// Other people's encoders and players at the whole program (docs/judges.md): what they decode, and that they are content.

const run = promisify(execFile)
const programs = ['ffmpeg', 'ffplay', 'gst-launch-1.0', 'rtmpdump', 'mpv', 'cvlc'] as const
const missing = programs.filter((name) => !hasProgram(name))
if (missing.length > 0) console.log(`skipped: ${missing.join(', ')} not installed`)
const has = (name: (typeof programs)[number]) => !missing.includes(name)

describe.skipIf(!has('ffmpeg'))('the whole program', () => {
  let program: Program
  let directory = ''
  let source = ''
  let rtmpPort = 0
  let token = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edgereel-judges-'))
    source = join(directory, 'source.flv')
    const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25', '-f', 'lavfi', '-i', 'sine=f=440:r=44100']
    const codecs = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p']
    await run('ffmpeg', ['-v', 'error', ...inputs, '-t', '3', ...codecs, '-c:a', 'aac', source])
    rtmpPort = await freePort()
    program = await Program.start({ config: `rtmp: { port: ${rtmpPort} }\n` })
    token = await program.adminToken()
  })
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  const rtmp = (stream: string) => `rtmp://127.0.0.1:${rtmpPort}/live/${stream}?token=${token}`
  const http = (stream: string) => `http://127.0.0.1:${program.port}/live/${stream}.flv?token=${token}`
  const unitsOf = async (stream: string) => {
    const { streams } = await program.json<{ streams: { name: string; units: number }[] }>(
      '/agent/v1/streams',
    )
    return streams.find(({ name }) => name === stream)?.units ?? 0
  }
  const refused = async () => {
    const text = await (await program.fetch('/metrics')).text()
    return [...text.matchAll(/^edgereel_rtmp_refused_units_total\{.*\} (\d+)$/gm)].map(([, n]) => Number(n))
  }

  describe('encoders: all that they send is taken', () => {
    const gst = (sink: string, url: string) => {
      const pipeline = `filesrc location=${source} ! flvdemux name=d flvmux streamable=true name=m
        d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m. m. ! ${sink} location=${url}`
      return ['-q', ...pipeline.split(/\s+/)]
    }
    test.each([
      ['FFmpeg', 'ffmpeg', (url: string) => ['-v', 'error', '-i', source, '-c', 'copy', '-f', 'flv', url]],
      ['GStreamer rtmp2sink', 'gst-launch-1.0', (url: string) => gst('rtmp2sink', url)],
      ['GStreamer rtmpsink', 'gst-launch-1.0', (url: string) => gst('rtmpsink', url)],
    ] as const)('%s', async (name, command, args) => {
      if (!has(command)) return
      const stream = name.replaceAll(' ', '-')
      await run(command, args(rtmp(stream)))
      await expect.poll(() => unitsOf(stream), { timeout: 10_000 }).toBeGreaterThanOrEqual(75 + 129)
      expect(await refused()).toEqual([0, 0, 0, 0])
    })
  })

  describe('players: the first picture decodes, no word of complaint', () => {
    const stop = new AbortController()
    beforeAll(async () => {
      simRtmp({ url: rtmp('cam'), file: source, signal: stop.signal }).catch(() => undefined)
      await program.until(async () => (await unitsOf('cam')) > 50, 20_000, 'pictures of cam')
    })
    afterAll(() => stop.abort())

    async function decodes(file: string, pictures: number): Promise<void> {
      const counted = ['-map', '0:v', '-map', '0:a?', '-frames:v', String(pictures), '-f', 'framecrc', '-']
      const { stdout, stderr } = await run('ffmpeg', ['-v', 'error', '-i', file, ...counted])
      expect(stderr).toBe('')
      expect(stdout.split('\n').filter((line) => /^0,/.test(line))).toHaveLength(pictures)
      expect(stdout).toMatch(/^1,/m)
    }

    test.each([
      ['RTMP', rtmp],
      ['HTTP-FLV', http],
    ] as const)('FFmpeg, %s', (_name, url) => decodes(url('cam'), 50))

    test.skipIf(!has('rtmpdump'))('rtmpdump', async () => {
      const file = join(directory, 'rtmpdump.flv')
      const url = `rtmp://127.0.0.1:${rtmpPort}/live`
      const args = ['-q', '--live', '-r', url, '-y', `cam?token=${token}`, '-o', file]
      await run('rtmpdump', args, { timeout: 4000 }).catch(() => undefined) // It has no end of its own.
      await decodes(file, 40)
    })

    test.skipIf(!has('gst-launch-1.0')).each([
      ['rtmp2src', ''],
      ['rtmpsrc', ' live=1'],
    ])('GStreamer %s', async (element, more) => {
      const from = [element, `location=${rtmp('cam')}${more}`, 'num-buffers=90']
      const decode = '! flvdemux name=d d.video ! queue ! decodebin ! fakesink d.audio ! queue ! fakesink'
      const { stderr } = await run('gst-launch-1.0', ['-q', ...from, ...decode.split(' ')])
      expect(stderr).toBe('')
    })

    test.skipIf(!has('mpv')).each([
      ['RTMP', rtmp],
      ['HTTP-FLV', http],
    ] as const)('mpv, %s', async (_name, url) => {
      const args = ['--no-config', '--vo=null', '--ao=null', '--frames=40', '--msg-level=all=warn']
      const { stdout, stderr } = await run('mpv', [...args, url('cam')])
      expect(stdout + stderr).toBe('')
    })

    test.skipIf(!has('ffplay')).each([
      ['RTMP', rtmp],
      ['HTTP-FLV', http],
    ] as const)('ffplay, %s', async (_name, url) => {
      const env = { ...process.env, SDL_VIDEODRIVER: 'dummy', SDL_AUDIODRIVER: 'dummy' }
      const args = ['-v', 'error', '-stats', url('cam')]
      const played = run('ffplay', args, { env, timeout: 8000 })
      const words = await played.catch(({ stderr }: { stderr: string }) => stderr) // It has no end of its own.
      const lines = String(words)
        .split(/[\r\n]+/)
        .map((line) => line.trim())
      const clock = /^(\S+) +(?:A-V|M-V|M-A)?:/ // Its position in the stream, and what it holds.
      expect(lines.filter((line) => line !== '' && !clock.test(line))).toEqual([])
      const positions = lines.map((line) => Number(clock.exec(line)?.[1])).filter(Number.isFinite)
      expect((positions.at(-1) ?? 0) - (positions[0] ?? 0)).toBeGreaterThan(1)
    })

    test.skipIf(!has('cvlc')).each([
      ['RTMP', rtmp],
      ['HTTP-FLV', http],
    ] as const)('VLC, %s', async (_name, url) => {
      const { pictures, soundBytes, complaints } = await playByVlc(url('cam'), 40)
      expect(complaints).toEqual([])
      expect(soundBytes).toBeGreaterThan(44_100)
      const sent = await picturesOf(source)
      const shown = pictures.map((picture) => sent.indexOf(picture))
      expect(shown.length).toBeGreaterThanOrEqual(40)
      // Each is one of the source's, to the bit, and the next or the same again: nothing is missing, nothing broken.
      const steps = shown.slice(1).map((at, i) => (at - (shown[i] ?? 0) + sent.length) % sent.length)
      expect(shown).not.toContain(-1)
      expect(steps.filter((step) => step > 1)).toEqual([])
    })

    describe.skipIf(!chromiumPath())('mpegts.js in Chromium', () => {
      test.each(['http', 'ws'])('over %s, with sound', async (scheme) => {
        await using browser = await openBrowser({})
        const page = await browser.context.newPage()
        const complaints: string[] = []
        page.on('console', (message) => {
          const isIcon = message.location().url.endsWith('/favicon.ico') // Of a page that is none.
          if (message.type() === 'error' && !isIcon) complaints.push(message.text())
        })
        const session = await browser.context.newCDPSession(page)
        await session.send('Page.setBypassCSP', { enabled: true })
        await page.goto(`http://127.0.0.1:${program.port}/healthz`)
        await page.setContent('<video muted></video>')
        await page.addScriptTag({ path: createRequire(import.meta.url).resolve('mpegts.js') })
        const url = http('cam').replace('http:', `${scheme}:`)
        await page.evaluate(`
          window.faults = []
          const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: '${url}' })
          player.on(mpegts.Events.ERROR, (...error) => window.faults.push(error.join(' ')))
          player.on(mpegts.Events.MEDIA_INFO, (seen) => { window.seen = seen })
          player.attachMediaElement(document.querySelector('video'))
          player.load()
          player.play()`)
        await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1, undefined, {
          timeout: 20_000,
        })
        expect(
          await page.evaluate('[window.seen.hasVideo, window.seen.hasAudio, window.seen.width]'),
        ).toEqual([true, true, 320])
        expect(await page.evaluate('window.faults')).toEqual([])
        expect(complaints).toEqual([])
      })
    })
  })
})
