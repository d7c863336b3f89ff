import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCameraUri } from '../../../../agent/protocol/camera-uri.ts'
import { redactText, redactUri } from '../../../../agent/protocol/redact.ts'
import { name as nameSchema } from '../../../../shared/contract/segment.ts'
import { AppError } from '../../../../shared/error.ts'

describe('docs/protocols.md, Hikvision and Dahua', () => {
  test.each([
    [
      'hik://192.168.1.64:8000/admin:12345@main,sub',
      'rtsp://192.168.1.64/Streaming/Channels/101',
      'http://192.168.1.64/ISAPI/Streaming/channels/101/picture?snapShotImageType=JPEG',
      'cam-192.168.1.64-1-main',
    ],
    [
      'hik://192.168.1.64/admin:12345@sub',
      'rtsp://192.168.1.64/Streaming/Channels/102',
      'http://192.168.1.64/ISAPI/Streaming/channels/102/picture?snapShotImageType=JPEG',
      'cam-192.168.1.64-1-sub',
    ],
    [
      'hik://192.168.1.64:8000/admin:12345@third?channel=12',
      'rtsp://192.168.1.64/Streaming/Channels/1203',
      'http://192.168.1.64/ISAPI/Streaming/channels/1203/picture?snapShotImageType=JPEG',
      'cam-192.168.1.64-12-third',
    ],
    [
      'hik://nvr.lan:8001/admin:12345@main?rtsp=5540&http=8080',
      'rtsp://nvr.lan:5540/Streaming/Channels/101',
      'http://nvr.lan:8080/ISAPI/Streaming/channels/101/picture?snapShotImageType=JPEG',
      'cam-nvr.lan.5540-1-main',
    ],
    [
      'dahua://10.0.0.5:37777/admin:12345@main,sub',
      'rtsp://10.0.0.5/cam/realmonitor?channel=1&subtype=0',
      'http://10.0.0.5/cgi-bin/snapshot.cgi?channel=1',
      'cam-10.0.0.5-1-main',
    ],
    [
      'DAHUA://10.0.0.5/admin:12345@sub?channel=3',
      'rtsp://10.0.0.5/cam/realmonitor?channel=3&subtype=1',
      'http://10.0.0.5/cgi-bin/snapshot.cgi?channel=3',
      'cam-10.0.0.5-3-sub',
    ],
    [
      'hik://[fd00::7]:8000/admin:12345@main',
      'rtsp://[fd00::7]/Streaming/Channels/101',
      'http://[fd00::7]/ISAPI/Streaming/channels/101/picture?snapShotImageType=JPEG',
      'cam-fd00..7-1-main',
    ],
  ])('%s', (text, rtspUrl, stillUrl, name) => {
    const uri = parseCameraUri(text)
    expect(uri).toMatchObject({ rtspUrl, stillUrl, name, user: 'admin', password: '12345' })
  })

  test('a track of several', () => {
    const text = 'hik://h/u:p@main,sub,third'
    expect(parseCameraUri(text).tracks).toEqual(['main', 'sub', 'third'])
    expect(parseCameraUri(text, 'third').rtspUrl).toBe('rtsp://h/Streaming/Channels/103')
    expect(() => parseCameraUri('hik://h/u:p@main', 'sub')).toThrow(/names main, not sub/)
  })
})

test.each([
  ['hik://h:8000/ad%3Amin:p%40ss%2Fw%25@main', 'ad:min', 'p@ss/w%'],
  ['hik://h:8000/admin:p@ss/w:rd?#1@main', 'admin', 'p@ss/w:rd?#1'],
  ['hik://h:8000/admin:100%@main', 'admin', '100%'],
  ['hik://h:8000/admin:密码%E5%AF%86@main', 'admin', '密码密'],
  ['hik://h:8000/main', undefined, undefined],
  ['rtsp://admin:p%40ss@h/x', 'admin', 'p@ss'],
  ['rtsp://admin:p@ss@h/x', 'admin', 'p@ss'],
  ['rtsp://admin:p/ss#?@h:554/x', 'admin', 'p/ss#?'],
  ['rtsp://admin:@h/x', 'admin', ''],
  ['rtsp://admin@h/x', 'admin', ''],
  ['rtsp://h/x@y', undefined, undefined],
])('%s: user and password', (text, user, password) => {
  expect(parseCameraUri(text)).toMatchObject({ host: 'h', user, password })
})

test.each([
  [
    'rtsp://h/Streaming/Channels/202',
    { rtspUrl: 'rtsp://h/Streaming/Channels/202', name: 'cam-h-2-sub', port: 554 },
  ],
  ['rtsp://h/cam/realmonitor?channel=2&subtype=1', { name: 'cam-h-2-sub', channel: 2, track: 'sub' }],
  [
    'rtsp://u:p@H:8554/live/front',
    { rtspUrl: 'rtsp://h:8554/live/front', name: 'cam-h.8554-live.front-main' },
  ],
  ['rtsp://h', { rtspUrl: 'rtsp://h/', name: 'cam-h-1-main' }],
  ['rtsps://h/x', { kind: 'rtsps', port: 322, rtspUrl: 'rtsps://h/x' }],
  ['http://u:p@h/live.flv?a=b', { httpUrl: 'http://h/live.flv?a=b', port: 80, kind: 'http' }],
  ['https://h:8443/t.ts', { httpUrl: 'https://h:8443/t.ts', port: 8443 }],
  [
    'rtsp://h/Streaming/Channels/101#udp',
    { rtspUrl: 'rtsp://h/Streaming/Channels/101', name: 'cam-h-1-main' },
  ],
  ['hik://h/u:p#1@sub#udp', { rtspUrl: 'rtsp://h/Streaming/Channels/102', password: 'p#1' }],
  ['rtsp://h/流', { rtspUrl: 'rtsp://h/%E6%B5%81' }],
  ['file:///tmp/a%20b.h264', { kind: 'file', path: '/tmp/a b.h264' }],
])('%s', (text, expected) => {
  expect(parseCameraUri(text)).toMatchObject(expected)
})

test.each([
  [
    'rtmp://h/live/x',
    /"rtmp:\/\/" is not known; known are rtsp:\/\/, rtsps:\/\/, hik:\/\/, dahua:\/\/, http:\/\/, https:\/\/, file:\/\//,
  ],
  ['192.168.1.64', /needs a scheme/],
  ['', /needs a scheme/],
  ['rtsp://', /no host and port/],
  ['rtsp://admin:sesame@h:99999/x', /no host and port/],
  ['rtsp://admin:sesame@h\r\nX: y/x', /not one line/],
  [`rtsp://h/${'x'.repeat(3000)}`, /not one line/],
  ['hik://h:8000', /names no track/],
  ['hik://h:8000/admin:sesame@fourth', /none of main, sub, third/],
  ['hik://h:9000/admin:sesame@main', /add \?rtsp=554&http=80/],
  ['dahua://h/admin:sesame@main?rtsp=0', /rtsp that is no number/],
  ['file://relative', /no absolute path/],
])('%s is refused in words', (text, words) => {
  expect(() => parseCameraUri(text)).toThrow(words)
  try {
    parseCameraUri(text)
  } catch (error) {
    expect(String(error)).not.toContain('sesame')
  }
})

test('two paths of one host are two names', () => {
  const a = parseCameraUri(`rtsp://h/${'x'.repeat(80)}/a`).name
  const b = parseCameraUri(`rtsp://h/${'x'.repeat(80)}/b`).name
  expect(a).not.toBe(b)
  for (const name of [a, b]) expect(nameSchema.parse(name)).toBe(name)
})

test.each([
  ['rtsp://admin:sesame@h:554/x', 'rtsp://***@h:554/x'],
  ['rtsp://admin:ses@me/sesame@h/x?token=sesame&b=1', 'rtsp://***@h/x?token=***&b=1'],
  ['hik://h:8000/admin:sesame@main,sub', 'hik://h:8000/***@main,sub'],
  ['rtsp://h/user=admin&password=sesame&channel=1', 'rtsp://h/user=***&password=***&channel=1'],
  ['admin:sesame@h', '***@h'],
  ['http://h/x', 'http://h/x'],
])('%s is shown as %s', (text, shown) => {
  expect(redactUri(text)).toBe(shown)
})

test('addresses in a text', () => {
  const text = 'no answer from rtsp://a:sesame@h/x and hik://h/a:sesame@main (tried twice)'
  expect(redactText(text)).toBe('no answer from rtsp://***@h/x and hik://h/***@main (tried twice)')
})

test('any text: an address whose display hides the password, or an AppError', () => {
  const secret = fc.stringMatching(/^[a-zA-Z0-9:@/%?#&=.,;!ü ]{0,20}$/).map((text) => `SESAME${text}SESAME`)
  const kinds = fc.constantFrom(
    'rtsp://ID@h:5/x',
    'http://ID@h/x?y',
    'hik://h/ID@main',
    'dahua://h:1/ID@sub',
    'ID',
  )
  fc.assert(
    fc.property(kinds, secret, (form, password) => {
      const text = form.replace('ID', () => `admin:${password}`)
      expect(redactUri(form.includes('@') ? text : 'x')).not.toContain('SESAME')
      try {
        const { name, display } = parseCameraUri(text)
        expect(nameSchema.parse(name)).toBe(name)
        expect(display).not.toContain('SESAME')
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
        expect(String(error)).not.toContain('SESAME')
      }
    }),
  )
})
