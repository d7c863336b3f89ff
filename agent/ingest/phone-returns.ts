import { phoneEarlyPicturesMax } from '../../shared/limits.ts'
import { parsePhonePacket } from '../protocol/phone.ts'
import type { PhoneMessage } from '../protocol/phone-text.ts'
import type { Phone } from './phone.ts'
import type { ConnectionEvents, PhoneConnection } from './phone-connection.ts'
import type { Moment } from './phone-session.ts'
import { isParameterSets } from './phone-visitor.ts'

type Held = { at: Moment } & ({ packet: Uint8Array } | { text: PhoneMessage })

type Needs = {
  now: () => Moment
  /** Those that are told apart from this one by their clocks alone. */
  namesakes: (phone: Phone) => readonly Phone[]
  events: (phone: Phone, connection: PhoneConnection) => ConnectionEvents
}

/**
 * Connections that came back as one of several phones of one model behind one address: which of them it is shows with its
 * first picture, whose stamp goes on where that phone's stamps were. Until then what it says of its capture is held.
 *
 * Phones whose clocks are less than seconds apart (switched on together, or counting since 1970) stay where they
 * were put: only a token tells them apart.
 */
export class PhoneReturns {
  readonly #needs: Needs
  readonly #held = new Map<PhoneConnection, Held[]>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Whether it must be found out. */
  concerns(phone: Phone): boolean {
    return phone.session.clock.isKnown && this.#others(phone).length > 0
  }

  /** What listens to a connection that was put to this phone. */
  listen(phone: Phone, connection: PhoneConnection): ConnectionEvents {
    const held = this.#held.get(connection) ?? []
    this.#held.set(connection, held)
    const usual = this.#needs.events(phone, connection)
    const hold = (message: Held) => {
      held.push(message)
      if (held.length >= phoneEarlyPicturesMax) this.#settle(phone, phone, connection)
    }
    return {
      ...usual,
      packet: (packet, at) => {
        if (isParameterSets(packet)) return hold({ packet, at })
        const deviceMs = stampOf(packet)
        if (deviceMs === undefined) return usual.packet(packet, at) // Refused and counted.
        const owner = this.#ownerOf(deviceMs, at, phone)
        this.#settle(phone, owner, connection)
        owner.apply(owner.session.packet(packet, at))
      },
      text: (text, at) => {
        if (text.kind === 'capture-started' || text.kind === 'rotation') return hold({ text, at })
        // It films nothing that could tell.
        if (text.kind === 'capture-stopped' || text.kind === 'error') this.#settle(phone, phone, connection)
        usual.text(text, at)
      },
      closed: (at) => {
        this.#held.delete(connection)
        usual.closed(at)
      },
    }
  }

  /** Those that nobody is yet, or nobody is for sure. */
  #others(phone: Phone): Phone[] {
    return this.#needs.namesakes(phone).filter(({ session, connection }) => {
      const isFree = connection === undefined || this.#held.has(connection)
      return isFree && session.clock.isKnown
    })
  }

  #ownerOf(deviceMs: number, { monotonicMs }: Moment, phone: Phone): Phone {
    const fits = ({ session }: Phone) => session.clock.fits(deviceMs, monotonicMs)
    if (fits(phone)) return phone
    const [owner, ...others] = this.#others(phone).filter(fits)
    return owner && others.length === 0 ? owner : phone
  }

  /** It is known whose connection this is: from now on it is heard as any other. */
  #settle(phone: Phone, owner: Phone, connection: PhoneConnection): void {
    const held = this.#held.get(connection) ?? []
    this.#held.delete(connection)
    if (owner !== phone) this.#exchange(phone, owner)
    const events = this.#needs.events(owner, connection)
    connection.handle(events)
    for (const message of held) {
      if ('text' in message) events.text(message.text, message.at)
      else owner.apply(owner.session.packet(message.packet, message.at))
    }
  }

  /** Both have sent nothing yet by these connections. */
  #exchange(phone: Phone, owner: Phone): void {
    const now = this.#needs.now()
    const [mine, its] = [phone.connection, owner.connection]
    for (const each of [phone, owner]) {
      if (each.connection === undefined) continue
      each.connection = undefined
      each.apply(each.session.detach(now))
    }
    put(owner, mine)
    put(phone, its)
    if (its) its.handle(this.listen(phone, its))
  }
}

function stampOf(packet: Uint8Array): number | undefined {
  try {
    return parsePhonePacket(packet).deviceMs
  } catch {
    return undefined
  }
}

function put(phone: Phone, connection: PhoneConnection | undefined): void {
  if (!connection) return
  phone.connection = connection
  phone.session.attach()
}
