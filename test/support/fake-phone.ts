import type { PhoneSocket } from '../../agent/ingest/phone-connection.ts'
import { formatPhonePacket } from '../../agent/protocol/phone.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

/** 640x480 Constrained Baseline, as Chromium's encoder writes them. */
export const parameterSets = hex('00000001 6742c0168c8d40501e93506060607844235 0 00000001 68ce3c80')
/** Not decodable, but with a slice header that says what it is: an IDR, and a picture that refers to it. */
const idrSlice = hex('00000001 65b800040000')
const pSlice = hex('00000001 41e00040')

/** A picture whose last bytes tell it from all others. */
export function picture(n: number, options: { key?: boolean; sets?: boolean } = {}): Uint8Array {
  const { key = n % 10 === 0, sets = key } = options
  const mark = Uint8Array.of(0xa0 + (n & 0x0f), 0x80 | (n >> 4), 0x80 | (n >> 11), 0x80)
  return Buffer.concat([sets ? parameterSets : new Uint8Array(), key ? idrSlice : pSlice, mark])
}

/** A phone at the other end of a socket in memory: what it says arrives at once. */
export class FakePhone {
  readonly heard: string[] = []
  closedWith: { code: number; reason: string | undefined } | undefined
  sequence = 0
  pings = 0
  /** Whether it answers pings. */
  alive = true
  readonly socket: PhoneSocket
  #onMessage: (data: Uint8Array, isBinary: boolean) => void = () => undefined
  #onPong: () => void = () => undefined
  #onClose: () => void = () => undefined

  constructor() {
    this.socket = {
      send: (text) => void this.heard.push(text),
      close: (code, reason) => this.#close(code, reason),
      ping: () => {
        this.pings += 1
        if (this.alive) queueMicrotask(() => this.#onPong())
      },
      onMessage: (listener) => {
        this.#onMessage = listener
      },
      onPong: (listener) => {
        this.#onPong = listener
      },
      onClose: (listener) => {
        this.#onClose = listener
      },
    }
  }

  /** As the app does on opening. */
  hello(model = 'Pixel 6a'): void {
    this.say({ status: 'ready', message: 'camera ready' })
    this.say({
      type: 'capabilities',
      deviceModel: model,
      sdkInt: 35,
      resolutions: [{ width: 1920, height: 1080 }],
    })
  }

  say(message: object | string): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message)
    if (!this.closedWith) this.#onMessage(Buffer.from(text), false)
  }

  send(packet: Uint8Array): void {
    if (!this.closedWith) this.#onMessage(packet, true)
  }

  film(deviceMs: number, payload: Uint8Array): void {
    this.send(formatPhonePacket({ deviceMs, sequence: this.sequence, payload }))
    this.sequence = (this.sequence + 1) % 2 ** 32
  }

  /** The network takes the connection away. */
  vanish(): void {
    this.#close(1006, undefined)
  }

  pong(): void {
    this.#onPong()
  }

  /** The last command that it was given. */
  get command(): string | undefined {
    const last = this.heard.at(-1)
    return last === undefined ? undefined : JSON.parse(last).command
  }

  #close(code: number, reason: string | undefined): void {
    if (this.closedWith) return
    this.closedWith = { code, reason }
    this.#onClose()
  }
}
