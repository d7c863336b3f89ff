import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'

const headBytes = 13 // FLV header and the first PreviousTagSize.
const tagHeadBytes = 11
const videoTag = 9

/** Reads HTTP-FLV and hands over each video tag's body in the moment its last byte is there. */
export class FlvViewer implements Disposable {
  readonly #request: ClientRequest
  readonly #onTag: (body: Uint8Array) => void
  #rest: Buffer = Buffer.alloc(0)
  #skip = headBytes

  private constructor(request: ClientRequest, response: IncomingMessage, onTag: (body: Uint8Array) => void) {
    this.#request = request
    this.#onTag = onTag
    response.on('data', (chunk: Buffer) => this.#read(chunk))
    response.on('error', () => undefined)
  }

  static async open(
    options: { port: number; path: string; token: string },
    onTag: (body: Uint8Array) => void,
  ): Promise<FlvViewer> {
    const { port, path, token } = options
    const headers = { authorization: `Bearer ${token}` }
    const request = get({ host: '127.0.0.1', port, path, headers, agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`)
    request.on('error', () => undefined)
    return new FlvViewer(request, response, onTag)
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length)
      this.#skip -= skipped
      bytes = bytes.subarray(skipped)
      if (bytes.length < tagHeadBytes) break
      const size = bytes.readUIntBE(1, 3)
      if (bytes.length < tagHeadBytes + size) break
      if (bytes[0] === videoTag) this.#onTag(bytes.subarray(tagHeadBytes, tagHeadBytes + size))
      this.#skip = tagHeadBytes + size + 4
    }
    this.#rest = bytes
  }

  [Symbol.dispose](): void {
    this.#request.destroy()
  }
}
