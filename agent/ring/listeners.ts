import type { Unsubscribe } from './types.ts'

/** A set of callbacks. One that throws does not keep the others from being called: it is a bug and ends the process. */
export class Listeners<Args extends unknown[]> {
  readonly #listeners = new Set<(...args: Args) => void>()

  add(listener: (...args: Args) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  call(...args: Args): void {
    for (const listener of this.#listeners) listener(...args)
  }
}
