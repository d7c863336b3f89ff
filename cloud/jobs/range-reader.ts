import { AppError } from '../../shared/error.ts'
import type { ObjectStore } from '../ports.ts'

/**
 * Reads ranges of one object, mostly one behind the other: a request for each would cost an export of four
 * hours ten minutes of round trips, so one body stays open and is read on. Holds one chunk of it.
 */
export class RangeReader implements AsyncDisposable {
  readonly #store: Pick<ObjectStore, 'get'>
  readonly #key: string
  #body: AsyncIterator<Uint8Array> | undefined
  #chunk: Uint8Array = new Uint8Array()
  /** Of the first byte of `#chunk`. */
  #position = 0

  constructor(store: Pick<ObjectStore, 'get'>, key: string) {
    this.#store = store
    this.#key = key
  }

  get key(): string {
    return this.#key
  }

  /** How many bytes from there on it holds already: a read of at most so many copies nothing. */
  availableAt(offset: number): number {
    return this.#body && offset === this.#position ? this.#chunk.length : 0
  }

  /** The caller may change the bytes; they are good until the next read. `DataLoss` when the object ends before. */
  async read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    if (sizeBytes === 0) return new Uint8Array()
    if (!this.#body || offset !== this.#position) await this.#reopen(offset)
    if (this.#chunk.length >= sizeBytes) return this.#take(sizeBytes)
    const bytes = Buffer.allocUnsafe(sizeBytes)
    for (let filled = 0; filled < sizeBytes; ) {
      if (this.#chunk.length === 0) await this.#next()
      const part = this.#take(Math.min(sizeBytes - filled, this.#chunk.length))
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes
  }

  #take(sizeBytes: number): Uint8Array {
    const part = this.#chunk.subarray(0, sizeBytes)
    this.#chunk = this.#chunk.subarray(sizeBytes)
    this.#position += sizeBytes
    return part
  }

  async #next(): Promise<void> {
    const next = await this.#body?.next()
    if (!next || next.done)
      throw new AppError('DataLoss', `${this.#key} ends before byte ${this.#position + 1}.`)
    this.#chunk = next.value
  }

  async #reopen(offset: number): Promise<void> {
    await this[Symbol.asyncDispose]()
    this.#body = (await this.#store.get(this.#key, { start: offset, lent: true }))[Symbol.asyncIterator]()
    this.#position = offset
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#body?.return?.()
    this.#body = undefined
    this.#chunk = new Uint8Array()
  }
}
