import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { formatPhonePacket } from '../../agent/protocol/phone.ts'

const mask = Buffer.from([0x5a, 0xc3, 0x3c, 0xa5])
const op = { text: 1, binary: 2, ping: 9, pong: 10 }

/**
 * The phone's end of its WebSocket with as little work as possible, since the sender shares the machine with
 * what is measured: one constant mask (RFC 6455 5.3 wants a random one against proxies, and there is none here).
 */
export class PhoneLine implements Disposable {
  readonly #socket: Socket
  sentBytes = 0
  sentPictures = 0

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket
    this.#hear(head)
    socket.on('data', (chunk: Buffer) => this.#hear(chunk))
    socket.on('error', () => undefined) // What is measured has ended the connection; its own figures say so.
    socket.setNoDelay(true)
  }

  static async open(port: number, path: string, model: string): Promise<PhoneLine> {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
    }
    const asked = request({ host: '127.0.0.1', port, path, headers })
    asked.end()
    const [, socket, head] = (await once(asked, 'upgrade')) as [unknown, Socket, Buffer]
    const line = new PhoneLine(socket, head)
    line.say({ status: 'ready', message: 'camera ready' })
    line.say({
      type: 'capabilities',
      deviceModel: model,
      sdkInt: 35,
      resolutions: [{ width: 1920, height: 1080 }],
    })
    return line
  }

  say(message: object): void {
    this.#write(op.text, Buffer.from(JSON.stringify(message)))
  }

  picture(deviceMs: number, payload: Uint8Array): void {
    this.#write(op.binary, formatPhonePacket({ deviceMs, sequence: this.sentPictures, payload }))
    this.sentPictures += 1
    this.sentBytes += payload.length
  }

  /** Bytes that wait in this process: the other end does not read. */
  get waitingBytes(): number {
    return this.#socket.writableLength
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  /** Pings of the server are short, unmasked and whole in one read. */
  #hear(chunk: Buffer): void {
    for (let at = 0; at + 2 <= chunk.length; ) {
      const size = (chunk[at + 1] ?? 0) & 0x7f
      if (size > 125) return
      if (((chunk[at] ?? 0) & 0x0f) === op.ping) this.#write(op.pong, chunk.subarray(at + 2, at + 2 + size))
      at += 2 + size
    }
  }

  #write(opcode: number, payload: Uint8Array): void {
    const size = payload.length
    const headBytes = size < 126 ? 6 : size < 65_536 ? 8 : 14
    const frame = Buffer.allocUnsafe(headBytes + size)
    frame[0] = 0x80 | opcode
    if (size < 126) frame[1] = 0x80 | size
    else if (size < 65_536) {
      frame[1] = 0x80 | 126
      frame.writeUInt16BE(size, 2)
    } else {
      frame[1] = 0x80 | 127
      frame.writeBigUInt64BE(BigInt(size), 2)
    }
    mask.copy(frame, headBytes - 4)
    for (let i = 0; i < size; i += 1) frame[headBytes + i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0)
    this.#socket.write(frame)
  }
}
