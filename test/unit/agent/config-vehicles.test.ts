import { expect, test } from 'vitest'
import { parseConfig } from '../../../agent/config.ts'
import { srsHasRtmpPort } from '../../../agent/start/vehicle-doors.ts'

const live = { port: 9501 }
const redis = { redis: 'redis://127.0.0.1:6379' }

test('the contract’s example is understood, and ports are off unless they are named', () => {
  const { vehicles, srs } = parseConfig({
    vehicles: {
      live: { port: 9501, allow: [] },
      history: { port: 9502 },
      inner: { port: 9511 },
      publicHost: 'video.example.com',
      ring: 'on-demand',
      commands: redis,
    },
    srs: { hooks: { live: 9531, history: 9532 }, push: 'rtmp://127.0.0.1:1935/live' },
  })
  expect(vehicles).toMatchObject({
    inner: { port: 9511, history: null, clients: null, allow: [] },
    commands: { redis: 'redis://127.0.0.1:6379', key: 'EXTERNAL_COMMAND' },
    zone: '+08:00',
  })
  expect(srs).toMatchObject({ hooks: { live: 9531, history: 9532, allow: [] }, api: null })
  const none = parseConfig({})
  expect([none.vehicles.live, none.vehicles.inner, none.vehicles.commands, none.srs]).toEqual(
    Array(4).fill(undefined),
  )
})

test.each([
  ['no address for vehicles', { live, commands: redis }, /publicHost/],
  ['no port for vehicles', { publicHost: 'a.example', commands: redis }, /vehicles\.live/],
  ['an address with a port', { live, publicHost: 'a.example:9501', commands: redis }, /publicHost/],
  [
    'loopback for vehicles elsewhere',
    { live: { allow: ['10.0.0.0/8'] }, publicHost: '127.0.0.1', commands: redis },
    /loopback/,
  ],
  ['another scheme', { live, publicHost: 'a', commands: { redis: 'http://a' } }, /commands/],
  ['a hook without a secret', { live, publicHost: 'a', commands: { hook: 'https://a' } }, /commands/],
  ['two ways at once', { live, publicHost: 'a', commands: { ...redis, sqs: 'https://a' } }, /commands/],
  ['a SIM where an address is meant', { inner: { allow: ['013912345678'] } }, /inner\.allow/],
  ['a zone that is none', { zone: 'Asia/Shanghai' }, /zone/],
])('%s is refused', (_name, vehicles, message) => {
  expect(() => parseConfig({ vehicles })).toThrow(message)
})

test('an unknown key names the nearest', () => {
  expect(() => parseConfig({ vehicles: { inner: { clinets: 9521 } } })).toThrow(/did you mean "clients"/)
  expect(() => parseConfig({ srs: { push: 'rtmp://a/live', hook: {} } })).toThrow(/did you mean "hooks"/)
  expect(() => parseConfig({ srs: { push: 'rtmp://a/live/name' } })).toThrow(/rtmp:\/\/host\/live/)
})

test.each([
  ['rtmp://127.0.0.1/live', true],
  ['rtmp://localhost:1935/live', true],
  ['rtmp://127.0.0.1:1945/live', false],
  ['rtmp://10.0.0.7/live', false],
])('an SRS at %s has the usual RTMP port of this machine: %s', (push, has) => {
  expect(srsHasRtmpPort(parseConfig({ srs: { push } }))).toBe(has)
})
