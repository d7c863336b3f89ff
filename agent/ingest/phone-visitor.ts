import type { PhoneInfo } from '../../shared/contract/agent-api.ts'
import { parameterSetBytesMax, phoneEarlyPicturesMax } from '../../shared/limits.ts'
import { isParameterSet, isVcl, nalType, splitAnnexB } from '../../shared/media/nal.ts'
import { parsePhonePacket } from '../protocol/phone.ts'
import type { PhoneMessage } from '../protocol/phone-text.ts'
import type { Phone } from './phone.ts'
import type { PhoneConnection } from './phone-connection.ts'
import type { Moment } from './phone-session.ts'

type Held = { at: Moment; text: PhoneMessage } | { at: Moment; packet: Uint8Array }

/**
 * A connection that is not yet a phone. First nobody knows what it is: what it sends is held until it has said so.
 * If it must wait to be allowed, nothing of its pictures is kept: they are counted, save for the parameter sets
 * (some phones send them only once) and what state the phone said it was in.
 */
export class PhoneVisitor {
  readonly connection: PhoneConnection
  /** Names it in `phones/{id}/allow`; empty before it waits. */
  id = ''
  /** Refused packets by reason. */
  readonly refused: Record<string, number> = {}
  #held: Held[] = []

  constructor(connection: PhoneConnection, events: { onIdentified(): void; onClosed(): void }) {
    this.connection = connection
    connection.handle({
      packet: (packet, at) => this.#packet(packet, at, events.onIdentified),
      text: (text, at) => this.#text(text, at, events.onIdentified),
      refused: (reason) => this.#refuse(reason),
      roundTrip: () => undefined,
      closed: events.onClosed,
    })
  }

  get waiting(): boolean {
    return this.id !== ''
  }

  get model(): string | undefined {
    return this.connection.capabilities?.model
  }

  /** What is remembered of a phone that was allowed. */
  get key(): string {
    return `${this.model ?? ''}@${this.connection.address}`
  }

  wait(id: string): void {
    const held = this.#held
    this.id = id
    this.#held = []
    for (const message of held) {
      if ('text' in message) this.#keep(message.text, message.at)
      else this.#waitingPacket(message.packet, message.at)
    }
  }

  /** Hands over what was held, in the order in which it came, to who listens to the connection now. */
  admitTo(phone: Phone): void {
    for (const [reason, count] of Object.entries(this.refused)) {
      phone.session.refused[reason] = (phone.session.refused[reason] ?? 0) + count
    }
    for (const message of this.#held) {
      if ('text' in message) this.connection.events.text(message.text, message.at)
      else this.#replay(message)
    }
    this.#held = []
  }

  info(): PhoneInfo {
    const { capabilities, address, heardWallMs } = this.connection
    return {
      id: this.id,
      address,
      state: 'waiting',
      lastSeenAt: heardWallMs,
      refused: this.refused,
      ...(capabilities?.model ? { model: capabilities.model } : {}),
      ...(capabilities && capabilities.resolutions.length > 0
        ? { resolutions: capabilities.resolutions }
        : {}),
    }
  }

  #replay({ packet, at }: { packet: Uint8Array; at: Moment }): void {
    try {
      this.connection.events.packet(packet, at)
    } catch {
      // Counted by the session: a bad packet does not end it.
    }
  }

  #text(text: PhoneMessage, at: Moment, onIdentified: () => void): void {
    if (this.waiting) {
      this.#keep(text, at)
      return
    }
    this.#held.push({ text, at })
    // The app says `ready` first and what it is right after; anything else will not say it any more.
    if (text.kind !== 'ready' && text.kind !== 'other') onIdentified()
  }

  #packet(packet: Uint8Array, at: Moment, onIdentified: () => void): void {
    if (this.waiting) {
      this.#waitingPacket(packet, at)
      return
    }
    this.#held.push({ packet, at })
    onIdentified()
  }

  /** Of a phone that waits only the newest word on its state matters. */
  #keep(text: PhoneMessage, at: Moment): void {
    const lasting = this.#held.filter((message) => 'packet' in message)
    const films = text.kind === 'capture-started' || text.kind === 'capture-stopped'
    if (films) this.#held = [...lasting, { text, at }]
  }

  #waitingPacket(packet: Uint8Array, at: Moment): void {
    if (!isParameterSets(packet)) {
      this.#refuse('waiting')
      return
    }
    const texts = this.#held.filter((message) => 'text' in message)
    this.#held = [{ packet: Uint8Array.from(packet), at }, ...texts].slice(0, phoneEarlyPicturesMax)
  }

  #refuse(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1
  }
}

/** A packet that holds no picture. */
export function isParameterSets(packet: Uint8Array): boolean {
  if (packet.length > parameterSetBytesMax) return false
  try {
    const types = splitAnnexB(parsePhonePacket(packet).payload).map((nal) => nalType('h264', nal))
    return types.some((type) => isParameterSet('h264', type)) && !types.some((type) => isVcl('h264', type))
  } catch {
    return false
  }
}
