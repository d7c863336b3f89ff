import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { SimPicture } from '../../agent/sim/rtsp-session.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { joinAnnexB } from '../../shared/media/nal.ts'
import { filmingCamera, openRtspRig, until } from '../support/rtsp-rig.ts'

let stack = new AsyncDisposableStack()
afterEach(async () => {
  const closing = stack
  stack = new AsyncDisposableStack()
  await closing.disposeAsync()
})

const ticksOf = (pictures: readonly SimPicture[]) => {
  const [first] = pictures
  return pictures.map(({ timestamp }) => ((timestamp - (first?.timestamp ?? 0)) >>> 0) / 90)
}
const times = (units: readonly AccessUnit[]) => units.map(({ ptsMs }) => ptsMs - (units[0]?.ptsMs ?? 0))

/** What came is an unbroken run of what was sent: the same slices, and the same spacing within a millisecond. */
function expectRun(units: readonly AccessUnit[], sent: readonly SimPicture[]): void {
  expect(units.length).toBeGreaterThan(0)
  const slices = (nalUnits: readonly Uint8Array[]) =>
    nalUnits.filter((nal) => [1, 5].includes((nal[0] ?? 0) & 0x1f))
  const bytes = (nalUnits: readonly Uint8Array[]) => Buffer.from(joinAnnexB(slices(nalUnits)))
  const first = bytes(units[0]?.nalUnits ?? [])
  const wanted = times(units)
  const begins = sent.findIndex(({ nalUnits }, at) => {
    if (Buffer.compare(bytes(nalUnits), first) !== 0) return false
    const run = sent.slice(at, at + units.length)
    return run.length === units.length
  })
  expect(begins).toBeGreaterThanOrEqual(0)
  const run = sent.slice(begins, begins + units.length)
  units.forEach((unit, i) => {
    expect(Buffer.compare(bytes(unit.nalUnits), bytes(run[i]?.nalUnits ?? []))).toBe(0)
  })
  const spacing = ticksOf(run)
  const far = wanted.filter((ms, i) => Math.abs(ms - (spacing[i] ?? 0)) > 1)
  expect(far).toEqual([])
}

describe.each(['', '#udp'])('a simulated camera%s', (transport) => {
  test.each([undefined, 'MD5', 'SHA-256', 'Basic'] as const)(
    'every picture, with a login by %s',
    async (algorithm) => {
      const rig = stack.use(openRtspRig())
      const login = algorithm && { user: 'ad:min', password: 'p@ss/w%rd:"ü', algorithm }
      const camera = stack.use(
        await filmingCamera(
          login && algorithm !== 'Basic' ? { login } : login ? { login: { ...login, user: 'admin' } } : {},
        ),
      )
      const user = algorithm === 'Basic' ? 'admin' : encodeURIComponent('ad:min')
      const credentials = login ? `${user}:${encodeURIComponent(login.password)}@` : ''
      rig.sources.set('door', camera.url.replace('//', `//${credentials}`) + transport)
      expect(JSON.stringify(rig.sources.list())).not.toContain('ss/w')
      using _ = rig.sources.hold('door')
      await until(() => rig.pictures('door').length >= 60, '60 pictures came')
      expect(rig.sources.info('door')?.status.state).toBe('live')
      expectRun(rig.pictures('door'), camera.sent)
      expect(rig.gaps('door')).toEqual([])
      expect(
        rig.pictures('door').every(({ timeSource, damaged }) => timeSource === 'device' && !damaged),
      ).toBe(true)
    },
  )
})

test('a wrong password is said in words, and is not tried again and again', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await filmingCamera({ login: { user: 'admin', password: 'right' } }))
  rig.sources.set('door', camera.url.replace('//', '//admin:wrong@'))
  using _ = rig.sources.hold('door')
  await until(() => rig.sources.info('door')?.status.state === 'offline', 'it was refused')
  const { status, display } = rig.sources.info('door') ?? {}
  expect(status?.error?.kind).toBe('Unauthenticated')
  expect(status?.error?.message).toMatch(/user or the password/)
  expect(display).not.toContain('wrong')
  rig.sources.hold('door')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(rig.sources.info('door')?.status.failures).toBe(1)
})

test('a camera that goes and comes back: the time between is a gap', async () => {
  const rig = stack.use(openRtspRig())
  const first = await filmingCamera()
  rig.sources.set('door', first.url)
  using _ = rig.sources.hold('door')
  await until(() => rig.pictures('door').length >= 20, 'pictures came')
  await first[Symbol.asyncDispose]()
  await until(() => rig.sources.info('door')?.status.state === 'offline', 'it is missed')
  const before = rig.pictures('door').length
  stack.use(await filmingCamera({ port: first.port }))
  await until(() => rig.pictures('door').length >= before + 20, 'it is back')
  const [last, next] = [rig.pictures('door')[before - 1], rig.pictures('door')[before]]
  expect(next?.randomAccess).toBe(true)
  expect(next?.epoch).not.toBe(last?.epoch)
  expect(rig.gaps('door')).toEqual([{ fromMs: last?.ptsMs, toMs: next?.ptsMs, cause: 'source-lost' }])
})

test('a camera that stalls: seen while the connection lives, and connected anew', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await filmingCamera())
  rig.sources.set('door', camera.url)
  using _ = rig.sources.hold('door')
  await until(() => rig.pictures('door').length >= 20, 'pictures came')
  camera.stall(true)
  await until(() => rig.sources.info('door')?.status.state === 'offline', 'it is noticed', 20_000)
  expect(rig.sources.info('door')?.status.error?.message).toMatch(/connected but sent no pictures/)
  const before = rig.pictures('door').length
  camera.stall(false)
  await until(() => rig.pictures('door').length >= before + 20, 'it is back')
  expect(rig.gaps('door')).toMatchObject([{ cause: 'source-lost' }])
}, 60_000)

test('on demand: connected while somebody wants it, and a little longer', async () => {
  const rig = stack.use(openRtspRig({ lingerMs: 300 }))
  const camera = stack.use(await filmingCamera())
  rig.sources.set('door', camera.url)
  expect(rig.sources.info('door')?.status.state).toBe('idle')
  const [one, two] = [rig.sources.hold('door'), rig.sources.hold('DOOR')]
  await until(() => camera.playing === 1, 'it plays')
  one?.[Symbol.dispose]()
  one?.[Symbol.dispose]()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(camera.playing).toBe(1)
  two?.[Symbol.dispose]()
  await until(() => camera.playing === 0, 'it was left')
  expect(rig.sources.info('door')?.status.state).toBe('idle')
  rig.sources.setAlways('door', true)
  await until(() => camera.playing === 1, 'it is wanted always')
  rig.sources.remove('door')
  await until(() => camera.playing === 0, 'it was removed')
})

/** Answers a connection with what is given, whatever it says. */
async function liar(
  answer: (request: string) => string | undefined,
): Promise<{ url: string } & AsyncDisposable> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const text = answer(bytes.toString())
      if (text !== undefined)
        socket.write(text.replaceAll('SEQ', /CSeq: (\d+)/.exec(bytes.toString())?.[1] ?? '0'))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `rtsp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/x`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

const ok = 'RTSP/1.0 200 OK\r\nCSeq: SEQ\r\n'
const sdp = (text: string) => `${ok}Content-Length: ${text.length}\r\n\r\n${text}`

test.each([
  ['no SDP', () => sdp('hello'), /describes no media/],
  [
    'a codec that is not read',
    () => sdp('m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000'),
    /JPEG: set it to H.264/,
  ],
  ['a clock of 0 Hz', () => sdp('m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0'), /clock of H264 runs at 0 Hz/],
  ['an SDP of 10 MB', () => `${ok}Content-Length: 10000000\r\n\r\n`, /body of 10000000 bytes/],
  ['a head without end', () => ok + 'X: y\r\n'.repeat(5000), /head of more than/],
  ['no such stream', () => 'RTSP/1.0 404 Not Found\r\nCSeq: SEQ\r\n\r\n', /no stream at this address/],
  [
    'a login again and again',
    () => 'RTSP/1.0 401 No\r\nCSeq: SEQ\r\nWWW-Authenticate: Digest realm="x", nonce="y", stale=true\r\n\r\n',
    /user or the password/,
  ],
  [
    'a way to metadata',
    () => 'RTSP/1.0 302 Moved\r\nCSeq: SEQ\r\nLocation: rtsp://169.254.169.254/x\r\n\r\n',
    /another host/,
  ],
])('a camera that lies: %s', async (_name, answer, words) => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await liar((request) => (request.startsWith('OPTIONS') ? `${ok}\r\n` : answer())))
  rig.sources.set('door', camera.url.replace('//', '//u:p@'))
  using _held = rig.sources.hold('door')
  await until(() => rig.sources.info('door')?.status.error !== undefined, 'it failed')
  expect(rig.sources.info('door')?.status.error?.message).toMatch(words)
})

test('a redirect to the same host is followed three times', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(
    await liar((request) =>
      request.startsWith('OPTIONS')
        ? `${ok}\r\n`
        : `RTSP/1.0 302 Moved\r\nCSeq: SEQ\r\nLocation: ${/(rtsp:\S+) RTSP/.exec(request)?.[1]}/a\r\n\r\n`,
    ),
  )
  rig.sources.set('door', camera.url)
  using _ = rig.sources.hold('door')
  await until(() => rig.sources.info('door')?.status.error !== undefined, 'it failed')
  expect(rig.sources.info('door')?.status.error?.message).toMatch(/again and again/)
})
