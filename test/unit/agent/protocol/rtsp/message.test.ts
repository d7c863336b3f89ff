import { expect, test } from 'vitest'
import { formatRequest, frameHeader, RtspParser } from '../../../../../agent/protocol/rtsp/message.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

test('answers and frames in one stream, byte by byte', () => {
  const wire = Buffer.concat([
    bytes(
      'RTSP/1.0 200 OK\r\nCSeq: 3\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Digest a=1,\r\n b=2\r\n\r\n',
    ),
    frameHeader(1, 3),
    bytes('$$R'),
    bytes('\r\nRTSP/1.0 454 Session Not Found\nContent-length: 5\n\nhello'),
    bytes('OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n'),
  ])
  const parser = new RtspParser()
  const messages = [...wire].flatMap((byte) => parser.push(Uint8Array.of(byte)))
  expect(messages).toMatchObject([
    { kind: 'response', status: 200, reason: 'OK' },
    { kind: 'frame', channel: 1, payload: bytes('$$R') },
    { kind: 'response', status: 454, reason: 'Session Not Found', body: bytes('hello') },
    { kind: 'request', method: 'OPTIONS', uri: '*' },
  ])
  const [first] = messages
  expect(first?.kind === 'response' && first.headers.get('www-authenticate')).toEqual([
    'Basic',
    'Digest a=1, b=2',
  ])
  expect(parser.resyncs).toBe(0)
})

test('a payload is a view of what was read, not a copy', () => {
  const wire = Buffer.concat([frameHeader(0, 4), bytes('abcd')])
  const [frame] = new RtspParser().push(wire)
  expect(frame?.kind === 'frame' && frame.payload.buffer).toBe(wire.buffer)
})

test('what is no message is skipped up to the next that is one', () => {
  const parser = new RtspParser((channel) => channel < 4)
  const noise = bytes('\x00\xffHello\x24\x99\x00\x00')
  const messages = parser.push(
    Buffer.concat([noise, frameHeader(2, 1), bytes('x'), bytes('RTSP/1.0 200 OK\r\n\r\n')]),
  )
  expect(messages).toMatchObject([
    { kind: 'frame', channel: 2 },
    { kind: 'response', status: 200 },
  ])
  expect(parser.resyncs).toBe(1)
})

test.each([
  ['a head without end', `RTSP/1.0 200 OK\r\n${'a: b\r\n'.repeat(4000)}`, /head of more than/],
  ['a body of a gigabyte', 'RTSP/1.0 200 OK\r\nContent-Length: 1000000000\r\n\r\n', /body of 1000000000/],
  ['a body of less than nothing', 'RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n', /body of -1/],
  ['noise without end', '\x00'.repeat(300_000), /no RTSP/],
  ['framing that is lost again and again', '\x00RTSP/1.0 200 OK\r\n\r\n'.repeat(30), /no RTSP/],
])('%s is refused', (_name, text, words) => {
  expect(() => new RtspParser().push(bytes(text))).toThrow(words)
})

test('a line break in a value begins no header', () => {
  const text = Buffer.from(
    formatRequest('PLAY', 'rtsp://h/', { CSeq: 1, Session: 'x\r\nEvil: y' }),
  ).toString()
  expect(text).toBe('PLAY rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\nSession: x\r\n\r\n')
})
