/**
 * Bytes that come in pieces, of which nobody knows how many there will be: appended without copying again what is
 * there, as long as somebody may not hold views of it.
 */
export class GrowingBytes {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      // Exact for one large piece behind a small one; doubled where many small ones come.
      const bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length))
      this.#bytes.copy(bytes, 0, 0, this.#length)
      this.#bytes = bytes
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** A view, good until the next call of `append` or `take`. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** The same, in memory that is no larger than it: for what is kept for long. */
  takeExact(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.#length)
    this.view().copy(bytes)
    this.take()
    return bytes
  }

  /** What is there, as memory that is not written to any more; nothing is left. */
  take(): Buffer {
    const bytes = this.view()
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return bytes
  }
}
