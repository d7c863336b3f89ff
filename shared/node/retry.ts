import { AppError } from '../error.ts'
import type { Clock } from './clock.ts'

export type Backoff = { baseMs: number; maxMs: number }

/** Full jitter: anything between nothing and base · 2^(attempt − 1), capped. `attempt` counts from 1. */
export function backoffMs(
  attempt: number,
  { baseMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30))
}

/** Tries again unless the error is terminal, the attempts are used up, or the signal is aborted. */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  options: Backoff & {
    attempts: number
    clock: Pick<Clock, 'sleep'>
    signal?: AbortSignal
    random?: () => number
  },
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run(attempt)
    } catch (cause) {
      const error = AppError.from(cause)
      if (error.terminal || attempt >= options.attempts || options.signal?.aborted) throw error
      await options.clock.sleep(backoffMs(attempt, options, options.random), options.signal)
    }
  }
}
