import { setTimeout as delay } from 'node:timers/promises'

/** Time as a parameter. `monotonicMs` has fractions and never steps; `nowMs` is integer ms since the Unix epoch. */
export type Clock = {
  nowMs(): number
  monotonicMs(): number
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {})
  },
}
