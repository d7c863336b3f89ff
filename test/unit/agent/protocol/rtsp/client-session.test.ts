import { expect, test } from 'vitest'
import { RtspClient, type RtspClientEvent } from '../../../../../agent/protocol/rtsp/client-session.ts'

const sdp = (control = '*', tracks = ['trackID=1']) =>
  [
    ...['v=0', 's=x', `a=control:${control}`],
    ...tracks.flatMap((track) => ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', `a=control:${track}`]),
    '',
  ].join('\r\n')

type Request = { method: string; uri: string; sequence: string; text: string }
type Answer = { status?: string; fields?: Record<string, string>; body?: string } | 'nothing'

/** A camera that answers as it is told; by default as RFC 2326 has it. */
function camera(answers: Partial<Record<string, (request: Request, n: number) => Answer>> = {}) {
  const asked: Request[] = []
  const events: RtspClientEvent[] = []
  const client = new RtspClient({ url: 'rtsp://cam/live', newCnonce: () => '00' })
  const usual: Record<string, Answer> = {
    OPTIONS: { fields: { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER' } },
    DESCRIBE: { body: sdp() },
    SETUP: { fields: { Session: '12', Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' } },
  }
  const answer = (text: string) => {
    const [, method = '', uri = ''] = /^(\S+) (\S+)/.exec(text) ?? []
    const request = { method, uri, text, sequence: /CSeq: (\d+)/.exec(text)?.[1] ?? '' }
    asked.push(request)
    const n = asked.filter((other) => other.method === method).length
    const said = answers[method]?.(request, n) ?? usual[method] ?? {}
    if (said === 'nothing') return
    const { status = '200 OK', fields = {}, body = '' } = said
    const length: Record<string, string> = body === '' ? {} : { 'Content-Length': `${body.length}` }
    const all = Object.entries({ CSeq: request.sequence, ...length, ...fields })
    const lines = all.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}\r\n`)
    take(client.push(Buffer.from(`RTSP/1.0 ${status}\r\n${lines.join('')}\r\n${body}`)))
  }
  const take = (given: readonly RtspClientEvent[]) => {
    events.push(...given)
    for (const event of given) {
      if (event.kind === 'send') answer(Buffer.from(event.bytes).toString())
      if (event.kind === 'described') take(client.setup())
    }
  }
  const of = <Kind extends RtspClientEvent['kind']>(kind: Kind) =>
    events.filter((event) => event.kind === kind) as Extract<RtspClientEvent, { kind: Kind }>[]
  const uris = () => Object.fromEntries(asked.map(({ method, uri }) => [method, uri]))
  return { client, take, of, asked, uris, begin: () => take(client.begin()) }
}

const frame = (channel: number, bytes: number) =>
  Buffer.concat([Uint8Array.of(0x24, channel, 0, bytes), new Uint8Array(bytes)])

test.each([
  ['relative, of no base', undefined, '*', 'trackID=1', 'rtsp://cam/live/trackID=1', 'rtsp://cam/live'],
  ['Content-Base', 'rtsp://cam/live/', '*', 'trackID=1', 'rtsp://cam/live/trackID=1', 'rtsp://cam/live/'],
  [
    'Content-Base without its slash',
    'rtsp://cam/x',
    '*',
    'trackID=1',
    'rtsp://cam/x/trackID=1',
    'rtsp://cam/x',
  ],
  ['a base that is no address', '/live/', '*', 'trackID=1', 'rtsp://cam/live/trackID=1', 'rtsp://cam/live'],
  ['an absolute track', 'rtsp://cam/live/', '*', 'rtsp://cam/t1', 'rtsp://cam/t1', 'rtsp://cam/live/'],
  ['an absolute session', undefined, 'rtsp://cam/all', 'rtsp://cam/t1', 'rtsp://cam/t1', 'rtsp://cam/all'],
  [
    'a query',
    'rtsp://cam/x?channel=1/',
    '*',
    'trackID=0',
    'rtsp://cam/x?channel=1/trackID=0',
    'rtsp://cam/x?channel=1/',
  ],
])('addresses of SETUP and PLAY: %s', (_name, base, session, track, setup, play) => {
  const { begin, uris } = camera({
    DESCRIBE: () => ({ ...(base && { fields: { 'Content-Base': base } }), body: sdp(session, [track]) }),
  })
  begin()
  expect(uris()).toMatchObject({ SETUP: setup, PLAY: play })
})

test.each([
  [0, 1],
  [4, 5],
  [40, 41],
  [200, 255],
])('the camera chooses the channels %i and %i', (rtp, rtcp) => {
  const { begin, client, take, of } = camera({
    SETUP: () => ({ fields: { Session: '1', Transport: `RTP/AVP/TCP;interleaved=${rtp}-${rtcp}` } }),
  })
  begin()
  take(client.push(Buffer.concat([frame(rtp, 20), frame(rtcp, 8), frame(rtp, 30)])))
  expect(of('rtp').map(({ packet }) => packet.length)).toEqual([20, 30])
  expect(of('rtcp')).toHaveLength(1)
  expect(of('resynced')).toEqual([])
})

test.each([
  ['timeout=20', 10_000],
  ['timeout=0', 1000],
  ['timeout=600', 30_000],
  ['', 30_000],
])('a session with %s is kept alive every %i ms', (timeout, keepAliveMs) => {
  const { begin, of } = camera({
    SETUP: () => ({ fields: { Session: `1;${timeout}`, Transport: 'RTP/AVP/TCP;interleaved=0-1' } }),
  })
  begin()
  expect(of('playing')).toMatchObject([{ keepAliveMs }])
})

test.each([
  ['OPTIONS, GET_PARAMETER', 'GET_PARAMETER'],
  ['OPTIONS, DESCRIBE', 'OPTIONS'],
])('a camera of which Public is %s is kept alive by %s', (methods, method) => {
  const { begin, client, take, asked } = camera({ OPTIONS: () => ({ fields: { Public: methods } }) })
  begin()
  take(client.keepAlive())
  expect(asked.at(-1)).toMatchObject({ method, uri: 'rtsp://cam/live' })
  expect(asked.at(-1)?.text).toContain('Session: 12')
})

test.each<[string, Answer]>([
  ['does not answer it', 'nothing'],
  ['answers it without its number', { fields: { CSeq: '' } }],
  ['answers it with another number', { fields: { CSeq: '7777' } }],
  ['does not know it', { status: '501 Not Implemented' }],
])('a camera that %s is kept alive all the same', (_name, answer) => {
  const { begin, client, take, asked, of } = camera({ GET_PARAMETER: () => answer })
  begin()
  for (let n = 0; n < 100; n += 1) take(client.keepAlive())
  expect(asked.filter(({ method }) => method === 'GET_PARAMETER')).toHaveLength(100)
  expect(of('failed')).toEqual([])
})

test('a camera that never repeats the number of a request plays', () => {
  const without = (answer: Exclude<Answer, 'nothing'>) => () => ({
    ...answer,
    fields: { ...answer.fields, CSeq: '' },
  })
  const { begin, of } = camera({
    OPTIONS: without({}),
    DESCRIBE: without({ body: sdp() }),
    SETUP: without({ fields: { Session: '1', Transport: 'RTP/AVP/TCP;interleaved=0-1' } }),
    PLAY: without({}),
  })
  begin()
  expect(of('playing')).toHaveLength(1)
})

test('a session that the camera has forgotten ends the connection', () => {
  const { begin, client, take, of } = camera({ GET_PARAMETER: () => ({ status: '454 Session Not Found' }) })
  begin()
  take(client.keepAlive())
  expect(of('failed')).toMatchObject([{ error: { kind: 'Unavailable' } }])
})

test('TEARDOWN names the session; a connection without one says nothing', () => {
  const { begin, client } = camera()
  expect(client.teardown()).toHaveLength(0)
  const other = camera()
  other.begin()
  const goodbye = Buffer.from(other.client.teardown()).toString()
  expect(goodbye).toMatch(/^TEARDOWN rtsp:\/\/cam\/live RTSP\/1\.0\r\n/)
  expect(goodbye).toContain('Session: 12')
  begin()
})
