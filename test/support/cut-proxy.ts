import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { ServerSession } from '../../agent/protocol/rtmp/server-session.ts'
import type { FlvTag } from '../../shared/media/flv.ts'

/** A tag of a publisher, its body cut short. */
export type SentTag = Pick<FlvTag, 'kind' | 'timestampMs'> & { head: Uint8Array; sizeBytes: number }

/**
 * A TCP proxy in front of an RTMP server: cuts connections as a network does, and notes which tags the publishers
 * behind it sent, connection by connection, by listening in.
 */
export class CutProxy implements AsyncDisposable {
  /** Of each connection that published, in order of their beginning. */
  readonly sent: SentTag[][] = []
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  #open = true

  private constructor(server: Server) {
    this.#server = server
  }

  static async before(targetPort: number): Promise<CutProxy> {
    const server = createServer({ allowHalfOpen: true })
    const proxy = new CutProxy(server)
    server.on('connection', (client) => proxy.#accept(client, targetPort))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets what is connected; new connections are reset, too, until `restore`. */
  cut(): void {
    this.#open = false
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
  }

  restore(): void {
    this.#open = true
  }

  #accept(client: Socket, targetPort: number): void {
    client.on('error', () => undefined)
    if (!this.#open) return void client.resetAndDestroy()
    const server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    server.on('error', () => undefined)
    const pair: [Socket, Socket] = [client, server]
    this.#pairs.add(pair)
    client.on('close', () => this.#pairs.delete(pair))
    const listen = this.#listener()
    client.on('data', listen)
    client.pipe(server)
    server.pipe(client)
  }

  #listener(): (bytes: Buffer) => void {
    const session = new ServerSession()
    const tags: SentTag[] = []
    return (bytes) => {
      for (const event of session.push(bytes)) {
        if (event.kind === 'begin') {
          session.accept()
          this.sent.push(tags)
        } else if (event.kind === 'media') {
          const { kind, timestampMs, body } = event.tag
          tags.push({ kind, timestampMs, head: Uint8Array.from(body.subarray(0, 8)), sizeBytes: body.length })
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const aac = 10
const enhanced = { audio: 9, video: 0x80 }

/** Stamps of the pictures, in decoding order: DTS and, by the composition time, PTS. Legacy and Enhanced. */
export function sentPictures(tags: readonly SentTag[]): { dtsMs: number; ptsMs: number }[] {
  return tags.flatMap(({ kind, head, timestampMs: dtsMs }) => {
    if (kind !== 'video') return []
    const [first = 0, second] = head
    const isEnhanced = (first & enhanced.video) !== 0
    const type = isEnhanced ? first & 0x0f : second
    const composition = () => Buffer.from(head).readIntBE(isEnhanced ? 5 : 2, 3)
    if (type === 1) return [{ dtsMs, ptsMs: dtsMs + composition() }]
    return isEnhanced && type === 3 ? [{ dtsMs, ptsMs: dtsMs }] : []
  })
}

/** Stamps of the frames of sound. */
export function sentSound(tags: readonly SentTag[]): number[] {
  const isFrame = ({ head: [first = 0, second], sizeBytes }: SentTag) => {
    const format = first >> 4
    if (format === enhanced.audio) return (first & 0x0f) === 1
    return format === aac ? second === 1 && sizeBytes > 2 : sizeBytes > 1
  }
  return tags.filter((tag) => tag.kind === 'audio' && isFrame(tag)).map(({ timestampMs }) => timestampMs)
}
