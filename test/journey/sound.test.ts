import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import { simVehicle } from '../../agent/sim/vehicle.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { probePackets } from '../support/movie-judges.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { heard } from '../support/sound-units.ts'

// Sound that is not AAC, through the whole program: heard in a browser, and in the archive beside its pictures.

const run = promisify(execFile)
const ready = hasProgram('ffmpeg') && hasProgram('ffprobe')
if (!ready) console.log('skipped: FFmpeg is needed')
const sample = sharedPath('data', 'flv', 'xgplayer__h264_pcma_channel1_8000.flv')
const lengthS = 12

describe.skipIf(!ready)('sound that is not AAC', () => {
  let program: Program
  let directory = ''
  let rtmpPort = 0
  let vehiclePort = 0
  let token = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edgereel-sound-'))
    rtmpPort = await freePort()
    vehiclePort = await freePort()
    program = await Program.start({
      config: `rtmp: { port: ${rtmpPort} }
ring: { segmentSeconds: 4 }
vehicles: { live: { port: ${vehiclePort} } }
`,
    })
    token = await program.adminToken()
  })
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  const rtmp = (stream: string) => `rtmp://127.0.0.1:${rtmpPort}/live/${stream}?token=${token}`
  const http = (stream: string) => `http://127.0.0.1:${program.port}/live/${stream}.flv?token=${token}`
  const isLive = (stream: string) =>
    program.until(
      async () => {
        type Streams = { streams: { name: string; audio?: unknown }[] }
        const { streams } = await program.json<Streams>('/agent/v1/streams')
        return streams.some(({ name, audio }) => name === stream && audio !== undefined)
      },
      20_000,
      `${stream} with sound`,
    )

  describe.skipIf(!sample)('an IP camera with G.711, pushed by RTMP', () => {
    const stop = new AbortController()
    let publishing: Promise<unknown> | undefined
    beforeAll(async () => {
      publishing = simRtmp({ url: rtmp('pcma'), file: sample ?? '', signal: stop.signal })
      await isLive('pcma')
    })
    afterAll(async () => {
      stop.abort()
      await publishing
    })

    test.skipIf(!chromiumPath()).each(['http', 'ws'])(
      'mpegts.js in Chromium plays it over %s, with sound',
      async (scheme) => {
        await using browser = await openBrowser({})
        const page = await browser.context.newPage()
        const session = await browser.context.newCDPSession(page)
        await session.send('Page.setBypassCSP', { enabled: true })
        await page.goto(`http://127.0.0.1:${program.port}/healthz`)
        await page.setContent('<video muted></video>')
        await page.addScriptTag({ path: createRequire(import.meta.url).resolve('mpegts.js') })
        await page.evaluate(`
          window.faults = []
          const video = document.querySelector('video')
          const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: '${http('pcma').replace('http:', `${scheme}:`)}' })
          player.on(mpegts.Events.ERROR, (...error) => window.faults.push(error.join(' ')))
          player.on(mpegts.Events.MEDIA_INFO, (seen) => { window.seen = seen })
          player.attachMediaElement(video)
          window.began = performance.now()
          video.addEventListener('loadeddata', () => { window.pictureMs = performance.now() - window.began })
          const look = setInterval(() => {
            if (!(video.webkitAudioDecodedByteCount > 2000)) return
            window.soundMs = performance.now() - window.began
            clearInterval(look)
          }, 20)
          player.load()
          player.play()`)
        await page.waitForFunction(
          'document.querySelector("video").currentTime > 1.5 && window.soundMs > 0',
          undefined,
          {
            timeout: 30_000,
          },
        )
        const seen = await page.evaluate(
          `({ audio: window.seen.hasAudio, codec: window.seen.audioCodec, rate: window.seen.audioSampleRate,
             bytes: document.querySelector('video').webkitAudioDecodedByteCount,
             pictureMs: Math.round(window.pictureMs), soundMs: Math.round(window.soundMs), faults: window.faults })`,
        )
        console.log(scheme, JSON.stringify(seen))
        expect(seen).toMatchObject({ audio: true, codec: 'mp4a.40.2', rate: 32_000, faults: [] })
      },
      60_000,
    )

    test('a player of RTMP gets it as it came, one of HTTP-FLV gets AAC', async () => {
      const codecOf = async (url: string) => {
        const args = ['-v', 'error', '-select_streams', 'a', '-show_entries', 'stream=codec_name,sample_rate']
        const { stdout } = await run('ffprobe', [...args, '-of', 'csv=p=0', url])
        return stdout.trim()
      }
      expect(await codecOf(rtmp('pcma'))).toBe('pcm_alaw,8000')
      expect(await codecOf(http('pcma'))).toBe('aac,32000')
    }, 30_000)
  })

  test.each(['g711a', 'g711u'] as const)(
    'a vehicle with %s: its tone is heard over HTTP-FLV',
    async (sound) => {
      const stop = new AbortController()
      const sim = sound === 'g711a' ? '013912345678' : '013912345679'
      const driving = simVehicle({
        ...{ version: 2016, sound, clock: 'boot', host: '127.0.0.1', port: vehiclePort, sims: [sim] },
        ...{ channels: 1, signal: stop.signal },
      })
      await isLive(`${sim}01`)
      const args = [
        '-v',
        'error',
        '-i',
        http(`${sim}01`),
        '-vn',
        '-t',
        '3',
        '-ac',
        '1',
        '-ar',
        '8000',
        '-f',
        's16le',
        '-',
      ]
      const { stdout } = await run('ffmpeg', args, {
        encoding: 'buffer',
        maxBuffer: 1 << 24,
        timeout: 20_000,
      })
      stop.abort()
      await driving
      const pcm = new Int16Array(Uint8Array.from(stdout).buffer).subarray(8000, 16_000)
      const risings = pcm.filter((value, i) => value >= 0 && (pcm[i - 1] ?? 0) < 0).length
      expect(Math.abs(risings - 440)).toBeLessThan(5)
      expect(Math.max(...pcm)).toBeGreaterThan(6000)
    },
    60_000,
  )

  test('flash and click are together in the archive, as they were at the source', async () => {
    const file = join(directory, 'clapper.flv')
    await makeClapper(file, directory)
    const pushed = run('ffmpeg', [
      '-v',
      'error',
      '-re',
      '-i',
      file,
      '-c',
      'copy',
      '-f',
      'flv',
      rtmp('clapper'),
    ])
    await isLive('clapper')
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', {
      streams: ['clapper'],
      from: '-60s',
    })
    await pushed
    await sleep(500)
    await program.post(`/agent/v1/recordings/${id}/stop`)
    const detail = await program.ready(id, 180_000)
    const files = detail.streams[0]?.export.files ?? []
    expect(files).toHaveLength(1)
    expect(files[0]?.codec).toMatch(/^avc1\..*, mp4a\.40\.2$/)
    const response = await program.fetch(`/v1/recordings/${id}/download?stream=clapper&part=1`)
    const movie = await response.bytes()
    const flashes = flashesOf(movie)
    const clicks = clicksOf(movie)
    console.log(
      `flash → click, ms: ${clicks.map((ms, i) => (ms - (flashes[i] ?? Number.NaN)).toFixed(2)).join(' ')}`,
    )
    expect(flashes).toHaveLength(lengthS - 1)
    expect(clicks).toHaveLength(lengthS - 1)
    for (const [i, ms] of clicks.entries()) expect(Math.abs(ms - (flashes[i] ?? 0))).toBeLessThanOrEqual(2)
  }, 240_000)
})

test.skipIf(!ready || !sample)(
  'processes that only send to viewers are given AAC, too',
  async () => {
    const port = await freePort()
    await using program = await Program.start({ config: `rtmp: { port: ${port} }\nlive: { workers: 1 }\n` })
    const token = await program.adminToken()
    const stop = new AbortController()
    const url = `rtmp://127.0.0.1:${port}/live/pcma?token=${token}`
    const publishing = simRtmp({ url, file: sample ?? '', signal: stop.signal })
    type Streams = { streams: { name: string; audio?: unknown }[] }
    const hasSound = async () => {
      const { streams } = await program.json<Streams>('/agent/v1/streams')
      return streams.some(({ audio }) => audio !== undefined)
    }
    await program.until(hasSound, 20_000, 'sound')
    const args = ['-v', 'error', '-i', `http://127.0.0.1:${program.port}/live/pcma.flv?token=${token}`]
    const { stdout, stderr } = await run('ffmpeg', [...args, '-t', '3', '-f', 'framecrc', '-'], {
      timeout: 20_000,
    })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/#media_type 1: audio/)
    expect(stdout).toMatch(/#sample_rate 1: 32000/)
    expect(stdout.split('\n').filter((line) => line.startsWith('1,')).length).toBeGreaterThan(70)
    stop.abort()
    await publishing
  },
  90_000,
)

/** One white picture and a click at each second but the first: H.264 and G.711 A-law in one FLV. */
async function makeClapper(file: string, directory: string): Promise<void> {
  const pcm = new Int16Array(8000 * lengthS)
  for (let second = 1; second < lengthS; second += 1)
    for (let i = 0; i < 160; i += 1)
      pcm[second * 8000 + i] = Math.round(20_000 * Math.sin(i * 0.9) * (1 - i / 160))
  const sound = join(directory, 'clicks.pcm')
  await writeFile(sound, Buffer.from(pcm.buffer))
  const picture = `color=black:s=320x240:r=25,drawbox=c=white:t=fill:enable='gte(n,25)*not(mod(n,25))'`
  await run('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', picture, '-f', 's16le', '-ar', '8000', '-ac', '1', '-i', sound],
    ...[
      '-t',
      String(lengthS),
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-g',
      '25',
      '-bf',
      '0',
      '-pix_fmt',
      'yuv420p',
    ],
    ...['-c:a', 'pcm_alaw', '-f', 'flv', file],
  ])
}

function flashesOf(movie: Uint8Array): number[] {
  const args = ['-v', 'error', '-i', 'pipe:0', '-an', '-vsync', 'passthrough', '-vf', 'scale=1:1,format=gray']
  const luma = execFileSync('ffmpeg', [...args, '-f', 'rawvideo', 'pipe:1'], { input: movie })
  const times = probePackets(movie, 'v').filter(({ discard }) => !discard)
  return times.flatMap(({ ptsMs }, i) => ((luma[i] ?? 0) > 128 ? [ptsMs] : []))
}

/** Where a second of the sound becomes loud: the click begins 4 samples before its first top. */
function clicksOf(movie: Uint8Array): number[] {
  const rate = 8000
  const pcm = heard(movie, rate)
  const clicks: number[] = []
  for (let i = 0; i < pcm.length; i += 1) {
    if (Math.abs(pcm[i] ?? 0) < 6000) continue
    clicks.push((i * 1000) / rate)
    i += rate / 2
  }
  return clicks
}
