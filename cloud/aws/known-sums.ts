import { storedSumsMax } from '../../shared/cloud-limits.ts'

/**
 * SHA-256 of objects that this process wrote in parts. S3 keeps none of a whole object then (only CRCs can be
 * joined), and to read an export of gigabytes again for it would take minutes.
 */
export class KnownSums {
  readonly #sums = new Map<string, { etag: string; sha256: string }>()

  remember(key: string, etag: string, sha256: string): void {
    this.#sums.delete(key)
    this.#sums.set(key, { etag, sha256 })
    const oldest = this.#sums.size > storedSumsMax ? this.#sums.keys().next().value : undefined
    if (oldest !== undefined) this.#sums.delete(oldest)
  }

  /** Undefined when unknown, or when the object is another one by now. */
  find(key: string, etag: string): string | undefined {
    const known = this.#sums.get(key)
    return known?.etag === etag ? known.sha256 : undefined
  }
}
