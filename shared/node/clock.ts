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

export type SteadyClock = Clock & {
  /** From now on it is at least this late: something that goes on knows of a time after the system's. */
  advanceTo(wallMs: number): void
}

const readingMs = 50 // Two clocks that are read one after the other differ by this much on a busy machine.

/**
 * A wall clock for intervals that must not be negative (RELIABILITY.md D4): it follows the system's clock when
 * that is set ahead, but when it is set back only once `mayStepBack` says that nothing is going on which began
 * before. Until then it runs on by the monotonic clock.
 */
export function steadyClock(
  system: Clock,
  mayStepBack: () => boolean,
  onStep: (stepMs: number) => void,
): SteadyClock {
  let offsetMs = system.nowMs() - system.monotonicMs()
  const nowMs = () => {
    const steadyMs = system.monotonicMs() + offsetMs
    const aheadMs = system.nowMs() - steadyMs
    if (aheadMs > readingMs || (aheadMs < -readingMs && mayStepBack())) {
      offsetMs += aheadMs
      onStep(Math.round(aheadMs))
    }
    return Math.floor(system.monotonicMs() + offsetMs)
  }
  const advanceTo = (wallMs: number) => {
    const behindMs = wallMs - nowMs()
    if (behindMs <= 0) return
    offsetMs += behindMs
    onStep(behindMs)
  }
  return { nowMs, monotonicMs: system.monotonicMs, sleep: system.sleep, advanceTo }
}
