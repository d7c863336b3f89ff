import { rtpSlabBytes } from '../../../shared/limits.ts'

/**
 * NAL units, put together from packets one behind the other in large blocks: packets are views of a buffer that the
 * next read writes over, and a buffer of its own for each NAL unit costs the collector more than all else.
 *
 * Invariant: what was given out is never written to again. A block is freed when no unit of it is held any more.
 */
export class NalSlab {
  #block: Buffer = Buffer.alloc(0)
  #begin = 0
  #end = 0

  /** A NAL unit begins; one that was under way is forgotten. */
  begin(): void {
    this.#end = this.#begin
  }

  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#block.length) this.#renew(bytes.length)
    this.#block.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** Of the NAL unit under way. */
  get length(): number {
    return this.#end - this.#begin
  }

  /** The NAL unit; the next one begins behind it. */
  take(): Uint8Array {
    const nal = this.#block.subarray(this.#begin, this.#end)
    this.#begin = this.#end
    return nal
  }

  copied(nal: Uint8Array): Uint8Array {
    this.begin()
    this.append(nal)
    return this.take()
  }

  /** Twice of what is there, so that a NAL unit of many packets is not moved with each. */
  #renew(moreBytes: number): void {
    const begun = this.#block.subarray(this.#begin, this.#end)
    this.#block = Buffer.allocUnsafeSlow(Math.max(rtpSlabBytes, (begun.length + moreBytes) * 2))
    this.#block.set(begun)
    this.#begin = 0
    this.#end = begun.length
  }
}
