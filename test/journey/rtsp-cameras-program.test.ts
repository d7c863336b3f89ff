import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'
import { spacings } from '../support/takes.ts'

// Other people's RTSP servers as cameras of the whole program: one that is killed and comes back, one that stalls, one
// that two captures share, one with a wrong password; and VLC. What they sent is in the archive, at its time.

const run = promisify(execFile)
const python = '/usr/bin/python3' // Debian's, which has the GStreamer bindings.
const script = resolve(import.meta.dirname, '../support/gst_rtsp.py')
const hasGst = spawnSync(python, ['-c', "import gi; gi.require_version('GstRtspServer', '1.0')"]).status === 0
const hasFfmpeg = hasProgram('ffmpeg') && hasProgram('ffprobe')
const hasVlc = hasProgram('cvlc')
if (!hasGst || !hasFfmpeg || !hasVlc)
  console.warn('RTSP servers as cameras: FFmpeg, VLC or gir1.2-gst-rtsp-server-1.0 is not installed')

const testCard =
  '( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! openh264enc gop-size=25 ! ' +
  'h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )'

class Server implements AsyncDisposable {
  readonly port: number
  #child: ChildProcess | undefined

  constructor(port: number) {
    this.port = port
  }

  async start(): Promise<void> {
    const args = [script, String(this.port), testCard, 'admin', 's3cret']
    const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#child = child
    await new Promise<void>((ready) => child.stdout.once('data', () => ready()))
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL')
  }
}

async function vlc(directory: string, port: number): Promise<AsyncDisposable> {
  const file = join(directory, 'film.mp4')
  const input = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25:d=30', '-g', '25', '-bf', '2']
  await run('ffmpeg', ['-v', 'error', ...input, '-c:v', 'libx264', '-preset', 'veryfast', file])
  await chmod(directory, 0o777)
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {} // It refuses to run as root.
  const sout = `#rtp{sdp=rtsp://127.0.0.1:${port}/film}`
  const env = { ...process.env, HOME: directory }
  const child = spawn('cvlc', ['-q', file, '--sout', sout], { ...nobody, env, stdio: 'ignore' })
  return { [Symbol.asyncDispose]: async () => void child.kill('SIGKILL') }
}

describe.skipIf(!hasGst || !hasFfmpeg || !hasVlc)('RTSP servers of others as cameras', () => {
  const stack = new AsyncDisposableStack()
  const servers = new Map<string, Server>()
  let directory = ''
  let vlcPort = 0
  let program: Program
  let detail: RecordingDetail

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edgereel-servers-'))
    stack.defer(() => rm(directory, { recursive: true, force: true }))
    for (const name of ['killed', 'stalled', 'shared']) {
      const server = stack.use(new Server(await freePort()))
      await server.start()
      servers.set(name, server)
    }
    vlcPort = await freePort()
    const portOf = (name: string) => servers.get(name)?.port
    const gst = (name: string, server: string, password = 's3cret') =>
      `  ${name}: { source: "rtsp://admin:${password}@127.0.0.1:${portOf(server)}/cam" }`
    program = stack.use(
      await Program.start({
        config: [
          'rtmp: { port: null }',
          'grpc: { port: null }',
          'cameras: { allow: [127.0.0.0/8] }',
          'streams:',
          ...[gst('killed', 'killed'), gst('stalled', 'stalled')],
          ...[gst('shared-a', 'shared'), gst('shared-b', 'shared'), gst('wrong', 'shared', 'nonsense')],
          `  vlc: { source: "rtsp://127.0.0.1:${vlcPort}/film#udp" }`,
          `  vlc-tcp: { source: "rtsp://127.0.0.1:${vlcPort}/film" }`,
        ].join('\n'),
      }),
    )
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  const info = (name: string) => program.json<StreamInfo>(`/agent/v1/streams/${name}`)
  const stream = (name: string) => {
    const found = detail.streams.find((one) => one.name === name)
    if (!found) throw new Error(`no stream ${name}`)
    return found
  }
  async function times(name: string): Promise<number[]> {
    const csv = await program.fetch(`/v1/recordings/${detail.id}/timestamps.csv?stream=${name}`)
    const [head = '', ...rows] = (await csv.text()).trim().split('\n')
    const column = head.split(',').indexOf('pts_ms')
    return rows.map((row) => Number(row.split(',')[column])).sort((a, b) => a - b)
  }
  // This server sends from the middle of a GOP: what comes before the first key frame is a gap before all pictures.
  /** Where the next picture is not 40 ms behind the last, within a millisecond of what the stamps say. */
  const holes = (list: readonly number[]) => spacings(list).filter((ms) => Math.abs(ms - 40) > 1)

  test('are recorded together, whatever befalls them', async () => {
    stack.use(await vlc(directory, vlcPort))
    await sleep(1500)
    const streams = ['killed', 'stalled', 'shared-a', 'shared-b', 'wrong', 'vlc', 'vlc-tcp']
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams })
    const live = async (name: string) => (await info(name)).camera?.state === 'live'
    for (const name of ['killed', 'stalled', 'shared-a', 'shared-b', 'vlc'])
      await program.until(() => live(name), 20_000, `${name} is live`)
    await sleep(4000)
    servers.get('killed')?.signal('SIGKILL')
    servers.get('stalled')?.signal('SIGSTOP')
    await program.until(async () => !(await live('killed')), 10_000, 'the killed one is missed')
    await servers.get('killed')?.start()
    await program.until(async () => !(await live('stalled')), 20_000, 'the stalled one is missed')
    expect((await info('stalled')).camera?.reason).toMatch(/connected but sent no pictures for 10 s/)
    servers.get('stalled')?.signal('SIGCONT')
    for (const name of ['killed', 'stalled']) await program.until(() => live(name), 40_000, `${name} is back`)
    expect((await info('wrong')).camera).toMatchObject({
      ...{ state: 'offline', failures: 1 }, // Not again and again: cameras lock an account.
      reason: expect.stringMatching(/user or the password/),
    })
    expect((await info('vlc-tcp')).camera?.reason).toMatch(/add #udp/)
    await sleep(3000)
    await program.post(`/agent/v1/recordings/${id}/stop`)
    detail = await program.ready(id, 90_000)
  }, 180_000)

  test.each(['shared-a', 'shared-b'])('%s: every picture, 40 ms apart, without a hole', async (name) => {
    const list = await times(name)
    expect(list.length).toBeGreaterThan(400)
    expect(holes(list)).toEqual([])
    expect(stream(name).gaps.filter(({ from }) => from >= (list[0] ?? 0))).toEqual([])
  })

  test.each(['killed', 'stalled'])('%s: one hole, and a gap that says so', async (name) => {
    const list = await times(name)
    const [hole = 0, ...more] = holes(list)
    expect(more).toEqual([])
    expect(hole).toBeGreaterThan(500)
    const at = spacings(list).indexOf(hole)
    const [from = 0, to = 0] = [list[at], list[at + 1]]
    const [gap] = stream(name).gaps.filter((one) => one.from >= (list[0] ?? 0))
    // It begins where the last picture ends.
    expect(Math.abs((gap?.from ?? 0) - from)).toBeLessThanOrEqual(42)
    // It was told when the next picture came; what came later may have bettered the estimate of their wall times.
    expect((gap?.to ?? 0) - to).toBeGreaterThanOrEqual(-2)
    expect((gap?.to ?? 0) - to).toBeLessThanOrEqual(stream(name).clock?.boundMs ?? 0)
  })

  test('VLC, with B-frames, by UDP: every picture, 40 ms apart', async () => {
    const list = await times('vlc')
    expect(list.length).toBeGreaterThan(300)
    expect(holes(list)).toEqual([])
    expect(stream('vlc').clock?.source).toBe('device')
  })

  test('a password that was wrong left nothing, and is nowhere to be read', async () => {
    expect(stream('wrong').units).toBe(0)
    for (const word of ['s3cret', 'nonsense']) expect(program.output).not.toContain(word)
  })
})
