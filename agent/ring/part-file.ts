import { createHash, type Hash } from 'node:crypto'
import type { RingFs } from './ring-fs.ts'

const readBytes = 1024 * 1024

/** One growing file of an open segment. `size` ends behind what was accepted; bytes beyond it do not count. */
export class PartFile {
  size = 0
  syncedSize = 0
  readonly path: string
  readonly #fs: RingFs
  readonly #fd: number
  // Undefined once bytes were taken back: then it is computed from the file at the end.
  #hash: Hash | undefined = createHash('sha256')
  #open = true

  constructor(fs: RingFs, path: string) {
    this.#fs = fs
    this.path = path
    this.#fd = fs.open(path, 'create')
  }

  write(chunks: readonly Uint8Array[]): void {
    this.#fs.write(this.#fd, chunks, this.size)
  }

  accept(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      this.size += chunk.length
      this.#hash?.update(chunk)
    }
  }

  /** What is synced counts once `covered` is called: when the index and the names are on the disk, too. */
  sync(): void {
    this.#fs.datasync(this.#fd)
  }

  covered(): void {
    this.syncedSize = this.size
  }

  /** Removes what a failed write left behind `size`. */
  cutBack(): void {
    this.#fs.truncate(this.#fd, this.size)
  }

  /** Takes back everything that no sync has covered. */
  cutBackToSynced(): void {
    if (this.size !== this.syncedSize) this.#hash = undefined
    this.size = this.syncedSize
    this.cutBack()
  }

  read(into: Uint8Array, position: number): number {
    return this.#fs.read(this.#fd, into, position)
  }

  sha256(): string {
    return this.#hash ? this.#hash.copy().digest('hex') : sha256Of(this.#fs, this.#fd, this.size)
  }

  /** Everything, the size too, on the disk. */
  finish(): void {
    this.#fs.sync(this.#fd)
  }

  close(): void {
    if (this.#open) this.#fs.close(this.#fd)
    this.#open = false
  }
}

export function sha256Of(fs: RingFs, fd: number, size: number): string {
  const hash = createHash('sha256')
  const buffer = new Uint8Array(Math.min(size, readBytes))
  for (let at = 0; at < size; ) {
    const count = fs.read(fd, buffer.subarray(0, Math.min(buffer.length, size - at)), at)
    if (count === 0) break
    hash.update(buffer.subarray(0, count))
    at += count
  }
  return hash.digest('hex')
}
