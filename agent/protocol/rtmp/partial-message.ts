const firstBytes = 16_384 // A picture of 4 Mb/s is copied once; what is only announced holds no more.

/** A message that comes in pieces. One that comes in one piece is not copied. */
export class PartialMessage {
  readonly #length: number
  #buffer: Uint8Array = new Uint8Array(0)
  #filled = 0
  #own = false

  constructor(length: number) {
    this.#length = length
  }

  get missing(): number {
    return this.#length - this.#filled
  }

  /** Of memory: grows with what came, not with what the header claims. */
  get heldBytes(): number {
    return this.#own ? this.#buffer.length : 0
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Returns by how much `heldBytes` grew. */
  append(bytes: Uint8Array): number {
    if (bytes.length === this.#length) {
      this.#buffer = bytes
      this.#filled = bytes.length
      return 0
    }
    const before = this.heldBytes
    const size = this.#filled + bytes.length
    if (size > this.#buffer.length) this.#grow(size)
    this.#buffer.set(bytes, this.#filled)
    this.#filled = size
    return this.heldBytes - before
  }

  #grow(size: number): void {
    const room = Math.min(this.#length, Math.max(size, 2 * this.#buffer.length, firstBytes))
    const larger = new Uint8Array(room)
    larger.set(this.#buffer.subarray(0, this.#filled))
    this.#buffer = larger
    this.#own = true
  }
}
