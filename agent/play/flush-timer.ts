/** Runs `flush` after that many ms, with 0 behind what is being done now. Returns how to call it off. */
export type Schedule = (flush: () => void, delayMs: number) => () => void

export const schedule: Schedule = (flush, delayMs) => {
  if (delayMs === 0) {
    const immediate = setImmediate(flush)
    return () => clearImmediate(immediate)
  }
  const timer = setTimeout(flush, delayMs)
  return () => clearTimeout(timer)
}

/** Gathers what may wait: the unit that may wait least says when all leave. */
export class FlushTimer implements Disposable {
  readonly #schedule: Schedule
  readonly #flush: () => void
  #pending: { delayMs: number; cancel: () => void } | undefined

  constructor(schedule: Schedule, flush: () => void) {
    this.#schedule = schedule
    this.#flush = flush
  }

  /** Something new waits, for at most so long. */
  within(delayMs: number): void {
    if (this.#pending && this.#pending.delayMs <= delayMs) return
    this.#pending?.cancel()
    const cancel = this.#schedule(() => {
      this.#pending = undefined
      this.#flush()
    }, delayMs)
    this.#pending = { delayMs, cancel }
  }

  [Symbol.dispose](): void {
    this.#pending?.cancel()
    this.#pending = undefined
  }
}
