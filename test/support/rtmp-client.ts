import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parseRtmpUrl } from '../../agent/protocol/rtmp/address.ts'
import { chunked } from '../../agent/protocol/rtmp/chunk-writer.ts'
import { type ClientEvent, ClientSession } from '../../agent/protocol/rtmp/client-session.ts'
import type { AppError } from '../../shared/error.ts'
import type { FlvTag } from '../../shared/media/flv.ts'

/** An RTMP client over a real socket: what a test needs of one. */
export class RtmpClient implements AsyncDisposable {
  readonly tags: FlvTag[] = []
  ended: string | undefined
  error: AppError | undefined
  readonly socket: Socket
  readonly #session: ClientSession
  readonly #settled = Promise.withResolvers<void>()

  private constructor(url: string, mode: 'publish' | 'play', digest: boolean) {
    const parsed = parseRtmpUrl(url)
    this.#session = new ClientSession({ url: parsed, mode, digest })
    this.socket = connect(parsed.port, parsed.host)
    this.socket.on('connect', () => this.socket.write(this.#session.begin()))
    this.socket.on('data', (bytes: Buffer) => {
      for (const event of this.#session.push(bytes)) this.#handle(event)
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => this.#settled.resolve())
  }

  /** Resolves when it was let in, refused (`error`) or cut off. */
  static async open(url: string, mode: 'publish' | 'play', { digest = false } = {}): Promise<RtmpClient> {
    const client = new RtmpClient(url, mode, digest)
    await client.#settled.promise
    return client
  }

  get closed(): boolean {
    return this.socket.destroyed
  }

  send(tag: FlvTag): void {
    this.socket.write(chunked(this.#session.message(tag.kind, tag.timestampMs, tag.body)))
  }

  /** deleteStream, as a player or an encoder says goodbye. */
  leave(): void {
    this.socket.write(this.#session.end())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return
    const closed = once(this.socket, 'close')
    this.socket.destroy()
    await closed
  }

  #handle(event: ClientEvent): void {
    if (event.kind === 'send') this.socket.write(event.bytes)
    else if (event.kind === 'media') this.tags.push(event.tag)
    else if (event.kind === 'ended') this.ended = event.reason
    else {
      if (event.kind === 'failed') this.error = event.error
      this.#settled.resolve()
    }
  }
}
