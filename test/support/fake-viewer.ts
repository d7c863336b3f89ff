import type { ViewerEnd, ViewerSocket, WriteDone } from '../../agent/play/viewer.ts'

/** A viewer's socket that takes what it is given when it is told to. */
export class FakeViewer implements ViewerSocket {
  /** Calls of `write`. */
  writes = 0
  ended: ViewerEnd | undefined
  reading: boolean
  readonly #taken: Uint8Array[] = []
  #held: { chunks: readonly Uint8Array[]; done: WriteDone } | undefined

  constructor({ reading = true } = {}) {
    this.reading = reading
  }

  /** What the other side has got. */
  get bytes(): Buffer {
    return Buffer.concat(this.#taken)
  }

  /** What Node would hold. */
  get heldBytes(): number {
    return this.#held?.chunks.reduce((sum, chunk) => sum + chunk.length, 0) ?? 0
  }

  write(chunks: readonly Uint8Array[], done: WriteDone): boolean {
    if (this.#held) throw new Error('two writes in flight')
    this.writes += 1
    this.#held = { chunks, done }
    if (this.reading) setImmediate(() => this.take())
    return false
  }

  end(reason: ViewerEnd): void {
    this.ended = reason
  }

  take(): void {
    const held = this.#held
    this.#held = undefined
    if (!held) return
    this.#taken.push(...held.chunks.map((chunk) => Uint8Array.from(chunk)))
    held.done()
  }

  fail(): void {
    const held = this.#held
    this.#held = undefined
    held?.done(new Error('reset'))
  }
}

/** Until nothing is left to do at once. */
export async function idle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** The body of an HTTP answer in chunked coding; a chunk that is not whole is an error. */
export function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16)
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
    if (end < 0 || bytes.toString('latin1', at - 2, at) !== '\r\n') throw new Error('a chunk is cut')
  }
  return Buffer.concat(parts)
}
