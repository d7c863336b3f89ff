import { AppError } from '../../shared/error.ts'
import { phonePingMs } from '../../shared/limits.ts'
import { type PhoneCapabilities, type PhoneMessage, parsePhoneMessage } from '../protocol/phone-text.ts'
import { PhoneGuard } from './phone-guard.ts'
import { plainAddress } from './phone-name.ts'
import type { Moment } from './phone-session.ts'

/** What ingest needs of a WebSocket; `listen/websocket` provides it. */
export type PhoneSocket = {
  send(text: string): void
  close(code: number, reason?: string): void
  ping(): void
  onMessage(listener: (data: Uint8Array, isBinary: boolean) => void): void
  onPong(listener: () => void): void
  onClose(listener: () => void): void
}

/** Who stands at the door, as far as its token says. */
export type PhonePrincipal = { role: string; subject: string; stream?: string }

export type ConnectionEvents = {
  /** Throws `AppError` for a packet that was refused. */
  packet(bytes: Uint8Array, at: Moment): void
  text(message: PhoneMessage, at: Moment): void
  /** Something was refused that is not a packet. */
  refused(reason: 'bad-text' | 'too-fast'): void
  roundTrip(ms: number): void
  closed(at: Moment): void
}

// RFC 6455, 7.4.1.
const policyViolation = 1008
const internalError = 1011
export const goingAway = 1001

const nobody: ConnectionEvents = {
  packet: () => undefined,
  text: () => undefined,
  refused: () => undefined,
  roundTrip: () => undefined,
  closed: () => undefined,
}

/** One WebSocket of a phone: reads it always, times it, guards it. */
export class PhoneConnection {
  readonly principal: PhonePrincipal
  readonly address: string
  readonly sinceMs: number
  capabilities: PhoneCapabilities | undefined
  heardMs: number
  heardWallMs: number
  closed = false
  readonly #socket: PhoneSocket
  readonly #now: () => Moment
  readonly #onRefused: (reason: string) => void
  readonly #onFault: (error: unknown) => void
  readonly #guard = new PhoneGuard()
  #events: ConnectionEvents = nobody
  #closing = false
  #pingMs: number | undefined
  /** Of the ping whose answer is due. */
  #pingSentMs: number | undefined

  constructor(
    socket: PhoneSocket,
    about: {
      principal: PhonePrincipal
      address: string
      now: () => Moment
      onRefused: (reason: string) => void
      /** A mistake of ours: it costs this connection, and no other one. */
      onFault: (error: unknown) => void
    },
  ) {
    const { monotonicMs, wallMs } = about.now()
    this.principal = about.principal
    this.address = plainAddress(about.address)
    this.sinceMs = monotonicMs
    this.heardMs = monotonicMs
    this.heardWallMs = wallMs
    this.#now = about.now
    this.#onRefused = about.onRefused
    this.#onFault = about.onFault
    this.#socket = socket
    socket.onMessage((data, isBinary) => this.#guarded(() => this.#message(data, isBinary)))
    socket.onPong(() => this.#guarded(() => this.#pong()))
    socket.onClose(() => this.#guarded(() => this.#closed()))
  }

  /** Who listens from now on. */
  handle(events: ConnectionEvents): void {
    this.#events = events
  }

  /** Who listens now. */
  get events(): ConnectionEvents {
    return this.#events
  }

  send(text: string): void {
    if (!this.closed) this.#socket.send(text)
  }

  close(reason: string, code = policyViolation): void {
    if (this.#closing) return
    this.#closing = true
    if (code !== goingAway) this.#onRefused(reason)
    this.#socket.close(code, reason)
  }

  /** Call often; pings every few seconds, one at a time. */
  tick({ monotonicMs }: Moment): void {
    if (this.closed || monotonicMs - (this.#pingMs ?? -phonePingMs) < phonePingMs) return
    this.#pingMs = monotonicMs
    if (this.#pingSentMs !== undefined) return // The answer to an old ping would look like a quick one.
    this.#pingSentMs = monotonicMs
    this.#socket.ping()
  }

  #guarded(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#onFault(error)
      this.close('a mistake of the agent', internalError)
    }
  }

  #pong(): void {
    const { monotonicMs, wallMs } = this.#now()
    this.#hear(monotonicMs, wallMs)
    if (this.#pingSentMs === undefined) return
    this.#events.roundTrip(monotonicMs - this.#pingSentMs)
    this.#pingSentMs = undefined
  }

  #closed(): void {
    if (this.closed) return
    this.closed = true
    this.#events.closed(this.#now())
  }

  #hear(monotonicMs: number, wallMs: number): void {
    this.heardMs = monotonicMs
    this.heardWallMs = wallMs
  }

  #message(data: Uint8Array, isBinary: boolean): void {
    const at = this.#now()
    this.#hear(at.monotonicMs, at.wallMs)
    if (isBinary) this.#packet(data, at)
    else this.#text(data, at)
  }

  #packet(bytes: Uint8Array, at: Moment): void {
    if (!this.#guard.packet(at.monotonicMs)) {
      this.#events.refused('too-fast')
      this.#strike(at)
      return
    }
    try {
      this.#events.packet(bytes, at)
      this.#guard.good(at.monotonicMs)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.#strike(at)
    }
  }

  #text(data: Uint8Array, at: Moment): void {
    if (!this.#guard.text(at.monotonicMs)) {
      this.close('too many messages')
      return
    }
    try {
      const message = parsePhoneMessage(
        Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8'),
      )
      if (message.kind === 'capabilities') this.capabilities = message.capabilities
      this.#events.text(message, at)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.#events.refused('bad-text')
      this.#strike(at)
    }
  }

  #strike({ monotonicMs }: Moment): void {
    if (!this.#guard.bad(monotonicMs)) this.close('too many bad packets')
  }
}
