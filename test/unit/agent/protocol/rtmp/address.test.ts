import { expect, test } from 'vitest'
import { parseConnect, parseRtmpUrl, parseTarget } from '../../../../../agent/protocol/rtmp/address.ts'

test.each([
  ['live', 'rtmp://h/live', 'cam', 'live', 'cam', undefined],
  ['live/', 'rtmp://h/live/', 'cam', 'live', 'cam', undefined],
  ['live', 'rtmp://h/live', 'cam?token=a&x=1', 'live', 'cam', 'a'],
  ['live?token=b', 'rtmp://h/live?token=b', 'cam', 'live', 'cam', 'b'],
  ['live', 'rtmp://h/live?token=c', 'cam', 'live', 'cam', 'c'],
  ['live?token=b', 'rtmp://h/live?token=c', 'cam?token=a', 'live', 'cam', 'a'],
  ['live', '', 'cam?token=a%2Bb', 'live', 'cam', 'a+b'],
])('app %s, address %s, name %s', (app, tcUrl, streamName, wantedApp, name, token) => {
  const target = parseTarget(parseConnect(app, tcUrl), streamName)
  expect({ app: target.app, name: target.name }).toEqual({ app: wantedApp, name })
  expect(target.query.get('token') ?? undefined).toBe(token)
})

test.each(['', '/', '../x', 'a/b', 'a\u0000', '‮live', 'x'.repeat(65), 'x'.repeat(3000)])(
  'app %j is refused',
  (app) => {
    expect(() => parseConnect(app, '')).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  },
)

test('an address', () => {
  expect(parseRtmpUrl('rtmp://[::1]:1936/live/cam?token=a')).toEqual({
    host: '::1',
    port: 1936,
    app: 'live',
    name: 'cam?token=a',
    tcUrl: 'rtmp://[::1]:1936/live',
  })
  expect(parseRtmpUrl('rtmp://cdn.example/app/a/b').name).toBe('a/b')
  expect(parseRtmpUrl('rtmp://cdn.example/app/a').port).toBe(1935)
})

test.each(['http://h/live/cam', 'rtmp://h/live', 'rtmp://h/live/', 'rtmp:///live/cam', 'cam'])(
  '%s is none',
  (text) => {
    expect(() => parseRtmpUrl(text)).toThrow(/rtmp:\/\/host\/app\/name/)
  },
)
