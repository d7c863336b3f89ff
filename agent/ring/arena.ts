import { ringChunkBytes, ringSpareChunksMax } from '../../shared/limits.ts'

type Chunk = {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  used: number
  /** Messages, the one that is being filled included, with units in it. */
  messages: number
}

/**
 * The memory in which units go to the storage worker: shared with it, and used again once it has written them.
 * Buffers of its own for each message, handed over by transfer, cost two garbage collectors more than all other
 * work of taking a picture in.
 *
 * Invariant: a chunk is written again only when no message that is under way has units in it.
 */
export class Arena {
  #current: Chunk = newChunk(ringChunkBytes)
  #filling: Chunk[] = []
  readonly #sent: Chunk[][] = []
  readonly #spare: Chunk[] = []

  /** Room for a unit, and the place of its chunk in the message that is being filled. */
  reserve(sizeBytes: number): { chunk: number; into: Uint8Array<SharedArrayBuffer> } {
    const chunk = this.#chunkFor(sizeBytes)
    let place = this.#filling.lastIndexOf(chunk)
    if (place < 0) {
      place = this.#filling.push(chunk) - 1
      chunk.messages += 1
    }
    const into = new Uint8Array(chunk.bytes.buffer, chunk.used, sizeBytes)
    chunk.used += sizeBytes
    return { chunk: place, into }
  }

  /** The chunks of the message, which is under way from now on; the next one begins. */
  send(): SharedArrayBuffer[] {
    const chunks = this.#filling
    this.#sent.push(chunks)
    this.#filling = []
    return chunks.map(({ bytes }) => bytes.buffer)
  }

  /** The oldest message under way has arrived and is written. */
  release(): void {
    for (const chunk of this.#sent.shift() ?? []) {
      chunk.messages -= 1
      if (chunk.messages > 0) continue
      chunk.used = 0
      const isSpare = chunk !== this.#current && chunk.bytes.length === ringChunkBytes
      if (isSpare && this.#spare.length < ringSpareChunksMax) this.#spare.push(chunk)
    }
  }

  #chunkFor(sizeBytes: number): Chunk {
    if (sizeBytes > ringChunkBytes) return newChunk(sizeBytes)
    if (this.#current.used + sizeBytes > ringChunkBytes)
      this.#current = this.#spare.pop() ?? newChunk(ringChunkBytes)
    return this.#current
  }
}

function newChunk(sizeBytes: number): Chunk {
  return { bytes: new Uint8Array(new SharedArrayBuffer(sizeBytes)), used: 0, messages: 0 }
}
