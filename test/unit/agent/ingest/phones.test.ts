import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHub } from '../../../../agent/hub/hub.ts'
import { PhoneBroadcast } from '../../../../agent/ingest/phone-broadcast.ts'
import type { PhonePrincipal } from '../../../../agent/ingest/phone-connection.ts'
import { Phones, type PhonesOptions } from '../../../../agent/ingest/phones.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { FakePhone, parameterSets, picture } from '../../../support/fake-phone.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

const anonymous = { role: 'anonymous', subject: 'anonymous' }
const publisher = (subject: string, stream?: string): PhonePrincipal => ({
  role: 'publisher',
  subject,
  ...(stream === undefined ? {} : { stream }),
})

let clock: ManualClock
let log: string[]
let units: { stream: string; unit: AccessUnit }[]
let allowed: Set<string>
let phones: Phones
let broadcast: PhoneBroadcast
let diskFull: boolean

function make(options: Partial<PhonesOptions> = {}): Phones {
  let opened = 0
  const hub = createHub({
    clock,
    onEvent: () => undefined,
    openSink: (stream) => ({
      write: (unit) => {
        units.push({ stream, unit })
        log.push(`${stream} unit`)
      },
      gap: (gap) => log.push(`${stream} gap ${gap.cause} ${gap.units}`),
      end: () => log.push(`${stream} away`),
    }),
  })
  return new Phones({
    clock,
    hub,
    recordings: {
      begin: ({ streams }) => {
        opened += 1
        log.push(`begin r${opened} ${streams}`)
        const saved = diskFull ? Promise.reject(new Error('no space')) : Promise.resolve()
        return { id: `r${opened}`, saved }
      },
      join: (id, stream) => {
        log.push(`join ${id} ${stream}`)
        return true
      },
      endStream: async (id, stream, { to, fps }) => {
        log.push(`end ${id} ${stream} ${to - clock.nowMs()} ${fps?.value.toFixed(1)} ${fps?.source}`)
      },
    },
    allowWithoutToken: true,
    allowed: { has: (key) => allowed.has(key), remember: async (key) => void allowed.add(key) },
    onRoundTrip: (stream, ms) => log.push(`${stream} rtt ${ms}`),
    onEvent: (event) => {
      if (event.type === 'fault') log.push(`fault ${event.message}`)
    },
    ...options,
  })
}

function connect(principal: PhonePrincipal = anonymous, address = '192.168.1.20'): FakePhone {
  const phone = new FakePhone()
  phones.connect(phone.socket, { principal, address })
  return phone
}

const bootMs = 8_000_000
/** Pictures n … m − 1, 100 ms apart, by a phone that was switched on 8000 s ago. */
async function film(phone: FakePhone, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    phone.film(bootMs + n * 100, picture(n))
    await clock.advance(100)
  }
}
const lines = () => log.filter((line) => !line.includes('rtt'))
/** The log with runs of units counted. */
const story = () =>
  lines().reduce<string[]>((told, line) => {
    const last = told.at(-1)?.replace(/ x\d+$/, '')
    const count = Number(/ x(\d+)$/.exec(told.at(-1) ?? '')?.[1] ?? 1)
    if (line.endsWith(' unit') && last === line) told[told.length - 1] = `${line} x${count + 1}`
    else told.push(line)
    return told
  }, [])

beforeEach(() => {
  clock = new ManualClock()
  log = []
  units = []
  allowed = new Set()
  diskFull = false
  phones = make()
  broadcast = new PhoneBroadcast({ clock, phones: () => phones.connected() })
})
afterEach(() => phones[Symbol.dispose]())

describe('a capture that a phone starts by itself', () => {
  test('is a recording of its own, from the first picture to the last', async () => {
    const phone = connect()
    phone.hello()
    phone.say({ status: 'capture_started', rotation: 90 })
    await film(phone, 0, 30)
    phone.say({ status: 'capture_stopped' })
    await clock.advance(1000)
    expect(story()).toEqual([
      'begin r1 Pixel-6a-192.168.1.20',
      'Pixel-6a-192.168.1.20 unit x30',
      'Pixel-6a-192.168.1.20 away',
      'end r1 Pixel-6a-192.168.1.20 -299 10.0 arrival',
    ])
    expect(units[0]?.unit.config).toMatchObject({ rotation: 90, width: 640 })
    expect(phones.list()).toMatchObject([{ id: 'Pixel-6a-192.168.1.20', state: 'ready', model: 'Pixel 6a' }])
  })

  test('pictures a moment before capture_started belong to it and know how the phone is held', async () => {
    const phone = connect()
    phone.film(bootMs, picture(0))
    phone.film(bootMs + 100, picture(1))
    expect(log).toEqual([])
    phone.say({ status: 'capture_started', rotation: 270 })
    expect(story()).toEqual(['begin r1 phone-192.168.1.20', 'phone-192.168.1.20 unit x2'])
    expect(units[0]?.unit.config).toMatchObject({ rotation: 270 })
  })

  test('pictures without any capture_started are recorded all the same', async () => {
    const phone = connect()
    await film(phone, 0, 8)
    expect(story()).toEqual(['begin r1 phone-192.168.1.20', 'phone-192.168.1.20 unit x8'])
    phone.vanish()
    await clock.advance(29_000)
    expect(phones.list()[0]?.state).toBe('lost')
    await clock.advance(1500)
    expect(story().at(-1)).toMatch(/^end r1 phone-192.168.1.20 -\d+ 10.0 arrival$/)
    expect(phones.list()).toEqual([])
  })

  test('pictures that fill the memory do not wait for a word', async () => {
    const phone = connect()
    phone.hello()
    const large = Buffer.concat([picture(0, { key: true }), Buffer.alloc(5 * 1024 * 1024, 1)])
    phone.film(bootMs, large)
    expect(story()).toEqual([])
    phone.film(bootMs + 100, large)
    expect(story()).toEqual(['begin r1 Pixel-6a-192.168.1.20', 'Pixel-6a-192.168.1.20 unit x2'])
  })

  test('pictures that an encoder still had when it was stopped belong to it', async () => {
    const phone = connect()
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 3)
    phone.say({ status: 'capture_stopped' })
    await film(phone, 3, 5)
    await clock.advance(500)
    expect(story()).toEqual([
      'begin r1 phone-192.168.1.20',
      'phone-192.168.1.20 unit x5',
      'phone-192.168.1.20 away',
      expect.stringMatching(/^end r1/),
    ])
  })

  test('is followed by another one', async () => {
    const phone = connect()
    for (const take of [1, 2]) {
      phone.say({ status: 'capture_started' })
      phone.sequence = 0
      await film(phone, take * 10, take * 10 + 5)
      phone.say({ status: 'capture_stopped' })
      if (take === 2) phone.vanish()
    }
    await clock.advance(500)
    expect(log.filter((line) => /^(begin|end)/.test(line)).map((line) => line.slice(0, 8).trim())).toEqual([
      'begin r1',
      'end r1 p',
      'begin r2',
      'end r2 p',
    ])
    expect(log.filter((line) => line.includes('gap'))).toEqual([])
  })
})

test('a mistake of ours costs one phone its connection, and nobody else', async () => {
  phones[Symbol.dispose]()
  phones = make({
    onRoundTrip: (stream) => {
      if (stream === 'bad') throw new TypeError('a mistake')
    },
  })
  const [bad, good] = [connect(publisher('bad', 'bad')), connect(publisher('good', 'good'))]
  await clock.advance(200)
  expect(bad.closedWith).toMatchObject({ code: 1011 })
  expect(good.closedWith).toBeUndefined()
  expect(log).toContain('fault a phone failed')
  good.say({ status: 'capture_started' })
  await film(good, 0, 3)
  expect(story().at(-1)).toBe('good unit x3')
})

describe('parameter sets', () => {
  test('before capture_started, at time 0, serve the pictures after it', async () => {
    const phone = connect()
    phone.film(0, parameterSets)
    phone.sequence = 0
    phone.say({ status: 'capture_started' })
    phone.film(bootMs, picture(0, { sets: false }))
    expect(story()).toEqual(['begin r1 phone-192.168.1.20', 'phone-192.168.1.20 unit'])
    expect(units[0]?.unit.ptsMs).toBe(clock.nowMs())
  })
})

describe('bad packets', () => {
  test('are refused and counted, and the session goes on', async () => {
    const phone = connect()
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 5)
    phone.send(Uint8Array.of(1, 2, 3))
    phone.say('{not json')
    phone.sequence += 1
    await film(phone, 6, 10)
    expect(story()).toEqual([
      'begin r1 phone-192.168.1.20',
      'phone-192.168.1.20 unit x5',
      'phone-192.168.1.20 gap bad-packet 1',
      'phone-192.168.1.20 unit x4',
    ])
    expect(phones.list()[0]?.refused).toEqual({ 'bad-packet': 1, 'bad-text': 1 })
    expect(phone.closedWith).toBeUndefined()
  })

  test('and nothing else close the connection', async () => {
    const phone = connect()
    phone.say({ status: 'capture_started' })
    for (let n = 0; n < 100; n += 1) phone.send(Uint8Array.of(n))
    expect(phone.closedWith).toMatchObject({ code: 1008, reason: 'too many bad packets' })
    expect(phones.list()[0]).toMatchObject({ state: 'lost', refused: { 'bad-packet': 4 } })
  })

  test('more pictures than any camera takes are refused', async () => {
    const phone = connect()
    phone.say({ status: 'capture_started' })
    for (let n = 0; n < 12_000; n += 1) phone.film(bootMs + n, picture(n))
    expect(units).toHaveLength(10_000)
    expect(phones.list()[0]?.refused).toEqual({ 'too-fast': 2000 })
  })

  test('a flood of texts closes the connection', () => {
    const phone = connect()
    for (let n = 0; n < 200; n += 1) phone.say({ status: 'ready' })
    expect(phone.closedWith).toMatchObject({ reason: 'too many messages' })
  })
})

describe('a phone that comes back', () => {
  test('within 30 s continues the same recording, with a gap, and is told to film again', async () => {
    const phone = connect()
    phone.hello()
    const started = broadcast.start({ bitrateMb: 8, fps: 10 })
    await settle()
    phone.say({ status: 'capture_started' })
    expect(await started).toMatchObject({ recording: 'r1' })
    await film(phone, 0, 5)
    phone.vanish()
    await clock.advance(12_000)
    const again = connect()
    again.hello()
    await settle()
    expect(JSON.parse(again.heard[0] ?? '')).toEqual({
      command: 'start_capture',
      payload: { format: 'h264', bitrate: 8, fps: 10 },
    })
    again.say({ status: 'capture_started' })
    await film(again, 130, 133)
    again.say({ status: 'capture_stopped' })
    await clock.advance(1000)
    expect(story()).toEqual([
      'begin r1 Pixel-6a-192.168.1.20',
      'Pixel-6a-192.168.1.20 unit x5',
      'Pixel-6a-192.168.1.20 away',
      'Pixel-6a-192.168.1.20 gap source-lost undefined',
      'Pixel-6a-192.168.1.20 unit x3',
      'Pixel-6a-192.168.1.20 away',
      expect.stringMatching(/^end r1/),
    ])
    expect(units.at(-1)?.unit.epoch).toBe(0)
  })

  test('and does not film again loses its recording 30 s after the loss', async () => {
    const phone = connect()
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 3)
    phone.vanish()
    await clock.advance(20_000)
    const again = connect()
    again.say({ status: 'ready' })
    await clock.advance(9000)
    expect(again.command).toBe('start_capture')
    expect(story().some((line) => line.startsWith('end'))).toBe(false)
    await clock.advance(2000)
    expect(story().at(-1)).toMatch(/^end r1/)
    expect(phones.list()).toMatchObject([{ state: 'ready' }])
  })

  test('over a connection that nobody closed takes its place', async () => {
    const phone = connect(publisher('left', 'left'))
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 3)
    const again = connect(publisher('left', 'left'))
    expect(phone.closedWith).toMatchObject({ reason: 'the phone has connected again' })
    await film(again, 10, 12)
    expect(story().at(-2)).toBe('left gap source-lost 7'.replace('7', 'undefined'))
    expect(phones.list()).toMatchObject([{ id: 'left', state: 'capturing' }])
  })

  test('without answer to pings it is a ghost whose place the same phone takes', async () => {
    const phone = connect()
    phone.alive = false
    phone.hello()
    await clock.advance(5000)
    const again = connect()
    again.hello()
    await settle()
    expect(phone.closedWith).toBeDefined()
    expect(phones.list()).toHaveLength(1)
  })

  test('a second phone of the same model and address is another phone', async () => {
    const first = connect()
    const second = connect()
    first.hello()
    second.hello()
    expect(phones.list().map(({ id }) => id)).toEqual(['Pixel-6a-192.168.1.20', 'Pixel-6a-192.168.1.20-2'])
    await film(second, 0, 7)
    expect(units.every(({ stream }) => stream.endsWith('-2'))).toBe(true)
  })

  describe('with others of its model at its address', () => {
    const boots = [bootMs, 3_000_000, 44_000_000]
    const names = ['Pixel-6a-192.168.1.20', 'Pixel-6a-192.168.1.20-2', 'Pixel-6a-192.168.1.20-3']
    let elapsed = 0
    /** A picture of each of these phones, by which phone it is. */
    const shoot = async (cameras: [number, FakePhone][], n: number) => {
      for (const [who, camera] of cameras)
        camera.film((boots[who] ?? 0) + elapsed, picture(n * 3 + who, { key: true }))
      elapsed += 100
      await clock.advance(100)
    }
    const begin = async (count: number) => {
      elapsed = 0
      const cameras = Array.from({ length: count }, (_, who): [number, FakePhone] => [who, connect()])
      for (const [, camera] of cameras) {
        camera.hello()
        camera.say({ status: 'capture_started' })
      }
      for (let n = 0; n < 10; n += 1) await shoot(cameras, n)
      return cameras
    }
    /** Runs of one clock, one for each phone whose pictures the stream has. */
    const sources = (stream: string | undefined) =>
      new Set(units.filter((each) => each.stream === stream).map(({ unit }) => unit.epoch)).size
    const back = (who: number): [number, FakePhone] => {
      const camera = connect()
      camera.hello()
      return [who, camera]
    }

    test.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]], [[2, 0, 1]], [[1, 0, 2]]])(
      'in whatever order they come back (%j), each goes on where it was',
      async (order) => {
        for (const [, camera] of await begin(3)) camera.vanish()
        elapsed += 4000
        await clock.advance(4000)
        const cameras = order.map(back)
        expect(cameras.every(([, camera]) => camera.command === 'start_capture')).toBe(true)
        for (const [, camera] of cameras) {
          camera.say({ status: 'capture_started' })
          camera.film(0, parameterSets)
        }
        for (let n = 20; n < 30; n += 1) await shoot(cameras, n)
        expect(names.map(sources)).toEqual([1, 1, 1])
        expect(lines().filter((line) => line.startsWith('begin'))).toHaveLength(3)
        expect(lines().filter((line) => line.startsWith('end'))).toEqual([])
        expect(phones.list().map(({ id, state }) => `${id} ${state}`)).toEqual(
          names.map((name) => `${name} capturing`),
        )
      },
    )

    test('one comes back, the other stays away: the recording of the other ends', async () => {
      for (const [, camera] of await begin(2)) camera.vanish()
      const camera = back(1)
      camera[1].say({ status: 'capture_started' })
      for (let n = 20; n < 30; n += 1) await shoot([camera], n)
      elapsed += 31_000
      await clock.advance(31_000)
      await shoot([camera], 31)
      expect(lines().filter((line) => line.startsWith('end'))).toEqual([
        expect.stringContaining(`r1 ${names[0]} `),
      ])
      expect(sources(names[1])).toBe(1)
      expect(sources(names[0])).toBe(1)
    })

    test('clocks that say nothing leave them where they were put', async () => {
      const cameras = await begin(2)
      for (const [, camera] of cameras) camera.vanish()
      await clock.advance(2000)
      const [, first] = back(0)
      first.say({ status: 'capture_started' })
      first.film(900_000_000, picture(3, { key: true }))
      await clock.advance(100)
      expect(phones.list()).toMatchObject([
        { id: names[0], state: 'capturing' },
        { id: names[1], state: 'lost' },
      ])
    })

    test('one that says that it has stopped, or is lost again, is held no longer', async () => {
      for (const [, camera] of await begin(2)) camera.vanish()
      const [, first] = back(1)
      first.say({ status: 'capture_started' })
      first.vanish()
      const [, again] = back(1)
      again.say({ status: 'capture_stopped' })
      await clock.advance(1500)
      expect(lines().filter((line) => line.startsWith('end'))).toHaveLength(1)
      again.vanish()
      await clock.advance(31_000)
      expect(phones.list()).toEqual([])
    })
  })

  test('after a restart of the agent finds its recording', async () => {
    const recording = {
      version: 1 as const,
      id: 'before',
      agent: 'lab',
      rev: 2,
      state: 'open' as const,
      labels: [],
      createdAt: 1,
      from: 1,
      to: null,
      streams: [
        { name: 'phone-192.168.1.20', from: 1, to: null, segments: [], gaps: [] },
        { name: 'phone-192.168.1.21', from: 1, to: null, segments: [], gaps: [] },
      ],
    }
    phones.resume([recording])
    expect(phones.list().map(({ id, state }) => `${id} ${state}`)).toEqual([
      'phone-192.168.1.20 lost',
      'phone-192.168.1.21 lost',
    ])
    await clock.advance(4000)
    const phone = connect()
    phone.say({ status: 'ready' })
    await clock.advance(1000)
    expect(phone.command).toBe('start_capture')
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 3)
    phone.say({ status: 'capture_stopped' })
    await clock.advance(30_000)
    expect(story()).toEqual([
      'phone-192.168.1.20 unit x3',
      'phone-192.168.1.20 away',
      expect.stringMatching(/^end before phone-192.168.1.20 /),
      expect.stringMatching(/^end before phone-192.168.1.21 /),
    ])
  })
})

describe('all phones at once', () => {
  test('start as one recording, and each one answers', async () => {
    const [a, b, c] = [
      connect(publisher('a', 'a')),
      connect(publisher('b', 'b')),
      connect(publisher('c', 'c')),
    ]
    const silent = connect()
    silent.hello()
    const answer = broadcast.start({ bitrateMb: 4, fps: 0 })
    await settle()
    for (const phone of [a, b, c, silent]) expect(phone.command).toBe('start_capture')
    a.say({ status: 'capture_started' })
    b.say({ status: 'capture_started' })
    c.say({ status: 'error', message: 'camera in use' })
    await clock.advance(5000)
    expect(await answer).toEqual({
      sent: ['a', 'b', 'c', 'Pixel-6a-192.168.1.20'],
      started: ['a', 'b'],
      failed: [
        { name: 'c', reason: 'camera in use', reasonZh: 'camera in use' },
        { name: 'Pixel-6a-192.168.1.20', reason: 'no answer', reasonZh: '没有回应' },
      ],
      recording: 'r1',
    })
    silent.say({ status: 'capture_started' })
    await film(silent, 0, 2)
    expect(story().slice(0, 3)).toEqual(['begin r1 a', 'join r1 b', 'join r1 Pixel-6a-192.168.1.20'])
  })

  test('stop, and each one answers', async () => {
    const [a, b, c] = [
      connect(publisher('a', 'a')),
      connect(publisher('b', 'b')),
      connect(publisher('c', 'c')),
    ]
    for (const phone of [a, b]) {
      phone.say({ status: 'capture_started' })
      await film(phone, 0, 2)
    }
    const answer = broadcast.stop()
    await settle()
    expect([a.command, b.command, c.command]).toEqual(['stop_capture', 'stop_capture', undefined])
    a.say({ status: 'capture_stopped' })
    b.vanish()
    expect(await answer).toEqual({
      sent: ['a', 'b'],
      stopped: ['a'],
      failed: [{ name: 'b', reason: 'its connection was lost', reasonZh: '连接已断开' }],
    })
  })

  test('nobody there: nobody started', async () => {
    expect(await broadcast.start({ bitrateMb: 4, fps: 10 })).toEqual({ sent: [], started: [], failed: [] })
    expect(await broadcast.stop()).toEqual({ sent: [], stopped: [], failed: [] })
  })

  test('the first picture does for capture_started', async () => {
    const a = connect(publisher('a', 'a'))
    const answer = broadcast.start({ bitrateMb: 4, fps: 10 })
    await settle()
    await film(a, 0, 8)
    expect(await answer).toMatchObject({ started: ['a'], recording: 'r1' })
  })
})

describe('a recording that somebody stops', () => {
  test('stops its phones', async () => {
    const phone = connect(publisher('a', 'a'))
    phone.say({ status: 'capture_started' })
    await film(phone, 0, 2)
    phones.recordingStopped('r1')
    expect(phone.command).toBe('stop_capture')
    phone.say({ status: 'capture_stopped' })
    await clock.advance(1000)
    expect(story().filter((line) => line.startsWith('end'))).toEqual([])
    expect(phones.list()).toMatchObject([{ state: 'ready' }])
  })

  test('is not one to come back to', async () => {
    const phone = connect(publisher('a', 'a'))
    await film(phone, 0, 8)
    phone.vanish()
    phones.recordingStopped('r1')
    const again = connect(publisher('a', 'a'))
    again.hello()
    expect(again.heard).toEqual([])
  })
})

test('a disk that refuses the recording is asked again, and live goes on', async () => {
  diskFull = true
  const phone = connect(publisher('a', 'a'))
  phone.say({ status: 'capture_started' })
  await film(phone, 0, 20)
  diskFull = false
  await film(phone, 20, 70)
  expect(units).toHaveLength(70)
  expect(log.filter((line) => /^(begin|fault)/.test(line))).toEqual([
    'begin r1 a',
    'fault the recording of a phone could not be opened, it will be tried again',
    'begin r2 a',
  ])
})

describe('an unknown phone', () => {
  beforeEach(() => {
    phones = make({ allowWithoutToken: false })
  })

  test('waits; nothing of it is shown or recorded until somebody allows it, and then it is remembered', async () => {
    const phone = connect()
    phone.hello()
    phone.say({ status: 'capture_started', rotation: 90 })
    phone.film(0, parameterSets)
    phone.sequence = 0
    await film(phone, 0, 12)
    expect(log).toEqual([])
    expect(phones.list()).toMatchObject([
      {
        id: 'Pixel-6a-192.168.1.20',
        state: 'waiting',
        model: 'Pixel 6a',
        address: '192.168.1.20',
        refused: { waiting: 12 },
        resolutions: [{ width: 1920, height: 1080 }],
      },
    ])
    expect(await phones.allow('Pixel-6a-192.168.1.20')).toMatchObject({ state: 'capturing' })
    await film(phone, 12, 14)
    phone.film(bootMs + 2000, picture(20, { sets: false }))
    expect(story()).toEqual(['begin r1 Pixel-6a-192.168.1.20', 'Pixel-6a-192.168.1.20 unit x3'])
    expect(phones.list()[0]?.refused).toEqual({ waiting: 12 })

    const next = connect()
    next.hello()
    expect(phones.list().map(({ state }) => state)).toEqual(['capturing', 'ready'])
  })

  test('is let in by a token, or by its address', () => {
    connect(publisher('left')).hello()
    phones[Symbol.dispose]()
    phones = make({ allowWithoutToken: ['10.0.0.7'] })
    connect(anonymous, '::ffff:10.0.0.7').hello()
    connect(anonymous, '10.0.0.8').hello()
    expect(phones.list().map(({ id, state }) => `${id} ${state}`)).toEqual([
      'Pixel-6a-10.0.0.8 waiting',
      'Pixel-6a-10.0.0.7 ready',
    ])
  })

  test('is one of a few, and not for ever', async () => {
    const waiting = Array.from({ length: 22 }, () => connect())
    for (const phone of waiting) phone.hello()
    expect(phones.counts).toEqual({ connected: 0, waiting: 20 })
    expect(waiting.map(({ closedWith }) => closedWith?.reason)).toEqual([
      ...Array.from({ length: 20 }, () => undefined),
      'too many phones wait',
      'too many phones wait',
    ])
    await clock.advance(601_000)
    expect(phones.counts.waiting).toBe(0)
  })

  test('leaves room for those with a token', () => {
    const strangers = Array.from({ length: 120 }, () => connect())
    expect(strangers.filter(({ closedWith }) => closedWith?.code === 1013)).toHaveLength(20)
    const known = connect(publisher('cam', 'cam'))
    expect(known.closedWith).toBeUndefined()
    expect(phones.list()).toMatchObject([{ id: 'cam' }])
  })

  test('that is not there cannot be allowed', async () => {
    await expect(phones.allow('nobody')).rejects.toMatchObject({ kind: 'NotFound' })
  })

  test('that never says what it is waits by its address', async () => {
    connect().say({ status: 'ready' })
    expect(phones.list()).toEqual([])
    await clock.advance(700)
    expect(phones.list()).toMatchObject([{ id: 'phone-192.168.1.20', state: 'waiting' }])
  })
})

describe('names', () => {
  test('are those of the token, and never two phones have one', () => {
    connect(publisher('studio')).hello()
    connect(publisher('studio')).hello()
    connect(publisher('any', 'door')).hello()
    connect({ role: 'admin', subject: 'admin' }).hello()
    expect(phones.list().map(({ id }) => id)).toEqual(['studio', 'studio-2', 'door', 'Pixel-6a-192.168.1.20'])
  })
})

test('a token that is revoked takes its phones along, whether they film or not', async () => {
  const [films, waits, other] = [connect(publisher('a', 'a')), connect(publisher('a', 'b')), connect()]
  films.hello()
  await film(films, 0, 3)
  waits.hello()
  phones.revoked('a')
  expect([films, waits, other].map(({ closedWith }) => closedWith?.reason)).toEqual([
    'its token was revoked',
    'its token was revoked',
    undefined,
  ])
})

test('the round trip is measured every two seconds and told with the stream', async () => {
  const phone = connect(publisher('a', 'a'))
  await clock.advance(7000)
  expect(phone.pings).toBe(4)
  expect(log).toEqual(['a rtt 0', 'a rtt 0', 'a rtt 0', 'a rtt 0'])
  expect(phones.list()[0]?.roundTripMs).toBe(0)
})

test('an answer to an old ping is not taken for a quick one', async () => {
  const phone = connect(publisher('a', 'a'))
  phone.alive = false
  await clock.advance(7000)
  expect(phone.pings).toBe(1)
  phone.pong()
  expect(log.map((line) => Math.round(Number(line.split(' ')[2])))).toEqual([6900])
})
