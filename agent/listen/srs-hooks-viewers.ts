import type { Clock } from '../../shared/node/clock.ts'
import { srsClientsMax, srsEarlyStopMs, srsNoticeMs } from '../../shared/vehicle-limits.ts'

export type SrsViewersOptions = {
  clock: Clock
  /** Wants a channel until disposed. Throws for what is no vehicle’s, and when it cannot be had. */
  hold: (device: string) => Disposable
}

type Viewer = { sinceMs: number; missed: number }
type Channel = { held: Disposable; viewers: Map<string, Viewer>; notice?: AbortController }

/** Who watches now, as SRS's API says. */
export type SrsClient = { id: string; device: string }

const missesMax = 2 // A list may have been made just before an on_play was told.
const anonymous = 'anonymous ' // A space is in no client id of SRS.

/**
 * Who watches a channel at SRS, counted by client: an on_play that comes twice is one, an on_stop that comes twice,
 * before its on_play or never does no harm. The channel is wanted while somebody watches it.
 */
export class SrsViewers implements Disposable {
  readonly #options: SrsViewersOptions
  readonly #channels = new Map<string, Channel>()
  /** When a client stopped; `early`: its on_play is still to come. Oldest first. */
  readonly #stopped = new Map<string, { atMs: number; early: boolean }>()
  #lastAnonymous = 0

  constructor(options: SrsViewersOptions) {
    this.#options = options
  }

  get viewers(): number {
    return [...this.#channels.values()].reduce((sum, { viewers }) => sum + viewers.size, 0)
  }

  get channels(): number {
    return this.#channels.size
  }

  /** False when it cannot be shown. */
  play(client: string, device: string): boolean {
    const key = `${device} ${client}`
    const stopped = this.#stopped.get(key)
    this.#stopped.delete(key)
    const isOver = stopped?.early && this.#nowMs - stopped.atMs < srsEarlyStopMs
    if (client !== '' && isOver) return true
    if (this.viewers >= srsClientsMax) return false
    const channel = this.#open(device)
    if (!channel) return false
    channel.notice?.abort()
    delete channel.notice
    const id = client === '' ? this.#nextAnonymous() : client
    if (!channel.viewers.has(id)) channel.viewers.set(id, { sinceMs: this.#nowMs, missed: 0 })
    return true
  }

  stop(client: string, device: string): void {
    const channel = this.#channels.get(device)
    const id = client === '' ? firstAnonymous(channel) : client
    const known = id !== undefined && channel?.viewers.delete(id) === true
    if (client !== '') this.#remember(`${device} ${client}`, known)
    if (channel) this.#closeIfUnwanted(device, channel)
  }

  /** Somebody is about to watch: the vehicle need not wait for SRS to say so. False when it cannot be shown. */
  notice(device: string): boolean {
    const channel = this.#open(device)
    if (!channel) return false
    if (channel.viewers.size > 0) return true
    channel.notice?.abort()
    const notice = new AbortController()
    channel.notice = notice
    this.#options.clock.sleep(srsNoticeMs, notice.signal).then(
      () => {
        delete channel.notice
        this.#closeIfUnwanted(device, channel)
      },
      () => undefined, // A viewer came, or another notice.
    )
    return true
  }

  /** `askedMs`: monotonic ms before SRS was asked. Who is not there any more leaves, who was missed comes in. */
  reconcile(clients: readonly SrsClient[], askedMs: number): void {
    const listed = new Map<string, Set<string>>()
    for (const { id, device } of clients) {
      const ids = listed.get(device) ?? new Set()
      listed.set(device, ids.add(id))
    }
    for (const [device, channel] of [...this.#channels]) {
      this.#check(channel, listed.get(device) ?? new Set(), askedMs)
      this.#closeIfUnwanted(device, channel)
    }
    for (const [device, ids] of listed) this.#admitMissed(device, ids)
  }

  [Symbol.dispose](): void {
    for (const [device, channel] of [...this.#channels]) {
      channel.viewers.clear()
      channel.notice?.abort()
      delete channel.notice
      this.#closeIfUnwanted(device, channel)
    }
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  #open(device: string): Channel | undefined {
    const known = this.#channels.get(device)
    if (known) return known
    try {
      const channel: Channel = { held: this.#options.hold(device), viewers: new Map() }
      this.#channels.set(device, channel)
      return channel
    } catch {
      return undefined
    }
  }

  #closeIfUnwanted(device: string, channel: Channel): void {
    if (channel.viewers.size > 0 || channel.notice || this.#channels.get(device) !== channel) return
    this.#channels.delete(device)
    channel.held[Symbol.dispose]()
  }

  /** Those without an id stand for those on the list whom nobody knows. */
  #check(channel: Channel, listed: ReadonlySet<string>, askedMs: number): void {
    let unknown = [...listed].filter((id) => !channel.viewers.has(id)).length
    for (const [id, viewer] of channel.viewers) {
      const isAnonymous = id.startsWith(anonymous)
      const isThere = isAnonymous ? unknown > 0 : listed.has(id)
      if (isAnonymous) unknown -= 1
      if (isThere || viewer.sinceMs >= askedMs) viewer.missed = 0
      else viewer.missed += 1
      if (viewer.missed >= missesMax) channel.viewers.delete(id)
    }
  }

  #admitMissed(device: string, ids: ReadonlySet<string>): void {
    const viewers = this.#channels.get(device)?.viewers
    const unnamed = [...(viewers?.keys() ?? [])].filter((id) => id.startsWith(anonymous)).length
    const unknown = [...ids].filter((id) => !viewers?.has(id) && !this.#stopped.has(`${device} ${id}`))
    for (const id of unknown.slice(unnamed)) this.play(id, device)
  }

  #remember(key: string, known: boolean): void {
    const before = this.#stopped.get(key)
    this.#stopped.delete(key)
    // A second on_stop is a repetition of the first, not one that overtook its on_play.
    this.#stopped.set(key, { atMs: this.#nowMs, early: before ? before.early : !known })
    for (const [oldest, { atMs }] of this.#stopped) {
      if (this.#nowMs - atMs < srsEarlyStopMs && this.#stopped.size <= srsClientsMax) break
      this.#stopped.delete(oldest)
    }
  }

  #nextAnonymous(): string {
    this.#lastAnonymous += 1
    return anonymous + this.#lastAnonymous
  }
}

function firstAnonymous(channel: Channel | undefined): string | undefined {
  return [...(channel?.viewers.keys() ?? [])].find((id) => id.startsWith(anonymous))
}
