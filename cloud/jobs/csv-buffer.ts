const bufferBytes = 64 * 1024
const lineBytesMax = 512 // Nine numbers of at most 17 characters and separators are 170.
const newline = 0x0a
const comma = 0x2c
const minus = 0x2d
const zero = 0x30

/**
 * Lines of numbers, written into one buffer that is used again and again. Digits are written by hand: V8 keeps
 * the strings of recent numbers, and a day of timestamps as strings grew the heap by 80 MB.
 */
export class CsvBuffer {
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes)
  #filled = 0

  /** ASCII, at most 100 characters. */
  text(value: string): this {
    this.#filled += this.#buffer.write(value, this.#filled, 'latin1')
    return this
  }

  /** An integer below 2^53 in size; `digits`: padded with zeros. */
  integer(value: number, digits = 1): this {
    const buffer = this.#buffer
    if (value < 0) buffer[this.#filled++] = minus
    const size = Math.abs(value)
    let length = digits
    while (size >= 10 ** length) length += 1
    let rest = size
    for (let at = this.#filled + length - 1; at >= this.#filled; at -= 1) {
      const next = Math.floor(rest / 10)
      buffer[at] = zero + (rest - next * 10)
      rest = next
    }
    this.#filled += length
    return this
  }

  comma(): this {
    this.#buffer[this.#filled++] = comma
    return this
  }

  /** Ends a line. Returns the filled buffer when there may be no room for another; good until the next write. */
  endLine(): Uint8Array | undefined {
    this.#buffer[this.#filled++] = newline
    return this.#filled > bufferBytes - lineBytesMax ? this.take() : undefined
  }

  /** What is left. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#filled)
    this.#filled = 0
    return bytes
  }
}

/** ISO 8601 with milliseconds. The text of a second is kept: its pictures share it. */
export class IsoTime {
  #second = Number.NaN
  #text = ''

  write(into: CsvBuffer, wallMs: number): void {
    const second = Math.floor(wallMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#text = new Date(second * 1000).toISOString().slice(0, -4)
    }
    into
      .text(this.#text)
      .integer(wallMs - second * 1000, 3)
      .text('Z')
  }
}
