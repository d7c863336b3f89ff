import { expect, test } from 'vitest'
import { estimateFps } from '../../../../shared/media/fps.ts'

const span = (arrivalMs: number, deviceMs: number, units: number) =>
  estimateFps({
    firstArrivalMs: 1000,
    lastArrivalMs: 1000 + arrivalMs,
    firstDeviceMs: 7,
    lastDeviceMs: 7 + deviceMs,
    units,
  })

test.each([
  ['arrival is believed first', span(10_000, 5000, 101), { value: 10, source: 'arrival' }],
  ['a stalled network leaves it to the device', span(100_000, 10_000, 101), { value: 10, source: 'device' }],
  ['neither is credible', span(100_000, 0, 101), { value: 10, source: 'default' }],
  ['a clock that steps back', span(0, -5000, 101), { value: 10, source: 'default' }],
  ['one picture', span(0, 0, 1), { value: 10, source: 'default' }],
  ['no picture', span(0, 0, 0), { value: 10, source: 'default' }],
  ['never above 60', span(100, 100, 101), { value: 60, source: 'arrival' }],
  ['just credible', span(6250, 0, 11), { value: 1.6, source: 'arrival' }],
])('%s', (_name, estimate, expected) => {
  expect(estimate).toEqual(expected)
})
