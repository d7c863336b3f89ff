import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCameraUri } from '../../agent/protocol/camera-uri.ts'
import { simRtsp } from '../../agent/sim/rtsp.ts'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { buildPage } from '../../web/build.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'

// `npm start` shows an IP camera where there is none: by RTSP with Digest, with stills, on the page, and only at its address.

describe('the simulated IP camera of the demonstration', () => {
  let program: Program
  beforeAll(async () => {
    await buildPage()
    program = await Program.start({
      args: ['--demo'],
      config: `rtmp: { port: null }\ngrpc: { port: null }\n`,
    })
  }, 60_000)
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
  })
  const info = (name: string) => program.json<StreamInfo>(`/agent/v1/streams/${name}`)

  test('is a stream from the start, fetched from when somebody wants it', async () => {
    const camera = await info('demo-camera')
    expect(camera.source).toMatch(/^hik:\/\/127\.0\.0\.1\/\*\*\*@main\?rtsp=\d+&http=\d+$/)
    expect(camera.camera?.state).toBe('idle')
  })

  test.skipIf(!hasProgram('ffmpeg'))('makes its own stills', async () => {
    const response = await program.fetch('/agent/v1/streams/demo-camera/snapshot', {
      method: 'POST',
      body: '{}',
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    expect((await response.bytes()).length).toBeGreaterThan(3000)
    expect((await info('demo-camera')).camera?.state).toBe('idle') // Nobody connected to its stream for that.
  })

  test('no other port of this machine is reached', async () => {
    await using other = await simRtsp({ port: await freePort() })
    const body = JSON.stringify({ source: other.url, ring: 'always' })
    await program.json('/agent/v1/streams/other', { method: 'PUT', body })
    const refused = async () => (await info('other')).camera?.state === 'offline'
    await program.until(refused, 10_000, 'it is refused')
    expect((await info('other')).camera?.reason).toMatch(/is this machine itself/)
    expect(other.playing).toBe(0)
  }, 20_000)

  test.skipIf(!chromiumPath())(
    'moves on the page, and is left when the page is',
    async () => {
      await using browser = await openBrowser({})
      const page = await browser.context.newPage()
      const { path } = await program.post<{ path: string }>('/agent/v1/login-links')
      await page.goto(`http://127.0.0.1:${program.port}${path}`)
      const video = page.locator('.tile', { hasText: 'demo-camera' }).locator('video')
      const time = () => video.evaluate((element: HTMLVideoElement) => element.currentTime)
      await expect.poll(time, { timeout: 30_000 }).toBeGreaterThan(1)
      expect((await info('demo-camera')).state).toBe('live')
      await page.goto('about:blank')
      const idle = async () => (await info('demo-camera')).camera?.state === 'idle'
      await program.until(idle, 30_000, 'nobody wants it')
    },
    90_000,
  )
})

describe('stills of a simulated camera', () => {
  const stillOf = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers })

  test('by ISAPI and CGI, to whom its login is known', async () => {
    const login = { user: 'admin', password: 's3cret' }
    await using camera = await simRtsp({ port: 0, stillsPort: 0, login })
    for (const vendor of ['hik', 'dahua'] as const) {
      const { stillUrl = '' } = parseCameraUri(camera.vendorUrl(vendor))
      const refused = await stillOf(stillUrl)
      expect(refused.status).toBe(401)
      expect(refused.headers.get('www-authenticate')).toMatch(/^Digest /)
      expect((await stillOf(stillUrl, { authorization: 'Digest username="admin"' })).status).toBe(401)
    }
  })

  test.skipIf(!hasProgram('ffmpeg'))('without a login they are anybody’s; other paths are none', async () => {
    await using camera = await simRtsp({ port: 0, stillsPort: 0 })
    const { stillUrl = '' } = parseCameraUri(camera.vendorUrl('dahua'))
    const seen = await stillOf(stillUrl)
    expect([seen.status, seen.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    expect(Buffer.from(await seen.arrayBuffer()).subarray(0, 2)).toEqual(Buffer.from('ffd8', 'hex'))
    expect((await stillOf(new URL('/cgi-bin/magicBox.cgi', stillUrl).href)).status).toBe(404)
  })
})
