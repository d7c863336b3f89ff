import type { WorkerFigures } from '../play/worker-messages.ts'

/** Times as they are told: to two digits, so that a second of many viewers is a few numbers. */
export class Tally {
  #counts = new Map<number, number>()

  observe(ms: number, count = 1): void {
    const rounded = Number(ms.toPrecision(2))
    this.#counts.set(rounded, (this.#counts.get(rounded) ?? 0) + count)
  }

  /** Those since the last call. */
  take(): WorkerFigures['latency'] {
    const counts = [...this.#counts]
    this.#counts = new Map()
    return counts
  }
}
