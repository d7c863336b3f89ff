import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseRawEvent, parseRawKey, rawCreatedEvent } from '../../../../cloud/jobs/raw-event.ts'
import { openLocalCloud } from '../../../../cloud/local/local-cloud.ts'
import { isInside, keyPath } from '../../../../cloud/local/object-path.ts'
import { isKey } from '../../../../cloud/object-key.ts'
import { AppError } from '../../../../shared/error.ts'
import { receiveCountMax } from '../../../../shared/limits.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

let dir = ''
const clock = new FakeClock()
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgereel-local-'))
})
afterEach(() => rm(dir, { recursive: true }))

const body = new TextEncoder().encode('{}')
const options = { sizeBytes: body.length, contentType: 'application/json', ifAbsent: true }
const manifestKey = 'raw/a/s/1700000000000-000001.json'

test('messages and rows survive a restart, and what was in hand is given out again at once', async () => {
  {
    await using cloud = await openLocalCloud({ dir, clock })
    await cloud.catalogue.put(
      { pk: 'p', sk: 's', gsi2pk: 'W#open', gsi2sk: 'x', leaseUntil: clock.nowMs() + 60_000 },
      'absent',
    )
    await cloud.queue.send('mux', 'in hand')
    await cloud.queue.receive('mux', { max: 1, visibilityS: 90 })
  }
  await using cloud = await openLocalCloud({ dir, clock })
  expect(await cloud.queue.receive('mux', { max: 1, visibilityS: 90 })).toMatchObject([
    { body: 'in hand', receiveCount: 2 },
  ])
  expect(await cloud.catalogue.get('p', 's')).toMatchObject({ leaseUntil: 0 })
})

test('a manifest sends one event; a second try to create it, another', async () => {
  await using cloud = await openLocalCloud({ dir, clock })
  await cloud.store.put('raw/a/s/1700000000000-000001.idx', body, options)
  expect((await cloud.queue.depth('mux')).waiting).toBe(0)
  await cloud.store.put(manifestKey, body, options)
  await expect(cloud.store.put(manifestKey, body, options)).rejects.toMatchObject({ kind: 'AlreadyExists' })
  const events = await cloud.queue.receive('mux', { max: 10, visibilityS: 30 })
  expect(events.map((event) => parseRawEvent(event.body))).toEqual([
    [parseRawKey(manifestKey)],
    [parseRawKey(manifestKey)],
  ])
})

test('the signing key is for the owner alone and stays the same', async () => {
  const sign = async () => {
    await using cloud = await openLocalCloud({ dir, clock })
    return await cloud.store.presignGet({ key: 'media/x.mp4', expiresS: 60 })
  }
  const first = await sign()
  expect((await stat(join(dir, 'cloud.key'))).mode & 0o777).toBe(0o600)
  expect(await sign()).toBe(first)
  await writeFile(join(dir, 'cloud.key'), 'short')
  await expect(openLocalCloud({ dir, clock })).rejects.toMatchObject({ kind: 'FailedPrecondition' })
})

test('with a lost database the objects are there, with their checksums', async () => {
  {
    await using cloud = await openLocalCloud({ dir, clock })
    await cloud.store.put(manifestKey, body, options)
  }
  for (const file of await readdir(dir)) if (file.startsWith('cloud.db')) await rm(join(dir, file))
  await using cloud = await openLocalCloud({ dir, clock })
  expect(await cloud.store.head(manifestKey)).toMatchObject({
    sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  })
})

test('half a file of a killed process goes at the next start', async () => {
  {
    await using _cloud = await openLocalCloud({ dir, clock })
  }
  await writeFile(join(dir, 'archive', '.tmp', 'half'), 'x')
  await using cloud = await openLocalCloud({ dir, clock })
  expect(await readdir(join(dir, 'archive', '.tmp'))).toEqual([])
  expect((await cloud.store.list('')).keys).toEqual([])
})

test('a link that leads out of the archive is neither read nor written through', async () => {
  await using cloud = await openLocalCloud({ dir, clock })
  const outside = join(dir, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'secret.json'), 'secret')
  await mkdir(join(dir, 'archive', 'raw'))
  await symlink(outside, join(dir, 'archive', 'raw', 'a'))
  expect(await cloud.store.head('raw/a/secret.json')).toBeUndefined()
  await expect(cloud.store.get('raw/a/secret.json')).rejects.toMatchObject({ kind: 'NotFound' })
  await expect(cloud.store.put('raw/a/new.json', body, options)).rejects.toMatchObject({
    kind: 'PermissionDenied',
  })
  expect(await readdir(outside)).toEqual(['secret.json'])
})

test.each([
  '../x',
  'raw/../x',
  'raw//x',
  '/raw/x',
  'raw/x/',
  'raw/.tmp',
  'raw/x\0',
  'raw/a%2fb',
  'raw/a\\b',
  'raw/C:',
  'other/x',
  'raw',
  `raw/${'x'.repeat(600)}`,
  'raw/é',
  '',
])('is no key: %j', (key) => {
  expect(isKey(key)).toBe(false)
  expect(() => keyPath('/root', key)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})

test('any text is refused or stays inside of the archive', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', 'raw', 'media', '%2e', 'a', 'con'), fc.string())
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const key = parts.join('/')
      if (isKey(key)) expect(isInside('/root', keyPath('/root', key))).toBe(true)
    }),
  )
})

test('any body is an event or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.string().map((key) => rawCreatedEvent(key.toWellFormed(), 1)),
      ),
      (text) => {
        try {
          parseRawEvent(text)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
        }
      },
    ),
  )
})

test.each([
  ['raw/a/s/1700000000000-000001.json', { kind: 'segment' }],
  ['raw/a/recordings/x/3.json', { kind: 'recording', id: 'x', rev: 3 }],
  ['raw/a/recordings/1700000000000-000001.json', { kind: 'segment', id: { stream: 'recordings' } }],
])('%s is told apart', (key, expected) => {
  expect(parseRawEvent(rawCreatedEvent(key, 1))).toMatchObject([{ key, ...expected }])
})

test.each([
  'raw/a/s/x.json',
  'raw/a/recordings/x/y.json',
  'raw/a/b/c/d.json',
  'media/a/s/1700000000000-000001.json',
  'raw/con/s/1700000000000-000001.json',
])('%s is refused', (key) => {
  expect(() => parseRawKey(key)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})

test('killed between a manifest and its event, the next start sends it', async () => {
  {
    const deliver = () => {
      throw new Error('killed')
    }
    await using cloud = await openLocalCloud({ dir, clock, deliver })
    await expect(cloud.store.put(manifestKey, body, options)).rejects.toThrow('killed')
    const broken = { ...options, sizeBytes: 9 }
    await expect(cloud.store.put('raw/a/s/1700000000000-000002.json', body, broken)).rejects.toThrow()
  }
  for (const events of [[[parseRawKey(manifestKey)]], []]) {
    await using cloud = await openLocalCloud({ dir, clock })
    const received = await cloud.queue.receive('mux', { max: 10, visibilityS: 30 })
    expect(received.map((event) => parseRawEvent(event.body))).toEqual(events)
    for (const { receipt } of received) await cloud.queue.remove('mux', receipt)
  }
})

test('a message is given up after its last delivery, and does not stand before those behind it', async () => {
  await using cloud = await openLocalCloud({ dir, clock })
  await cloud.queue.send('mux', 'poison')
  for (let n = 0; n < receiveCountMax; n += 1) {
    const [poison] = await cloud.queue.receive('mux', { max: 1, visibilityS: 1 })
    expect(poison?.body).toBe('poison')
    await cloud.queue.extend('mux', poison?.receipt ?? '', 0)
  }
  clock.advance(1000)
  await cloud.queue.send('mux', 'good', { delayS: 1 })
  clock.advance(1000)
  const received = await cloud.queue.receive('mux', { max: 1, visibilityS: 30 })
  expect(received.map((message) => message.body)).toEqual(['good'])
  expect(await cloud.queue.depth('mux')).toEqual({ waiting: 0, inFlight: 1, dead: 1 })
})

test('whoever reads row after row lets others have their turn', async () => {
  await using cloud = await openLocalCloud({ dir, clock })
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  }, 0)
  for (let n = 0; n < 20_000; n += 1) await cloud.catalogue.get('p', String(n))
  clearInterval(timer)
  expect(turns).toBeGreaterThan(0)
})
