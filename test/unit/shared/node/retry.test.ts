import { expect, test } from 'vitest'
import { AppError } from '../../../../shared/error.ts'
import { backoffMs, retry } from '../../../../shared/node/retry.ts'

const slept: number[] = []
const clock = { sleep: async (ms: number) => void slept.push(ms) }
const options = { attempts: 4, baseMs: 100, maxMs: 250, clock, random: () => 1 }

test('tries again with growing pauses, at most so often', async () => {
  slept.length = 0
  let tries = 0
  const failing = async () => {
    tries += 1
    throw new AppError('Unavailable', 'no')
  }
  await expect(retry(failing, options)).rejects.toMatchObject({ kind: 'Unavailable' })
  expect([tries, slept]).toEqual([4, [100, 200, 250]])
})

test('gives up at once on a terminal error, and answers the first success', async () => {
  let tries = 0
  const hopeless = async () => {
    tries += 1
    throw new AppError('NotFound', 'no')
  }
  await expect(retry(hopeless, options)).rejects.toMatchObject({ kind: 'NotFound' })
  expect(tries).toBe(1)
  const second = async (attempt: number) => {
    if (attempt === 1) throw new Error('once')
    return attempt
  }
  expect(await retry(second, options)).toBe(2)
})

test('the jitter is full', () => {
  expect(backoffMs(3, options, () => 0)).toBe(0)
  expect(backoffMs(1000, options, () => 0.5)).toBe(125)
})
