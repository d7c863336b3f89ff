import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHub, type Hub } from '../../../../agent/hub/hub.ts'
import { type AacSound, type AacSoundEvent, createAacSound } from '../../../../agent/play/audio-aac.ts'
import { packings, playsInBrowsers } from '../../../../agent/play/packing.ts'
import { adtsHeader } from '../../../../shared/media/aac.ts'
import type { AccessUnit, AudioConfig } from '../../../../shared/media/access-unit.ts'
import { adpcmConfig, g711Config } from '../../../../shared/media/sound-config.ts'
import { type Clock, systemClock } from '../../../../shared/node/clock.ts'
import { type FfmpegChild, spawnFfmpeg } from '../../../../shared/node/ffmpeg-child.ts'
import { findFfmpeg } from '../../../../shared/node/find-ffmpeg.ts'
import { fakeAudio, fakeUnit } from '../../../support/live-units.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import {
  adpcmUnits,
  cutUnits,
  noise,
  offsetOf,
  rawSound,
  soundUnit,
  toPcm,
} from '../../../support/sound-units.ts'

const silent = { write: () => undefined, gap: () => undefined, end: () => undefined }
const source = noise(8000 * 4)
const g711 = g711Config('g711a')
const alaw = hasProgram('ffmpeg') ? cutUnits(rawSound(source, 8000, ['-f', 'alaw']), 320) : []

let hub: Hub
let sounds: AacSound
let events: AacSoundEvent[]
let children: FfmpegChild[]

beforeEach(() => {
  events = []
  children = []
  hub = createHub({ openSink: () => silent, clock: systemClock, onEvent: () => undefined })
})
afterEach(() => {
  sounds[Symbol.dispose]()
  hub[Symbol.dispose]()
})

async function open(
  find: () => Promise<string | undefined> = findFfmpeg,
  clock: Clock = systemClock,
  random = () => 0,
): Promise<void> {
  sounds = await createAacSound({
    ...{ find, clock, onEvent: (event) => void events.push(event), random },
    spawn: (options) => {
      const child = spawnFfmpeg(options)
      children.push(child)
      return child
    },
  })
}

function publish(name = 'cam') {
  return hub.publish({ name, kind: 'vehicle', identity: 'it', onDisplaced: () => undefined })
}

/** What a viewer is given. */
function watch(name = 'cam', plays = playsInBrowsers) {
  const units: AccessUnit[] = []
  const stream = hub.stream(name)
  if (!stream) throw new Error('no stream')
  const subscription = sounds
    .of(stream, plays)
    .subscribe({ unit: (unit) => void units.push(unit), end: () => undefined })
  const sound = () => units.filter(({ track }) => track === 'audio')
  return { units, sound, [Symbol.dispose]: () => subscription[Symbol.dispose]() }
}

async function until(is: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400 && !is(); i += 1) await pause(25)
  if (!is()) throw new Error(`not within 10 s: ${what}`)
}

const key = (ms: number, epoch = 0) => fakeUnit({ ms, key: true, epoch })
const isSilence = ({ sizeBytes }: AccessUnit) => sizeBytes <= 6

describe.skipIf(!hasProgram('ffmpeg'))('with FFmpeg', () => {
  test('a viewer gets the picture at once, and AAC of the cached sound at its times', async () => {
    await open()
    const publisher = publish()
    publisher.push(key(1000))
    for (const [n, bytes] of alaw.entries()) publisher.push(soundUnit(g711, bytes, 1000 + n * 40))
    using viewer = watch()
    // The first thing is one frame of silence: a player must know of the sound before the first picture.
    expect(viewer.units.map(({ track }) => track)).toEqual(['audio', 'video'])
    expect(viewer.sound().every(isSilence)).toBe(true)
    await until(() => viewer.sound().length > 115, 'AAC')
    const [, ...frames] = viewer.sound()
    expect(frames[0]?.config).toMatchObject({ codec: 'aac', sampleRate: 32_000, channels: 1 })
    expect(frames.slice(0, 4).map(({ ptsMs }) => ptsMs)).toEqual([1000, 1032, 1064, 1096])
    const adts = frames.flatMap(({ config, nalUnits: [payload = new Uint8Array()] }) => [
      adtsHeader(config as AudioConfig, payload.length),
      payload,
    ])
    const heard = toPcm(Buffer.concat(adts), ['-f', 'aac'])
    const at32 = toPcm(Buffer.from(source.buffer), ['-f', 's16le', '-ar', '8000', '-ac', '1'])
    expect(at32.length).toBe(source.length)
    const down = heard.filter((_, i) => i % 4 === 0)
    for (const from of [4000, 12_000, 24_000]) {
      expect(
        Math.abs(offsetOf(source, down, { from, length: 1600, at: from, reach: 200 }) ?? 999),
      ).toBeLessThan(8)
    }
  })

  test('whoever comes later, by another way, is given the sound of the same pictures from the same child', async () => {
    await open()
    const publisher = publish()
    publisher.push(key(1000))
    for (const [n, bytes] of alaw.slice(0, 25).entries())
      publisher.push(soundUnit(g711, bytes, 1000 + n * 40))
    publisher.push(fakeUnit({ ms: 1500 }))
    using first = watch()
    await until(() => first.sound().length > 20, 'AAC')
    using second = watch()
    expect(second.sound().map(({ ptsMs }) => ptsMs)).toEqual(first.sound().map(({ ptsMs }) => ptsMs))
    const order = second.units.map(({ track, ptsMs }) => `${track} ${ptsMs}`)
    expect(order.indexOf('video 1500')).toBeLessThan(order.indexOf('audio 1512'))
    expect(order.indexOf('video 1500')).toBeGreaterThan(order.indexOf('audio 1480'))
    expect(children).toHaveLength(1)
    expect(sounds.figures).toEqual({ children: 1, failed: 0, leftOut: 0 })
  })

  test('a child that is killed: counted, said, silence, and then sound again', async () => {
    await open()
    const publisher = publish()
    publisher.push(key(1000))
    using viewer = watch()
    let n = 0
    const speak = setInterval(() => {
      publisher.push(soundUnit(g711, alaw[n % alaw.length] ?? new Uint8Array(320), 1000 + n * 40))
      n += 1
    }, 10)
    try {
      await until(() => viewer.sound().filter((unit) => !isSilence(unit)).length > 10, 'AAC')
      const before = viewer.sound().length
      children[0]?.kill()
      await until(() => events.length > 0, 'failure')
      await until(
        () =>
          viewer
            .sound()
            .slice(before)
            .filter((unit) => !isSilence(unit)).length > 10,
        'AAC again',
      )
    } finally {
      clearInterval(speak)
    }
    expect(events).toEqual([{ type: 'failed', stream: 'cam', why: 'it ended (killed)' }])
    expect(sounds.figures).toMatchObject({ children: 1, failed: 1 })
    const times = viewer.sound().map(({ ptsMs }) => ptsMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('a child that stands still is ended', async () => {
    const clock = new ManualClock()
    await open(async () => '/bin/cat', clock) // It gives back what is no AAC.
    const publisher = publish()
    publisher.push(key(1000))
    publisher.push(soundUnit(g711, alaw[0] ?? new Uint8Array(320), 1000))
    using _ = watch()
    await until(() => events.length > 0, 'its end')
    expect(events[0]).toMatchObject({ type: 'failed', stream: 'cam' })
  })

  test('players of RTMP get what RTMP has a number for as it is, and AAC of the rest', async () => {
    await open()
    const publisher = publish()
    publisher.push(key(1000))
    publisher.push(soundUnit(g711, alaw[0] ?? new Uint8Array(320), 1000))
    using viewer = watch('cam', packings.rtmp.plays)
    expect(viewer.sound().map(({ config }) => config)).toEqual([g711])
    const adpcm = adpcmConfig()
    for (const [n, bytes] of adpcmUnits(source, 320).entries())
      publisher.push(soundUnit(adpcm, bytes, 1040 + n * 40))
    await until(
      () => viewer.sound().filter(({ config }) => config.codec === 'aac').length > 60,
      'AAC of ADPCM',
    )
    expect(viewer.sound().some(({ config }) => config.codec === 'adpcm')).toBe(false)
  })

  test('sound of an epoch that is over is not given with the pictures of the next', async () => {
    await open()
    const publisher = publish()
    publisher.push(key(1000))
    using viewer = watch()
    for (const [n, bytes] of alaw.slice(0, 50).entries())
      publisher.push(soundUnit(g711, bytes, 1000 + n * 40))
    publisher.push(key(90_000, 1))
    for (const [n, bytes] of alaw.slice(50).entries())
      publisher.push(soundUnit(g711, bytes, 90_000 + n * 40, { epoch: 1 }))
    await until(() => viewer.sound().length > 40, 'AAC')
    const [silence, ...frames] = viewer.sound()
    expect(silence).toMatchObject({ epoch: 0, ptsMs: 1000 }) // Said at once: players ask at their first picture.
    expect(new Set(frames.map(({ epoch }) => epoch))).toEqual(new Set([1]))
    expect(Math.min(...frames.map(({ ptsMs }) => ptsMs))).toBeGreaterThanOrEqual(90_000)
  })
})

test('AAC goes through as it is, and nothing is started for it', async () => {
  await open(async () => '/nowhere/ffmpeg')
  const publisher = publish()
  const units = [key(0), fakeUnit({ ms: 5, config: fakeAudio }), fakeUnit({ ms: 33 })]
  for (const unit of units) publisher.push(unit)
  using viewer = watch()
  expect(viewer.units).toEqual(units)
  expect(sounds.figures).toEqual({ children: 0, failed: 0, leftOut: 0 })
})

test('without FFmpeg there are pictures and no sound; it is counted and said, and looked for again', async () => {
  const found: (string | undefined)[] = [undefined, '/bin/false']
  await open(async () => found.shift())
  const publisher = publish()
  publisher.push(key(0))
  publisher.push(soundUnit(g711, new Uint8Array(320), 0))
  publisher.push(fakeUnit({ ms: 40 }))
  using viewer = watch()
  publisher.push(soundUnit(g711, new Uint8Array(320), 40))
  expect(viewer.units.map(({ track }) => track)).toEqual(['video', 'video'])
  expect(events).toEqual([{ type: 'left-out', stream: 'cam', why: 'no-ffmpeg' }])
  expect(sounds.figures).toEqual({ children: 0, failed: 0, leftOut: 1 })
  await settle()
  using second = watch()
  expect(second.sound()).toHaveLength(1)
  expect(sounds.figures).toMatchObject({ children: 1, leftOut: 1 })
})

test('a program that ends at once: silence in time with the pictures, started again later and later', async () => {
  const clock = new ManualClock()
  await open(
    async () => '/bin/false',
    clock,
    () => 1,
  )
  const publisher = publish()
  publisher.push(key(1000))
  publisher.push(soundUnit(g711, new Uint8Array(320), 1000))
  using viewer = watch()
  const speak = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) publisher.push(soundUnit(g711, new Uint8Array(320), 1000 + n * 40))
  }
  await until(() => events.length === 1, 'its end')
  speak(1, 26)
  const silence = viewer.sound().map(({ ptsMs }) => ptsMs)
  expect(viewer.sound().every(isSilence)).toBe(true)
  expect([silence[1], silence[2], silence.at(-1)]).toEqual([1040, 1072, 2032])
  await clock.advance(499)
  speak(26, 30)
  expect(children).toHaveLength(1)
  await clock.advance(2)
  speak(30, 31)
  expect(children).toHaveLength(2)
  await until(() => events.length === 2, 'another end')
  await clock.advance(900)
  speak(31, 32)
  expect(children).toHaveLength(2)
  await clock.advance(101)
  speak(32, 33)
  expect(children).toHaveLength(3)
})

test('when nobody listens any more the child goes, after a while; whoever comes back before finds it', async () => {
  const clock = new ManualClock()
  await open(async () => '/bin/cat', clock)
  const publisher = publish()
  publisher.push(key(1000))
  publisher.push(soundUnit(g711, new Uint8Array(320), 1000))
  const first = watch()
  first[Symbol.dispose]()
  await clock.advance(9000)
  const second = watch()
  await clock.advance(9000)
  expect(sounds.figures.children).toBe(1)
  second[Symbol.dispose]()
  await clock.advance(11_000)
  expect(sounds.figures.children).toBe(0)
})

test('the stream ends: its child goes at once', async () => {
  await open(async () => '/bin/cat')
  const publisher = publish()
  publisher.push(key(1000))
  publisher.push(soundUnit(g711, new Uint8Array(320), 1000))
  using _ = watch()
  expect(sounds.figures.children).toBe(1)
  publisher.end('test')
  hub.remove('cam')
  expect(sounds.figures.children).toBe(0)
})
