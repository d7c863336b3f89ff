import type { Clock } from '../../shared/node/clock.ts'

type Options = {
  clock: Clock
  /** How long after the last one left it is still wanted. */
  lingerMs: number
  onWanted: () => void
  onUnwanted: () => void
}

/**
 * Who wants a source: viewers, recordings, pins. Each holds it by an object of its own, so that one that leaves twice
 * is counted once.
 */
export class Demand implements Disposable {
  readonly #options: Options
  readonly #holders = new Set<object>()
  #linger: AbortController | undefined
  #wanted = false

  constructor(options: Options) {
    this.#options = options
  }

  get count(): number {
    return this.#holders.size
  }

  /** Whether it runs: held, or left a moment ago. */
  get wanted(): boolean {
    return this.#wanted
  }

  hold(): Disposable {
    const holder = {}
    this.#holders.add(holder)
    this.#linger?.abort()
    this.#linger = undefined
    if (!this.#wanted) {
      this.#wanted = true
      this.#options.onWanted()
    }
    return { [Symbol.dispose]: () => this.#leave(holder) }
  }

  /** Nobody wants it any more, whoever holds it. */
  [Symbol.dispose](): void {
    this.#holders.clear()
    this.#linger?.abort()
    this.#end()
  }

  #leave(holder: object): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return
    const linger = new AbortController()
    this.#linger = linger
    this.#options.clock.sleep(this.#options.lingerMs, linger.signal).then(
      () => {
        if (!linger.signal.aborted) this.#end()
      },
      () => undefined, // Somebody came back.
    )
  }

  #end(): void {
    if (!this.#wanted) return
    this.#wanted = false
    this.#options.onUnwanted()
  }
}
