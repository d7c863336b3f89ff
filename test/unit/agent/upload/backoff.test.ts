import { expect, test } from 'vitest'
import { backoffMs, UploadWindow } from '../../../../agent/upload/backoff.ts'
import { uploadBackoffMaxMs, uploadsAtOnceMax } from '../../../../shared/limits.ts'

test('full jitter: anywhere between nothing and a ceiling that doubles up to five minutes', () => {
  const ceilings = [1, 2, 3, 4, 9, 10, 50].map((failures) => backoffMs(failures, () => 1))
  expect(ceilings).toEqual([1000, 2000, 4000, 8000, 256_000, 300_000, 300_000])
  expect(backoffMs(9, () => 0)).toBe(0)
})

test('never before Retry-After, and Retry-After never longer than the longest wait', () => {
  expect(backoffMs(1, () => 0, 7000)).toBe(7000)
  expect(backoffMs(9, () => 1, 7000)).toBe(256_000)
  expect(backoffMs(1, () => 0, 1e9)).toBe(uploadBackoffMaxMs)
})

test('the window grows by one a round, halves at a refusal, and stays between its bounds', () => {
  const window = new UploadWindow()
  const sizes: number[] = []
  for (let i = 0; i < 10; i += 1) {
    sizes.push(window.size)
    window.succeeded()
  }
  expect(sizes).toEqual([1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
  expect(window.size).toBe(uploadsAtOnceMax)
  window.refused()
  expect(window.size).toBe(2)
  for (let i = 0; i < 5; i += 1) window.refused()
  expect(window.size).toBe(1)
})
