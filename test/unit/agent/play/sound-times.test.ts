import { expect, test } from 'vitest'
import { SoundTimes } from '../../../../agent/play/sound-times.ts'

const unit = (ptsMs: number, epoch = 0) => ({ ptsMs, arrivalMs: ptsMs, epoch, timeSource: 'device' as const })

/** Units of 40 ms at 8 kHz at these times; frames of 32 ms from the encoder's delay on. */
function frames(stamps: readonly number[], count: number): (number | undefined)[] {
  const times = new SoundTimes(8000)
  for (const ms of stamps) times.took(unit(ms), 320)
  return Array.from({ length: count }, (_, n) => times.timeOf((n - 1) * 0.032, n * 0.032)?.ptsMs)
}

test('the frame before the first sample is nobody’s; then frames follow each other', () => {
  expect(frames([1000, 1040, 1080, 1120], 5)).toEqual([undefined, 1000, 1032, 1064, 1096])
})

test('jitter of the stamps and a gap are in the frames, too', () => {
  expect(frames([1000, 1041, 1079, 2120, 2160], 6)).toEqual([undefined, 1000, 1032, 1065, 1095, 2128])
})

test('stamps that step back give frames that do not', () => {
  expect(frames([1000, 1040, 900, 940], 5)).toEqual([undefined, 1000, 1032, 1064, 1064])
})

test('a frame has epoch, arrival and source of the unit in which it begins', () => {
  const times = new SoundTimes(8000)
  times.took(unit(1000, 3), 320)
  times.took({ ...unit(50, 4), timeSource: 'arrival' }, 320)
  expect(times.timeOf(0, 0.032)).toMatchObject({ epoch: 3, arrivalMs: 1000, timeSource: 'device' })
  expect(times.timeOf(0.064, 0.096)).toMatchObject({ epoch: 4, arrivalMs: 50, timeSource: 'arrival' })
})

test('nothing has gone in: nothing has a time', () => {
  expect(new SoundTimes(8000).timeOf(0, 0.032)).toBeUndefined()
})
