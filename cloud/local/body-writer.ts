import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { bodySyncEveryBytes } from '../../shared/limits.ts'
import { giveBatchBuffer, takeBatchBuffer } from './batch-buffers.ts'

/**
 * Copies a body into two buffers in turn: while one is written by a thread of the pool, the other is filled
 * and its checksum computed. A chunk may be used again by its giver as soon as `write` has returned. Long
 * files are synced on the way, so that the last sync is short.
 */
export class BodyWriter implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #hash: Hash | undefined
  #filling = takeBatchBuffer()
  #resting = takeBatchBuffer()
  #filled = 0
  #unsynced = 0
  #writing: Promise<void> = Promise.resolve()
  #syncing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle, { unsummed = false } = {}) {
    this.#file = file
    this.#hash = unsummed ? undefined : createHash('sha256')
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#filling.length - this.#filled)
      this.#filling.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === this.#filling.length) await this.#flush()
    }
  }

  /** Everything is on the disk. Returns the SHA-256, hex. */
  async end(): Promise<string | undefined> {
    await this.#flush()
    await this.#writing
    await this.#syncing
    await this.#file.sync()
    return this.#hash?.digest('hex')
  }

  async #flush(): Promise<void> {
    const bytes = this.#filling.subarray(0, this.#filled)
    await this.#writing
    this.#writing = handled(writeAll(this.#file, bytes))
    ;[this.#filling, this.#resting] = [this.#resting, this.#filling]
    this.#filled = 0
    this.#hash?.update(bytes)
    this.#unsynced += bytes.length
    if (this.#unsynced < bodySyncEveryBytes) return
    this.#unsynced = 0
    const before = Promise.all([this.#writing, this.#syncing])
    this.#syncing = handled(before.then(() => this.#file.datasync()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing])
    giveBatchBuffer(this.#filling)
    giveBatchBuffer(this.#resting)
  }
}

/** Its failure is seen when it is awaited, which a body that breaks off first never comes to. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {})
  return promise
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at) // Short on a full disk or at a signal: the next tells which.
    at += bytesWritten
  }
}
