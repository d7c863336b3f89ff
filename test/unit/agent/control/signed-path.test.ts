import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSignedPaths, type LinkRequest } from '../../../../agent/control/signed-path.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const clock = new FakeClock()
const nowS = clock.nowMs() / 1000
const keyHex = 'ab'.repeat(32)
const nms = { play: 'a secret for those who watch', publish: null }
const links = createSignedPaths({ keyHex, nms, clock })
const ask = (query: string, more: Partial<LinkRequest> = {}) =>
  links.opens({ role: 'viewer', app: 'live', stream: 'cam', query: new URLSearchParams(query), ...more })

const ours = links.sign({ role: 'viewer', stream: 'cam', expiresAtS: nowS + 60 })
const nmsSign = (exp: number, path = '/live/cam', secret: string = nms.play) =>
  `sign=${exp}-${createHash('md5').update(`${path}-${exp}-${secret}`).digest('hex')}`

test('our links: a fixed form, that others can make who hold the key', () => {
  const links = createSignedPaths({ keyHex: '00'.repeat(32), nms: { play: null, publish: null }, clock })
  expect(links.sign({ role: 'viewer', stream: 'Cam', expiresAtS: 1_900_000_000 })).toBe(
    'exp=1900000000&sig=TIGFuL6SSUHPNvz9PN3AIgb4JNHUzshfIuoFgMikEcI',
  )
})

test.each([
  ['as it was made', ours, {}],
  ['on another app: it is no part of the name', ours, { app: 'other' }],
  ['in another case, as the hub knows streams', ours, { stream: 'CAM' }],
  ['beside other keys', `x=1&${ours}&y=2`, {}],
  ['in Node-Media-Server’s form', nmsSign(nowS + 60), {}],
  ['in that form, in its last second', nmsSign(nowS), {}],
])('opens: %s', (_name, query, more) => {
  expect(ask(query, more)).toBe(true)
})

test.each([
  ['for another role', ours, { role: 'publisher' as const }, /wrong/],
  ['for another stream', ours, { stream: 'door' }, /wrong/],
  ['for no stream', ours, { stream: undefined }, /wrong/],
  ['for what is no name', ours, { stream: '../cam' }, /wrong/],
  ['with a later end', ours.replace(/exp=\d+/, `exp=${nowS + 61}`), {}, /wrong/],
  ['without an end', ours.replace(/exp=\d+&/, ''), {}, /wrong/],
  ['with another end that reads the same', ours.replace('exp=', 'exp=0'), {}, /wrong/],
  ['with more behind it', `${ours}A`, {}, /wrong/],
  ['in Node-Media-Server’s form, with more behind it', `${nmsSign(nowS + 60)}0`, {}, /wrong/],
  ['cut short', ours.slice(0, -2), {}, /wrong/],
  ['empty', 'exp=&sig=', {}, /wrong/],
  ['too old', links.sign({ role: 'viewer', stream: 'cam', expiresAtS: nowS - 1 }), {}, /expired/],
  ['in Node-Media-Server’s form, too old', nmsSign(nowS - 1), {}, /expired/],
  ['in that form, for another app', nmsSign(nowS + 60), { app: 'other' }, /wrong/],
  ['in that form, of another secret', nmsSign(nowS + 60, '/live/cam', 'guess'), {}, /wrong/],
  ['in that form, without a sum', `sign=${nowS + 60}`, {}, /wrong/],
  ['in that form, with text for an end', nmsSign(Number.NaN), {}, /wrong/],
])('refuses one %s', (_name, query, more, message) => {
  const refused = () => ask(query, more)
  expect(refused).toThrow(expect.objectContaining({ kind: 'Unauthenticated' }))
  expect(refused).toThrow(message)
})

test('a scheme without a secret is none: the query says nothing', () => {
  expect(ask(nmsSign(nowS + 60), { role: 'publisher' })).toBe(false)
  expect(ask('token=x')).toBe(false)
})

test('another key ends all links', () => {
  const renewed = createSignedPaths({ keyHex: 'cd'.repeat(32), nms, clock })
  const request: LinkRequest = {
    role: 'viewer',
    app: 'live',
    stream: 'cam',
    query: new URLSearchParams(ours),
  }
  expect(() => renewed.opens(request)).toThrow(/wrong/)
})
