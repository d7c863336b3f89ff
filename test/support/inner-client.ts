import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type InnerMessage,
  type InnerParty,
  InnerReader,
  writeSubscription,
} from '../../agent/protocol/vehicle-inner.ts'

/** A web server, a PC server or a desktop client: keeps its subscriptions, and makes them again when it has reconnected. */
export class InnerClient implements AsyncDisposable {
  readonly messages: InnerMessage[] = []
  connects = 0
  #socket: Socket | undefined
  #sequence = 0
  #stopped = false
  readonly #port: number
  readonly #who: InnerParty
  readonly #wanted = new Set<string>()

  constructor(port: number, who: InnerParty = 'pcServer') {
    this.#port = port
    this.#who = who
    this.#connect()
  }

  get socket(): Socket | undefined {
    return this.#socket
  }

  of(device: string): Extract<InnerMessage, { kind: 'data' }>[] {
    return this.messages.filter((message) => message.kind === 'data').filter((data) => data.device === device)
  }

  subscribe(device: string): void {
    this.#wanted.add(device)
    this.#say('subscribe', device)
  }

  unsubscribe(device: string): void {
    this.#wanted.delete(device)
    this.#say('unsubscribe', device)
  }

  /** As if the network had gone. */
  cut(): void {
    this.#socket?.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#socket?.destroy()
  }

  #say(kind: 'subscribe' | 'unsubscribe', device: string): void {
    this.#sequence += 1
    if (this.#socket?.readyState !== 'open') return
    this.#socket.write(writeSubscription(kind, { who: this.#who, device, sequence: this.#sequence }))
  }

  #connect(): void {
    if (this.#stopped) return
    const reader = new InnerReader()
    const socket = connect(this.#port, '127.0.0.1')
    this.#socket = socket
    socket.on('connect', () => {
      this.connects += 1
      for (const device of this.#wanted) this.#say('subscribe', device)
    })
    socket.on('data', (bytes: Buffer) => this.messages.push(...reader.push(bytes)))
    socket.on('error', () => undefined)
    socket.on('close', () => void delay(20).then(() => this.#connect()))
  }
}
