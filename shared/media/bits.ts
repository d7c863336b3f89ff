import { AppError } from '../error.ts'

/**
 * Reads bits and Exp-Golomb codes from the payload of a NAL unit (H.264 7.2 and 9.1, H.265 9.2).
 *
 * Emulation prevention is undone on the way: in `00 00 03` the 03 is skipped, so that a slice header of
 * a 100 kB picture costs the few bytes that are read. Reading past the end is an `InvalidArgument`.
 */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #escaped: boolean
  #position: number
  #current = 0
  #bitsLeft = 0
  #zeros = 0

  /**
   * `start`: the first byte to read, usually the length of the NAL unit's header. `escaped: false` reads
   * bytes that know no emulation prevention (AudioSpecificConfig).
   */
  constructor(bytes: Uint8Array, start = 0, options: { escaped?: boolean } = {}) {
    this.#bytes = bytes
    this.#escaped = options.escaped ?? true
    this.#position = start
  }

  #load(): void {
    let byte = this.#bytes[this.#position]
    if (byte === 3 && this.#zeros >= 2 && this.#escaped) {
      this.#position += 1
      this.#zeros = 0
      byte = this.#bytes[this.#position]
    }
    if (byte === undefined) throw new AppError('InvalidArgument', 'bitstream: the data ends too early')
    this.#position += 1
    this.#zeros = byte === 0 ? this.#zeros + 1 : 0
    this.#current = byte
    this.#bitsLeft = 8
  }

  /** At most so many bits are left; bytes of emulation prevention among them are counted. */
  get bitsLeft(): number {
    return (this.#bytes.length - this.#position) * 8 + this.#bitsLeft
  }

  bit(): 0 | 1 {
    if (this.#bitsLeft === 0) this.#load()
    this.#bitsLeft -= 1
    return ((this.#current >> this.#bitsLeft) & 1) as 0 | 1
  }

  flag(): boolean {
    return this.bit() === 1
  }

  /** u(n), n up to 32. */
  bits(count: number): number {
    let value = 0
    let wanted = count
    while (wanted > 0) {
      if (this.#bitsLeft === 0) this.#load()
      const taken = Math.min(wanted, this.#bitsLeft)
      this.#bitsLeft -= taken
      const chunk = (this.#current >> this.#bitsLeft) & ((1 << taken) - 1)
      value = value * 2 ** taken + chunk // Not a shift: 32 bits do not fit into a signed integer.
      wanted -= taken
    }
    return value
  }

  skip(count: number): void {
    for (let left = count; left > 0; left -= 32) this.bits(Math.min(left, 32))
  }

  /** ue(v): 0 to 2³² − 2, which is what 32 leading zeros can hold. */
  ue(): number {
    let zeros = 0
    while (this.bit() === 0) {
      zeros += 1
      if (zeros > 32) {
        throw new AppError('InvalidArgument', 'bitstream: an Exp-Golomb code has more than 32 zeros')
      }
    }
    return 2 ** zeros - 1 + this.bits(zeros)
  }

  /** ue(v) that the specification bounds: a larger value means that the data is not what we take it for. */
  ueMax(max: number, name: string): number {
    const value = this.ue()
    if (value > max) {
      throw new AppError('InvalidArgument', `bitstream: ${name} is ${value}, the most is ${max}`)
    }
    return value
  }

  /** se(v). */
  se(): number {
    const code = this.ue()
    if (code === 0) return 0 // Not −0.
    return code % 2 === 1 ? (code + 1) / 2 : -(code / 2)
  }
}
