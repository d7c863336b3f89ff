import { expect, test } from 'vitest'
import { retryPauseMs } from '../../../web/live/retry-pause.ts'

test('pauses double up to half a minute and are never shorter than half of that', () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 40].map((failures) => retryPauseMs(failures, 1))
  expect(longest).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  expect(retryPauseMs(1, 0)).toBe(500)
  expect(retryPauseMs(40, 0)).toBe(15_000)
})
