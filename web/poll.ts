import { type ReadonlySignal, signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiError, signedOut, unreachable } from './http.ts'

const everyMs = 2000 // Quick enough to follow a recording, slow enough for a hundred open pages.
const backoffMaxMs = 30_000
const answerMaxMs = 10_000 // A server that hangs is told from one that is slow; what it said before is not the truth for ever.

/** One answer of the server, kept fresh while somebody looks at it. */
export type Resource<T> = {
  value: ReadonlySignal<T | undefined>
  error: ReadonlySignal<ApiError | undefined>
  /** Loads now; also after an action, so that the page shows its effect at once. */
  refresh(): Promise<void>
  /** Counts a user; returns the function that leaves. */
  watch(): () => void
}

/**
 * Loads every 2 s while at least one component watches and the page is visible; after a failure (or 10 s of silence) with
 * growing pauses up to 30 s; at once when the page becomes visible again. A value that is `settled` stays
 * as it is until somebody refreshes it.
 */
export function createResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  settled: (value: T) => boolean = () => false,
): Resource<T> {
  const value = signal<T | undefined>(undefined)
  const error = signal<ApiError | undefined>(undefined)
  let watchers = 0
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let flight: AbortController | undefined

  const refresh = async (): Promise<void> => {
    clearTimeout(timer)
    flight?.abort()
    const mine = new AbortController()
    flight = mine
    const late = setTimeout(() => mine.abort(), answerMaxMs)
    try {
      const loaded = await load(mine.signal)
      if (flight !== mine) return
      value.value = loaded
      error.value = undefined
      failures = 0
    } catch (cause) {
      if (flight !== mine) return
      failures += 1
      const words = mine.signal.aborted ? unreachable() : String(cause)
      error.value = cause instanceof ApiError ? cause : new ApiError(0, words)
    } finally {
      clearTimeout(late)
    }
    flight = undefined
    plan()
  }
  const plan = (): void => {
    clearTimeout(timer)
    if (watchers === 0 || document.hidden || signedOut.value) return
    if (error.value?.status === 403) return // What this token may not see, it may not see in two seconds either.
    if (!error.value && value.value !== undefined && settled(value.value)) return
    timer = setTimeout(() => void refresh(), Math.min(everyMs * 2 ** failures, backoffMaxMs))
  }
  const onVisibility = (): void => {
    if (document.hidden) clearTimeout(timer)
    else void refresh()
  }
  const watch = (): (() => void) => {
    watchers += 1
    if (watchers === 1) {
      document.addEventListener('visibilitychange', onVisibility)
      void refresh()
    }
    return () => {
      watchers -= 1
      if (watchers > 0) return
      document.removeEventListener('visibilitychange', onVisibility)
      clearTimeout(timer)
      flight?.abort()
      flight = undefined
    }
  }
  return { value, error, refresh, watch }
}

/** Keeps the resources fresh while the component is on the page. */
export function useResources(...resources: Resource<unknown>[]): void {
  useEffect(() => {
    const leave = resources.map((resource) => resource.watch())
    return () => {
      for (const stop of leave) stop()
    }
  }, resources)
}
