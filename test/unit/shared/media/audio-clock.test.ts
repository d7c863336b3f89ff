import { expect, test } from 'vitest'
import { AudioClock } from '../../../../shared/media/audio-clock.ts'

const aac = { sampleRate: 44100, frameSamples: 1024 }

test('millisecond stamps: the frames are equally long again', () => {
  const clock = new AudioClock(aac)
  const stamps = Array.from({ length: 1000 }, (_, at) => 5000 + Math.floor((at * 1024_000) / 44100))
  const times = stamps.map((stamp) => clock.next(stamp).ptsMs)
  expect(times).toEqual(stamps.map((_, at) => Math.round(5000 + (at * 1024_000) / 44100)))
  expect(clock.reanchoredCount).toBe(0)
})

test('jitter below one frame is smoothed', () => {
  const clock = new AudioClock({ sampleRate: 48000, frameSamples: 960 })
  expect([0, 35, 25, 62, 80].map((stamp) => clock.next(stamp).ptsMs)).toEqual([0, 20, 40, 60, 80])
})

test('a stamp further than one frame away is the new anchor, and is counted', () => {
  const clock = new AudioClock({ sampleRate: 48000, frameSamples: 960 })
  clock.next(0)
  clock.next(20)
  expect(clock.next(500)).toEqual({ ptsMs: 500, reanchored: true })
  expect(clock.next(520)).toEqual({ ptsMs: 520, reanchored: false })
  expect(clock.next(400)).toEqual({ ptsMs: 520, reanchored: true })
  expect(clock.reanchoredCount).toBe(2)
})

test.each([
  ['16 kHz: 64 ms', { sampleRate: 16_000, frameSamples: 1024 }],
  ['44.1 kHz: 23.2 ms', aac],
])('one frame that is missing is noticed at once (%s)', (_name, shape) => {
  const clock = new AudioClock(shape)
  const stampOf = (n: number) => Math.floor((n * shape.frameSamples * 1000) / shape.sampleRate)
  for (const n of [0, 1, 2, 4, 5, 6]) {
    const { ptsMs, reanchored } = clock.next(stampOf(n))
    expect(Math.abs(ptsMs - stampOf(n))).toBeLessThanOrEqual(1)
    expect(reanchored).toBe(n === 4)
  }
})

test('a new epoch anchors without being counted', () => {
  const clock = new AudioClock(aac)
  clock.next(0)
  clock.restart()
  expect(clock.next(9000)).toEqual({ ptsMs: 9000, reanchored: false })
  expect(clock.reanchoredCount).toBe(0)
})

test('frames that vary: the stamps as they are', () => {
  const clock = new AudioClock({ sampleRate: 48000, frameSamples: 0 })
  expect([0, 20, 33, 33, 90].map((stamp) => clock.next(stamp).ptsMs)).toEqual([0, 20, 33, 33, 90])
  expect(clock.reanchoredCount).toBe(0)
})
