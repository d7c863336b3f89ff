import type { PhoneInfo } from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import {
  phoneAliveMs,
  phoneIdentifyMs,
  phoneStrangersMax,
  phonesMax,
  phonesWaitingMax,
  phoneTickMs,
  phoneWaitingMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Hub } from '../hub/hub.ts'
import { Phone, type PhoneNeeds, type PhoneRecordings } from './phone.ts'
import {
  type ConnectionEvents,
  goingAway,
  PhoneConnection,
  type PhonePrincipal,
  type PhoneSocket,
} from './phone-connection.ts'
import { phoneInfo } from './phone-info.ts'
import { cleanName, phoneName, uniqueName } from './phone-name.ts'
import { PhonePictures } from './phone-pictures.ts'
import { PhoneReturns } from './phone-returns.ts'
import { type Moment, PhoneSession } from './phone-session.ts'
import { PhoneVisitor } from './phone-visitor.ts'

/** The phones that somebody allowed, kept over restarts by the agent's settings. */
export type AllowedPhones = { has(key: string): boolean; remember(key: string): Promise<void> }

export type PhoneEvent =
  | { type: 'waiting' | 'admitted' | 'gone'; phone: string; address: string }
  | { type: 'refused'; phone: string; reason: string }
  | { type: 'fault'; message: string; error: unknown }

export type PhonesOptions = {
  clock: Clock
  hub: Pick<Hub, 'publish' | 'stream'>
  recordings: PhoneRecordings
  /** `phones.allowWithoutToken`. */
  allowWithoutToken: boolean | readonly string[]
  allowed: AllowedPhones
  /** Time to the phone and back, for the bound of the stream's wall times. */
  onRoundTrip: (stream: string, ms: number) => void
  onEvent: (event: PhoneEvent) => void
}

const tryLater = 1013 // RFC 6455, registry of close codes.

/**
 * All phones: those that wait at the door to be allowed (`PhoneVisitor`), those that film (`Phone`), and those
 * that are expected back. Who a phone is: the stream of its token, else its token's name, else its model and address; and
 * of several that come back with one of these, whose clock it has (`PhoneReturns`).
 */
export class Phones implements Disposable {
  readonly #options: PhonesOptions
  readonly #needs: PhoneNeeds
  readonly #visitors = new Set<PhoneVisitor>()
  readonly #phones = new Set<Phone>()
  readonly #refusedBefore: Record<string, number> = {}
  readonly #disposed = new AbortController()
  readonly #returns = new PhoneReturns({
    now: () => this.#now(),
    namesakes: (phone) =>
      [...this.#phones].filter(
        (other) => other !== phone && other.baseName === phone.baseName && other.identity === phone.identity,
      ),
    events: (phone, connection) => this.#events(phone, connection),
  })

  constructor(options: PhonesOptions) {
    this.#options = options
    this.#needs = {
      hub: options.hub,
      recordings: options.recordings,
      now: () => this.#now(),
      onFault: (message, error) => options.onEvent({ type: 'fault', message, error }),
    }
    this.#run().catch((error) => this.#needs.onFault('the phones are not watched any more', error))
  }

  /** Phones of recordings that were open when the agent stopped: they are expected back. */
  resume(recordings: readonly Recording[]): void {
    for (const recording of recordings) {
      for (const { name, to } of recording.streams) {
        if (to !== null || this.#named(name)) continue
        const phone = this.#newPhone(name, name, `resumed:${name}`)
        phone.recording = recording.id
        phone.session.resume(this.#now())
      }
    }
  }

  /** A WebSocket at `/android-cam`. Reading begins before this returns. */
  connect(socket: PhoneSocket, { principal, address }: { principal: PhonePrincipal; address: string }): void {
    const isCrowded = principal.role === 'anonymous' && this.#visitors.size >= phoneStrangersMax
    if (isCrowded || this.#visitors.size + this.#phones.size >= phonesMax) {
      socket.close(tryLater, 'too many phones')
      this.#options.onEvent({ type: 'refused', phone: address, reason: 'too many phones' })
      return
    }
    const connection = new PhoneConnection(socket, {
      principal,
      address,
      now: () => this.#now(),
      onRefused: (reason) => this.#options.onEvent({ type: 'refused', phone: address, reason }),
      onFault: (error) => this.#needs.onFault('a phone failed', error),
    })
    const visitor = new PhoneVisitor(connection, {
      onIdentified: () => this.#identified(visitor),
      onClosed: () => this.#dismiss(visitor),
    })
    this.#visitors.add(visitor)
    if (principal.stream !== undefined) this.#identified(visitor)
  }

  /** Those that film or may, and those that wait. */
  list(): PhoneInfo[] {
    const visitors = [...this.#visitors].filter(({ waiting }) => waiting).map((visitor) => visitor.info())
    return [...visitors, ...[...this.#phones].map((phone) => phoneInfo(phone, this.#now()))]
  }

  get counts(): { connected: number; waiting: number } {
    const connected = this.connected().length
    return { connected, waiting: [...this.#visitors].filter(({ waiting }) => waiting).length }
  }

  /** Packets that were refused since the start, by reason, of all phones that ever came. */
  refusedPackets(): Record<string, number> {
    const refused = { ...this.#refusedBefore }
    for (const { session } of this.#phones) addCounts(refused, session.refused)
    for (const visitor of this.#visitors) addCounts(refused, visitor.refused)
    return refused
  }

  connected(): Phone[] {
    return [...this.#phones].filter(({ session }) => session.connected)
  }

  /** Admits a phone that waits, now and from now on. `NotFound`. */
  async allow(id: string): Promise<PhoneInfo> {
    const visitor = [...this.#visitors].find((candidate) => candidate.waiting && candidate.id === id)
    if (!visitor) {
      const phone = this.#named(id)
      if (phone) return phoneInfo(phone, this.#now())
      throw new AppError('NotFound', `No phone ${id} is waiting.`, { zh: `没有等待中的手机 ${id}。` })
    }
    await this.#options.allowed.remember(visitor.key)
    return phoneInfo(this.#admit(visitor), this.#now())
  }

  /** A recording was stopped: its phones are told to stop too. */
  recordingStopped(id: string): void {
    for (const phone of this.#phones) if (phone.recording === id) phone.recordingStopped()
  }

  /** The token of this name was revoked: whoever it let in leaves, filming or not. */
  revoked(token: string): void {
    for (const { connection } of [...this.#visitors, ...this.#phones]) {
      const { role, subject } = connection?.principal ?? {}
      if (role === 'publisher' && subject === token) connection?.close('its token was revoked')
    }
  }

  /** Connections are closed; what the phones filmed stays in open recordings, to which they may come back. */
  [Symbol.dispose](): void {
    this.#disposed.abort()
    for (const { connection } of this.#visitors) connection.close('the agent stops', goingAway)
    for (const { connection } of this.#phones) connection?.close('the agent stops', goingAway)
  }

  #now(): Moment {
    const { clock } = this.#options
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() }
  }

  async #run(): Promise<void> {
    const { signal } = this.#disposed
    while (!signal.aborted) {
      await this.#options.clock.sleep(phoneTickMs, signal).catch(() => undefined)
      if (!signal.aborted) this.#tick(this.#now())
    }
  }

  #tick(at: Moment): void {
    for (const visitor of this.#visitors) {
      visitor.connection.tick(at)
      const age = at.monotonicMs - visitor.connection.sinceMs
      if (visitor.waiting && age > phoneWaitingMs)
        visitor.connection.close('nobody allowed this phone', tryLater)
      if (!visitor.waiting && age > phoneIdentifyMs) this.#identified(visitor)
    }
    for (const phone of this.#phones) {
      phone.connection?.tick(at)
      phone.tick(at)
      this.#forgetIdle(phone)
    }
  }

  /** It is known who this is: let in, or let wait. */
  #identified(visitor: PhoneVisitor): void {
    if (visitor.waiting || !this.#visitors.has(visitor)) return
    if (this.#welcome(visitor)) {
      this.#admit(visitor)
      return
    }
    const { connection } = visitor
    if (this.counts.waiting >= phonesWaitingMax) {
      connection.close('too many phones wait', tryLater)
      return
    }
    visitor.wait(uniqueName(phoneName(visitor.model, connection.address), (name) => this.#taken(name)))
    this.#options.onEvent({ type: 'waiting', phone: visitor.id, address: connection.address })
  }

  #welcome({ connection, key }: PhoneVisitor): boolean {
    const { allowWithoutToken: open, allowed } = this.#options
    if (connection.principal.role !== 'anonymous') return true
    if (open === true || allowed.has(key)) return true
    return open !== false && open.includes(connection.address)
  }

  #admit(visitor: PhoneVisitor): Phone {
    this.#visitors.delete(visitor)
    const { connection } = visitor
    const { principal, address } = connection
    const phone = this.#phoneOf(visitor)
    this.#attach(phone, connection)
    this.#options.onEvent({ type: 'admitted', phone: phone.name, address: `${address} ${principal.subject}` })
    visitor.admitTo(phone)
    return phone
  }

  /** The phone that has come back, or a new one. */
  #phoneOf({ connection, model }: PhoneVisitor): Phone {
    const { principal, address } = connection
    const labelled =
      principal.role === 'publisher' && isName(principal.subject) ? principal.subject : undefined
    const baseName = principal.stream ?? (labelled && cleanName(labelled)) ?? phoneName(model, address)
    const identity = `${principal.role === 'anonymous' ? 'allowed' : `token:${principal.subject}`}:${baseName}`
    const known = [...this.#phones].find((phone) => this.#isSame(phone, baseName, identity, principal.stream))
    if (known) return known
    const name = principal.stream ?? uniqueName(baseName, (candidate) => this.#taken(candidate))
    return this.#newPhone(name, baseName, identity)
  }

  #isSame(phone: Phone, baseName: string, identity: string, bound: string | undefined): boolean {
    const resumed = phone.identity.startsWith('resumed:')
    if (resumed && !phone.session.connected) return isNumbered(phone.name, baseName)
    if (phone.baseName !== baseName || phone.identity !== identity) return false
    // A token of one stream takes over; others of the same name only when the connection is a ghost.
    return bound !== undefined || !this.#alive(phone)
  }

  #alive({ session, connection }: Phone): boolean {
    if (!session.connected || !connection) return false
    return this.#now().monotonicMs - connection.heardMs <= phoneAliveMs
  }

  #newPhone(name: string, baseName: string, identity: string): Phone {
    const session = new PhoneSession(new PhonePictures(this.#now()))
    const phone = new Phone({ name, baseName, identity, session }, this.#needs)
    this.#phones.add(phone)
    return phone
  }

  #attach(phone: Phone, connection: PhoneConnection): void {
    const before = phone.connection
    if (before) {
      phone.connection = undefined // What it still says is nobody's.
      before.close('the phone has connected again')
      phone.apply(phone.session.detach(this.#now()))
    }
    phone.connection = connection
    phone.session.attach()
    const isCertain = !this.#returns.concerns(phone)
    connection.handle(isCertain ? this.#events(phone, connection) : this.#returns.listen(phone, connection))
  }

  #events(phone: Phone, connection: PhoneConnection): ConnectionEvents {
    return {
      packet: (bytes, at) => phone.apply(phone.session.packet(bytes, at)),
      text: (text, at) => phone.apply(phone.session.text(text, at)),
      refused: (reason) => phone.session.count(reason),
      roundTrip: (ms) => this.#roundTrip(phone, ms),
      closed: (at) => this.#detach(phone, connection, at),
    }
  }

  #detach(phone: Phone, connection: PhoneConnection, at: Moment): void {
    if (phone.connection !== connection) return
    phone.connection = undefined
    phone.apply(phone.session.detach(at))
    this.#options.onEvent({ type: 'gone', phone: phone.name, address: connection.address })
    this.#forgetIdle(phone)
  }

  #forgetIdle(phone: Phone): void {
    if (phone.session.connected || phone.session.state !== 'idle') return
    this.#phones.delete(phone)
    addCounts(this.#refusedBefore, phone.session.refused)
  }

  #dismiss(visitor: PhoneVisitor): void {
    if (this.#visitors.delete(visitor)) addCounts(this.#refusedBefore, visitor.refused)
  }

  #roundTrip(phone: Phone, ms: number): void {
    phone.roundTripMs = Math.min(phone.roundTripMs ?? ms, ms)
    this.#options.onRoundTrip(phone.name, ms)
  }

  #named(name: string): Phone | undefined {
    return [...this.#phones].find((phone) => phone.name.toLowerCase() === name.toLowerCase())
  }

  #taken(name: string): boolean {
    const stream = this.#options.hub.stream(name)
    const foreign = stream !== undefined && stream.state === 'live' && stream.kind !== 'phone'
    return foreign || this.#named(name) !== undefined || [...this.#visitors].some(({ id }) => id === name)
  }
}

function isNumbered(name: string, baseName: string): boolean {
  return (
    name === baseName ||
    (name.startsWith(`${baseName}-`) && /^\d{1,3}$/.test(name.slice(baseName.length + 1)))
  )
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(counts)) sum[reason] = (sum[reason] ?? 0) + count
}
