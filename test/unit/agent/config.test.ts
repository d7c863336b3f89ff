import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../../agent/config.ts'
import { repository } from '../../support/modules.ts'

test('gives the defaults of the contract', () => {
  const config = parseConfig(undefined)
  expect(config.http).toEqual({ port: 50001, lan: false, publicUrl: null, tls: false })
  expect(config.ring).toEqual({ quota: 50e9, segmentSeconds: 60, whenFull: 'overwrite' })
  expect(config.cloud.api).toBe('local')
})

test('what is wrong with a forward is told without its address', () => {
  const forward = ['rtmps://live.test/app/s3cret-key']
  expect(() => parseConfig({ streams: { cam: { forward } } })).toThrow(/^(?!.*s3cret)/)
})

test.each([
  ['50GB', 50e9],
  ['1.5 GiB', 1.5 * 2 ** 30],
  ['512MB', 512e6],
  [1000, 1000],
])('reads the size %s', (quota, sizeBytes) => {
  expect(parseConfig({ ring: { quota } }).ring.quota).toBe(sizeBytes)
})

test.each([
  ['an unknown key', { http: { prot: 1 } }, /unknown key "http.prot", did you mean "port"/],
  ['an unknown section', { rings: {} }, /unknown key "rings", did you mean "ring"/],
  ['a key that is like none', { http: { zzzzzzzz: 1 } }, /known are port, lan, publicUrl/],
  [
    'an unknown key of a stream',
    { streams: { door: { uplod: 'never' } } },
    /streams.door.uplod", did you mean "upload"/,
  ],
  ['a size that is none', { ring: { quota: 'much' } }, /ring.quota: a size is/],
  ['a port that is none', { http: { port: 70000 } }, /http.port/],
  ['a stream name that is a path', { streams: { '../x': {} } }, /streams/],
  [
    'the sample secret of Node-Media-Server',
    { auth: { nms: { play: 'nodemedia2017privatekey' } } },
    /auth.nms.play: .*documentation/,
  ],
  [
    'hooks without a secret',
    { hooks: { urls: ['http://127.0.0.1:8085/'] } },
    /hooks.secret: whoever is told/,
  ],
  [
    'a hook that is no web address',
    { hooks: { urls: ['file:///x'], secret: 'x'.repeat(16) } },
    /hooks.urls.0/,
  ],
  [
    'a hook whose address holds a password',
    { hooks: { urls: ['http://me:secret@127.0.0.1:8085/'], secret: 'x'.repeat(16) } },
    /hooks.urls.0: an address without user/,
  ],
  ['an event that is none', { hooks: { events: ['on_pause'] } }, /hooks.events.0/],
  [
    'a forward without a name',
    { streams: { cam: { forward: ['rtmp://host/app'] } } },
    /forward.0: an RTMP address is/,
  ],
  ['a scheme that cannot be spoken', { cloud: { api: 'ftp://x' } }, /cloud.api/],
])('refuses %s', (_name, value, message) => {
  expect(() => parseConfig(value)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  expect(() => parseConfig(value)).toThrow(message)
})

test('the configuration in the README is understood, and is the defaults', async () => {
  const readme = await readFile(join(repository, 'README.md'), 'utf8')
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  expect(yaml.length).toBeGreaterThan(200)
  const { rtmp, grpc, ...rest } = parseConfig(parse(yaml))
  const { rtmp: _rtmp, grpc: _grpc, ...defaults } = parseConfig({})
  expect(rest).toEqual(defaults)
  expect([rtmp.port, grpc.port]).toEqual([1935, 38080]) // Absent: these, if they are free.
})
