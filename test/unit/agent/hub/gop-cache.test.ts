import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GopCache } from '../../../../agent/hub/gop-cache.ts'
import { fakeAudio, fakeUnit } from '../../../support/live-units.ts'

const key = (ms: number, bytes = 10) => fakeUnit({ ms, key: true, bytes })
const delta = (ms: number, bytes = 10) => fakeUnit({ ms, bytes })
const sound = (ms: number) => fakeUnit({ ms, bytes: 10, config: fakeAudio })
const times = (cache: GopCache) => cache.units.map(({ dtsMs }) => dtsMs)

test('holds the newest GOP with its sound', () => {
  const cache = new GopCache()
  for (const unit of [key(0), delta(40), key(80), sound(90), delta(120)]) cache.push(unit)
  expect(times(cache)).toEqual([80, 90, 120])
})

test('begins with the first key frame, and forgets sound that came before the video', () => {
  const cache = new GopCache()
  for (const unit of [sound(0), sound(20), delta(30), sound(40)]) cache.push(unit)
  expect(times(cache)).toEqual([])
  cache.push(key(80))
  expect(times(cache)).toEqual([80])
})

test.each([
  ['units', { unitsMax: 3 }, [key(0), delta(1), delta(2), delta(3)]],
  ['bytes', { bytesMax: 50 }, [key(0), delta(1), delta(2), delta(3)]],
  ['time', { spanMs: 100 }, [key(0), delta(50), delta(101)]],
  ['one unit', { bytesMax: 50 }, [key(0, 1000)]],
])(
  'a GOP that outgrows its %s is dropped whole, and nothing is kept until the next key frame',
  (_name, bounds, units) => {
    const cache = new GopCache(bounds)
    for (const unit of units) cache.push(unit)
    expect(times(cache)).toEqual([])
    cache.push(delta(200))
    expect(times(cache)).toEqual([])
    for (const unit of [key(300), delta(301)]) cache.push(unit)
    expect(times(cache)).toEqual([300, 301])
  },
)

test('a stream without video is kept for a second, not for a GOP', () => {
  const cache = new GopCache()
  for (let ms = 0; ms <= 10_000; ms += 23) cache.push(sound(ms))
  expect(cache.units.length).toBeGreaterThan(0)
  expect((cache.units.at(-1)?.dtsMs ?? 0) - (cache.units[0]?.dtsMs ?? 0)).toBeLessThanOrEqual(1000)
})

const anyUnit = fc.record({
  kind: fc.constantFrom('key', 'delta', 'sound'),
  bytes: fc.integer({ min: 0, max: 60 }),
  ms: fc.integer({ min: 0, max: 400 }),
})

test('whatever comes: never headless, never over a bound, and the end of it is the newest unit', () => {
  const bounds = { unitsMax: 8, bytesMax: 200, spanMs: 300 }
  fc.assert(
    fc.property(fc.array(anyUnit, { maxLength: 80 }), (wanted) => {
      const cache = new GopCache(bounds)
      let hasVideo = false
      for (const { kind, bytes, ms } of wanted) {
        const config = kind === 'sound' ? { config: fakeAudio } : {}
        const unit = fakeUnit({ ms, key: kind === 'key', bytes, ...config })
        cache.push(unit)
        hasVideo ||= kind !== 'sound'
        const first = cache.units[0]
        if (first && hasVideo) expect([first.track, first.randomAccess]).toEqual(['video', true])
        if (first) expect(cache.units.at(-1)).toBe(unit)
        if (kind === 'key') expect(cache.units).toEqual(unit.sizeBytes <= bounds.bytesMax ? [unit] : [])
        expect(cache.units.length).toBeLessThanOrEqual(bounds.unitsMax)
        expect(cache.sizeBytes).toBe(cache.units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
        expect(cache.sizeBytes).toBeLessThanOrEqual(bounds.bytesMax)
      }
    }),
  )
})
