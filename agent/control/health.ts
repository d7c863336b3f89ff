import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What must be well before this agent takes cameras in. A check answers what is wrong, in words, or undefined. */
export type HealthChecks = Readonly<Record<string, () => string | undefined>>

export type Health = { ready: boolean; checks: Record<string, string> }

export function checkHealth(checks: HealthChecks): Health {
  const entries = Object.entries(checks).map(([name, check]) => [name, check() ?? 'ok'] as const)
  return { ready: entries.every(([, state]) => state === 'ok'), checks: Object.fromEntries(entries) }
}

/** How late the event loop runs (RELIABILITY.md E6). */
export type LoopDelay = Disposable & { p99Ms(): number; maxMs(): number }

export function watchLoopDelay(): LoopDelay {
  const resolutionMs = 50 // Each look wakes the process: at 10 ms they were half of what an idle agent costs.
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  // What is measured is the time between two timers; on time, that is the resolution itself.
  const ms = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1e6 - resolutionMs) : 0)
  return {
    p99Ms: () => ms(histogram.percentile(99)),
    maxMs: () => ms(histogram.max),
    [Symbol.dispose]: () => void histogram.disable(),
  }
}
