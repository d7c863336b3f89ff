import { expect, test } from 'vitest'
import { ClockOffset } from '../../../../shared/media/clock-offset.ts'

test('the smallest delay counts, less half the smallest round trip', () => {
  const offset = new ClockOffset()
  for (const rtt of [90, 31, 400, -5]) offset.observeRtt(rtt)
  offset.observe({ arrivalWallMs: 10_200, timelineMs: 10_000 })
  offset.observe({ arrivalWallMs: 10_150, timelineMs: 10_100 })
  offset.observe({ arrivalWallMs: 12_000, timelineMs: 10_200 })
  expect(offset.result()).toEqual({ wallOffsetMs: 35, wallBoundMs: 16 })
})

test('without a round trip the bound is the documented one', () => {
  const offset = new ClockOffset()
  expect(offset.result()).toEqual({ wallOffsetMs: 0, wallBoundMs: 1000 })
  offset.observe({ arrivalWallMs: 9000, timelineMs: 10_000 })
  expect(offset.result()).toEqual({ wallOffsetMs: -1000, wallBoundMs: 1000 })
})

test('each segment has its own; the round trip stays', () => {
  const offset = new ClockOffset()
  offset.observeRtt(20)
  offset.observe({ arrivalWallMs: 1000, timelineMs: 1000 })
  offset.reset()
  offset.observe({ arrivalWallMs: 5000, timelineMs: 2000 })
  expect(offset.result()).toEqual({ wallOffsetMs: 2990, wallBoundMs: 10 })
})
