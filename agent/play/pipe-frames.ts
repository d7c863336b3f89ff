import { deserialize, serialize } from 'node:v8'

/*
 * A message on the pipe between the agent and its own worker, both of one build:
 *
 *   length u32 big-endian │ structured clone of the message
 */
const headBytes = 4

export function pipeFrame(message: object): [Uint8Array, Uint8Array] {
  const body = serialize(message)
  const head = Buffer.allocUnsafe(headBytes)
  head.writeUInt32BE(body.length)
  return [head, body]
}

/** Bytes in, messages out; any split gives the same messages. */
export class PipeReader {
  readonly #onMessage: (message: unknown) => void
  #chunks: Uint8Array[] = []
  #sizeBytes = 0
  #needBytes = headBytes

  constructor(onMessage: (message: unknown) => void) {
    this.#onMessage = onMessage
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes < this.#needBytes) return // A key frame comes in many chunks: they are joined once.
    const bytes = Buffer.concat(this.#chunks)
    let at = 0
    for (;;) {
      const bodyBytes = bytes.length - at < headBytes ? 0 : bytes.readUInt32BE(at)
      this.#needBytes = headBytes + bodyBytes
      if (bytes.length - at < this.#needBytes) break
      this.#onMessage(deserialize(bytes.subarray(at + headBytes, at + this.#needBytes)))
      at += this.#needBytes
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : []
    this.#sizeBytes = bytes.length - at
  }
}
