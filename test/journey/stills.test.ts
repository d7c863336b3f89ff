import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimRtsp, simRtsp } from '../../agent/sim/rtsp.ts'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { buildPage } from '../../web/build.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { repository } from '../support/modules.ts'
import { Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'

// Stills of the whole program: of a camera that makes its own, of a file over HTTP, of H.265, and in the page.

const run = promisify(execFile)
const ready = hasProgram('ffmpeg')
const password = 'p@ss:/w%rd'
const secret = encodeURIComponent(password)

/** What a Hikvision camera answers at its still's address. */
async function stillServer(jpeg: Buffer): Promise<Server> {
  const md5 = (text: string) => createHash('md5').update(text).digest('hex')
  const server = createServer((request, response) => {
    const wanted = '/ISAPI/Streaming/channels/101/picture?snapShotImageType=JPEG'
    const right = md5(`${md5(`admin:cam:${password}`)}:n1:${md5(`GET:${request.url}`)}`)
    if (!request.headers.authorization?.includes(right)) {
      response.writeHead(401, { 'www-authenticate': 'Digest realm="cam", nonce="n1"' }).end()
    } else if (request.url === wanted) response.writeHead(200, { 'content-type': 'image/jpeg' }).end(jpeg)
    else response.writeHead(404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

describe.skipIf(!ready)('stills', () => {
  let directory = ''
  let program: Program
  let camera: SimRtsp
  let stills: Server
  let files: Server
  const jpeg = Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex')

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edgereel-stills-'))
    const input = ['-f', 'lavfi', '-i', 'testsrc=s=320x180:r=10:d=180']
    const h265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:keyint=10']
    await run('ffmpeg', ['-v', 'error', ...input, ...h265, join(directory, 'h265.mp4')])
    camera = await simRtsp({ port: 0, login: { user: 'admin', password } })
    stills = await stillServer(jpeg)
    files = createServer((_, response) => response.end(Buffer.alloc(1000)))
    await once(files.listen(0, '127.0.0.1'), 'listening')
    program = await Program.start({
      config: [
        `cameras: { allow: ["127.0.0.0/8"], files: "${directory}" }`,
        'rtmp: { port: null }',
        'grpc: { port: null }',
        'streams:',
        `  h265: { source: "file://${directory}/h265.mp4", ring: always }`,
        `  hik: { source: "hik://127.0.0.1:8000/admin:${secret}@main?rtsp=${camera.port}&http=${portOf(stills)}" }`,
        `  wrong: { source: "hik://127.0.0.1:8000/admin:sesame@main?rtsp=${camera.port}&http=${portOf(stills)}" }`,
        `  plain: { source: "rtsp://admin:${secret}@127.0.0.1:${camera.port}/live" }`,
        `  noise: { source: "http://127.0.0.1:${portOf(files)}/x" }`,
        '  itself: { source: "rtsp://169.254.169.254/x" }',
      ].join('\n'),
    })
  }, 60_000)
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await camera?.[Symbol.asyncDispose]()
    stills?.close()
    files?.close()
    await rm(directory, { recursive: true, force: true })
  })

  const still = (stream: string) =>
    program.fetch(`/agent/v1/streams/${stream}/snapshot`, { method: 'POST', body: '{}' })

  test('a camera that makes its own is asked for it, without being connected', async () => {
    const response = await still('hik')
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.bytes()).equals(jpeg)).toBe(true)
    expect((await program.json<StreamInfo>('/agent/v1/streams/hik')).state).toBe('waiting')
  })

  test('a camera that does not is connected for its key frame, and let go', async () => {
    const response = await still('plain')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    expect((await response.bytes()).length).toBeGreaterThan(1000)
  }, 30_000)

  test.each([
    ['wrong', 412, /refuses the user name or the password/],
    ['noise', 400, /no video that can be read/],
    ['itself', 403, /metadata service/],
    ['nobody', 404, /no stream nobody/],
  ])(
    '%s: %i',
    async (stream, status, words) => {
      const response = await still(stream)
      const body = await response.text()
      expect(body).toMatch(words)
      expect(body).toMatch(/messageZh/)
      expect(response.status).toBe(status)
    },
    30_000,
  )

  test('of H.265, by the command line', async () => {
    const shown = async () => (await program.json<StreamInfo>('/agent/v1/streams/h265')).state === 'live'
    await program.until(shown, 20_000, 'the H.265 file')
    const out = join(directory, 'still.jpg')
    const cli = join(repository, 'agent/cli.ts')
    const { stdout } = await run(process.execPath, [
      cli,
      'snapshot',
      'h265',
      '-o',
      out,
      '--data',
      program.data,
    ])
    expect(stdout).toContain(out)
    const args = ['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', out]
    expect((await run('ffprobe', args)).stdout.trim()).toBe('mjpeg,320,180')
  }, 40_000)

  test('no list, no log and no error has a password', async () => {
    const lists = await Promise.all(
      ['/agent/v1/streams', '/agent/v1/stats', '/metrics'].map(async (path) =>
        (await program.fetch(path)).text(),
      ),
    )
    for (const text of [...lists, program.output]) {
      for (const word of ['sesame', password, secret, 'w%25rd']) expect(text).not.toContain(word)
    }
    expect(lists[0]).toContain('***@main')
  })

  test.skipIf(!chromiumPath())(
    'the page shows stills where the browser cannot decode',
    async () => {
      await buildPage()
      await using browser = await openBrowser({})
      const page = await browser.context.newPage()
      const { path } = await program.post<{ path: string }>('/agent/v1/login-links')
      await page.goto(`http://127.0.0.1:${program.port}${path}`)
      await page.getByRole('heading', { name: 'h265' }).waitFor({ timeout: 20_000 })
      const image = page.locator('.tile .still[alt="h265"]')
      await image.waitFor({ state: 'visible', timeout: 20_000 })
      const first = await image.getAttribute('src')
      await expect.poll(() => image.getAttribute('src'), { timeout: 10_000 }).not.toBe(first)
      await expect
        .poll(() => image.evaluate((element: HTMLImageElement) => element.naturalWidth), { timeout: 10_000 })
        .toBe(320)
    },
    60_000,
  )
})
