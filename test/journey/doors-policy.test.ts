import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDoors, send, upgradeHeaders } from '../support/door-rig.ts'
import { fakeUnit } from '../support/live-units.ts'
import { RtmpClient } from '../support/rtmp-client.ts'

// RELIABILITY.md H2: one policy on every transport that carries pictures. Each row is a credential, each column a
// transport; what may watch opens every way to watch, what may send every way to send, and nothing else.

type Outcome = 'in' | 'Unauthenticated' | 'PermissionDenied'
type Transport = 'HTTP-FLV' | 'WS-FLV' | 'RTMP play' | 'RTMP publish' | 'phone'

const nms = { play: 'a secret for those who watch', publish: 'a secret for those who send' }
let doors: Awaited<ReturnType<typeof openDoors>>
/** The query of each credential, for the stream `cam`. */
const queries = new Map<string, string>()

beforeAll(async () => {
  doors = await openDoors({ nms })
  const live = doors.hub.publish({ name: 'cam', kind: 'test', identity: 'x', onDisplaced: () => undefined })
  live.push(fakeUnit({ key: true }))
  for (const role of ['viewer', 'publisher'] as const) {
    const link = (stream: string, forS: number) =>
      doors.links.sign({ role, stream, expiresAtS: Math.floor(Date.now() / 1000) + forS })
    queries.set(`${role} link`, link('cam', 60))
    queries.set(`${role} link of another stream`, link('door', 60))
    queries.set(`${role} link, too old`, link('cam', -2))
    queries.set(`${role} link, changed`, link('cam', 60).replace(/exp=\d/, 'exp=9'))
    queries.set(`${role} token of the stream`, `token=${await doors.token(role, 'cam')}`)
    queries.set(`${role} token of another stream`, `token=${await doors.token(role, 'door')}`)
    queries.set(`${role} token of all streams`, `token=${await doors.token(role)}`)
  }
  for (const role of ['operator', 'admin', 'device'] as const) {
    queries.set(`${role} token`, `token=${await doors.token(role)}`)
  }
  queries.set('nothing', '')
  queries.set('a token that is none', `token=${'x'.repeat(43)}`)
  const exp = Math.floor(Date.now() / 1000) + 60
  const signed = (path: string, secret: string) =>
    `sign=${exp}-${createHash('md5').update(`${path}-${exp}-${secret}`).digest('hex')}`
  queries.set('Node-Media-Server’s, to watch', signed('/live/cam', nms.play))
  queries.set('Node-Media-Server’s, to send', signed('/live/cam', nms.publish))
  queries.set('Node-Media-Server’s, of another stream', signed('/live/door', nms.play))
})
afterAll(() => doors[Symbol.asyncDispose]())

const asked: Record<Transport, (query: string) => Promise<Outcome>> = {
  'HTTP-FLV': async (query) => {
    const abort = new AbortController()
    const url = `http://127.0.0.1:${doors.port}/live/cam.flv?${query}`
    const response = await fetch(url, { signal: abort.signal })
    const outcome = ofStatus(response.status)
    abort.abort()
    return outcome
  },
  'WS-FLV': (query) => upgraded(`/live/cam.flv?${query}`),
  phone: (query) => upgraded(`/android-cam?stream=cam&${query}`),
  'RTMP play': (query) => overRtmp('cam', query, 'play'),
  // Published already: who is let in learns that, who is not is told why.
  'RTMP publish': (query) => overRtmp('cam', query, 'publish'),
}

async function upgraded(path: string): Promise<Outcome> {
  return ofStatus((await send({ port: doors.port, path, headers: upgradeHeaders })).status)
}

async function overRtmp(name: string, query: string, mode: 'play' | 'publish'): Promise<Outcome> {
  const url = `rtmp://127.0.0.1:${doors.rtmpPort}/live/${name}?${query}`
  await using client = await RtmpClient.open(url, mode)
  const message = client.error?.message ?? ''
  if (message === '' || /another publisher/.test(message)) return 'in'
  if (/does not allow|bound to one stream/.test(message)) return 'PermissionDenied'
  expect(message).toMatch(/needs a token|link is wrong|link has expired/)
  return 'Unauthenticated'
}

function ofStatus(status: number): Outcome {
  if (status === 401) return 'Unauthenticated'
  if (status === 403) return 'PermissionDenied'
  expect([200, 101]).toContain(status)
  return 'in'
}

const yes = 'in'
const who = 'Unauthenticated'
const no = 'PermissionDenied'
const table: [credential: string, watch: Outcome, send: Outcome][] = [
  ['nothing', who, who],
  ['a token that is none', who, who],
  ['viewer token of the stream', yes, no],
  ['viewer token of another stream', no, no],
  ['viewer token of all streams', yes, no],
  ['publisher token of the stream', no, yes],
  ['publisher token of another stream', no, no],
  ['publisher token of all streams', no, yes],
  ['operator token', yes, no],
  ['admin token', yes, yes],
  ['device token', no, no],
  ['viewer link', yes, who],
  ['viewer link of another stream', who, who],
  ['viewer link, too old', who, who],
  ['viewer link, changed', who, who],
  ['publisher link', who, yes],
  ['publisher link of another stream', who, who],
  ['publisher link, too old', who, who],
  ['publisher link, changed', who, who],
  ['Node-Media-Server’s, to watch', yes, who],
  ['Node-Media-Server’s, to send', who, yes],
  ['Node-Media-Server’s, of another stream', who, who],
]

test('the table has a row for every credential', () => {
  expect(table.map(([credential]) => credential).sort()).toEqual([...queries.keys()].sort())
})

describe.each(['HTTP-FLV', 'WS-FLV', 'RTMP play'] as const)('%s', (transport) => {
  test.each(table)('%s: %s', async (credential, watch) => {
    expect(await asked[transport](queries.get(credential) ?? '')).toBe(watch)
  })
})

describe.each(['RTMP publish', 'phone'] as const)('%s', (transport) => {
  // Two rules of phones: without anything one may come in and wait to be allowed; Node-Media-Server has no phones,
  // so that its links, which name the app, open none.
  const ofPhones: Record<string, Outcome> = { nothing: yes, 'Node-Media-Server’s, to send': who }
  test.each(table)('%s: (%s to watch) %s', async (credential, _watch, sending) => {
    const expected = transport === 'phone' ? (ofPhones[credential] ?? sending) : sending
    expect(await asked[transport](queries.get(credential) ?? '')).toBe(expected)
  })
})

test('a phone that was let in by a link is of that stream, one that brought nothing is of none', async () => {
  const before = doors.phones.length
  await asked.phone(queries.get('publisher link') ?? '')
  await asked.phone('')
  await expect.poll(() => doors.phones.length).toBe(before + 2)
  expect(doors.phones.slice(before).map(({ principal }) => principal)).toMatchObject([
    { role: 'publisher', stream: 'cam', via: 'link' },
    { role: 'anonymous' },
  ])
  expect(doors.phones.at(-1)?.principal.stream).toBeUndefined()
})
