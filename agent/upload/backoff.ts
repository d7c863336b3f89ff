import { uploadBackoffBaseMs, uploadBackoffMaxMs, uploadsAtOnceMax } from '../../shared/limits.ts'

/** A number in [0, 1): `Math.random`, or a seeded one in tests. */
export type Random = () => number

/**
 * Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): a thousand agents that lost the
 * same cloud at the same moment do not come back at the same moment. Never sooner than Retry-After says.
 */
export function backoffMs(failures: number, random: Random, retryAfterMs = 0): number {
  const ceiling = Math.min(uploadBackoffMaxMs, uploadBackoffBaseMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(Math.min(retryAfterMs, uploadBackoffMaxMs), Math.ceil(random() * ceiling))
}

/** How many uploads run at once: one more after a round of successes, half after a refusal (AIMD). */
export class UploadWindow {
  #size = 1

  get size(): number {
    return Math.floor(this.#size)
  }

  succeeded(): void {
    this.#size = Math.min(uploadsAtOnceMax, this.#size + 1 / this.#size)
  }

  refused(): void {
    this.#size = Math.max(1, this.#size / 2)
  }
}
