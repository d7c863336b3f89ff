import { AppError } from '../../shared/error.ts'
import { sourceLingerMs, streamsMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { Demand } from '../hub/demand.ts'
import type { CameraTrack } from '../protocol/camera-track.ts'
import { parseCameraUri } from '../protocol/camera-uri.ts'
import { Pull, type PullPublisher } from './pull.ts'
import type { PulledSource, SourceStatus } from './source.ts'

/** What pulled sources need of the hub. */
type PublishHub = {
  /** Forgets a stream that nobody publishes any more. */
  remove(name: string): void
  publish(request: { name: string; kind: string; identity: string; onDisplaced(): void }): PullPublisher
}

export type SourceInfo = {
  /** Of the stream. */
  name: string
  /** Without credentials. */
  display: string
  status: SourceStatus
}

export type SourceEvent = { stream: string; source: string; status: SourceStatus }

export type SourcesOptions = {
  hub: PublishHub
  clock: Clock
  /** Makes a source of an address. InvalidArgument, without the credentials, for what is none. */
  open: (uri: string, track?: CameraTrack) => PulledSource
  onEvent?: (event: SourceEvent) => void
  lingerMs?: number
  random?: () => number
}

/**
 * The cameras that are fetched from, by the name of their stream (without regard to case). Each is connected while it
 * is wanted: by viewers, by recordings, or always.
 */
export class Sources implements AsyncDisposable {
  readonly #options: SourcesOptions
  readonly #entries = new Map<string, Entry>()
  readonly #always = new Set<string>()
  readonly #claimed = new Set<string>()
  readonly #watched = new Set<string>()
  readonly #stopping = new Set<Promise<void>>()

  constructor(options: SourcesOptions) {
    this.#options = options
  }

  /** A new address replaces the old; whoever wants it goes on wanting it. InvalidArgument, without the credentials. */
  set(name: string, uri: string, track?: CameraTrack): void {
    const key = name.toLowerCase()
    const source = this.#options.open(uri, track)
    const address = addressOf(uri, track)
    const known = this.#entries.get(key)
    if (known) {
      known.temporary = false
      known.replace(address, source)
      return
    }
    if (this.#entries.size >= streamsMax) {
      throw new AppError('ResourceExhausted', `there are ${streamsMax} cameras, no more fit`, {
        zh: `已有 ${streamsMax} 个摄像机，无法再增加。`,
      })
    }
    const entry: Entry = new Entry({
      ...{ ...this.#options, name, address, source },
      onStopping: (done) => this.#leave(done),
      onForgotten: () => {
        if (this.#entries.get(key) !== entry) return
        this.#entries.delete(key)
        this.#forget(name).catch(() => undefined) // Somebody else publishes under its name.
      },
    })
    this.#entries.set(key, entry)
    entry.pin('always', this.#always.has(key))
    entry.pin('claimed', this.#claimed.has(key))
    entry.pin('watched', this.#watched.has(key))
  }

  /** InvalidArgument as `set`, and nothing changes. */
  check(uri: string): void {
    this.#options.open(uri)
  }

  /**
   * A camera that is known only by its address, for as long as somebody holds it; a stream that has this address
   * already is that one. Where the name is taken by another address (a password that was changed), the new one
   * replaces it, unless it is live. InvalidArgument as `set`.
   */
  openUri(uri: string, track?: CameraTrack): { name: string; release(): void } {
    const address = addressOf(uri, track)
    const known = [...this.#entries.values()].find((entry) => entry.address === address)
    const entry = known ?? this.#openNamed(parseCameraUri(uri, track).name, uri, track)
    const held = entry.hold()
    return { name: entry.info.name, release: () => held[Symbol.dispose]() }
  }

  /** Resolves when its connection is closed. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name.toLowerCase())
    this.#entries.delete(name.toLowerCase())
    entry?.[Symbol.dispose]()
    await Promise.all(this.#stopping)
  }

  /** Whether it is to be connected also when nobody watches; kept also for a source that is set later. */
  setAlways(name: string, always: boolean): void {
    this.#remember(this.#always, name, always)
    this.#entries.get(name.toLowerCase())?.pin('always', always)
  }

  /** Whether recordings want it. */
  setClaimed(name: string, claimed: boolean): void {
    this.#remember(this.#claimed, name, claimed)
    this.#entries.get(name.toLowerCase())?.pin('claimed', claimed)
  }

  /** Whether somebody watches it. */
  setWatched(name: string, watched: boolean): void {
    this.#remember(this.#watched, name, watched)
    this.#entries.get(name.toLowerCase())?.pin('watched', watched)
  }

  /** Wants it until disposed. Undefined when there is no such source. */
  hold(name: string): Disposable | undefined {
    return this.#entries.get(name.toLowerCase())?.hold()
  }

  /** As it was set, with its case. */
  nameOf(name: string): string | undefined {
    return this.#entries.get(name.toLowerCase())?.info.name
  }

  info(name: string): SourceInfo | undefined {
    return this.#entries.get(name.toLowerCase())?.info
  }

  /** A still that the camera makes itself; undefined where it does not. */
  still(name: string): Promise<Uint8Array> | undefined {
    return this.#entries.get(name.toLowerCase())?.still()
  }

  list(): SourceInfo[] {
    return Array.from(this.#entries.values(), ({ info }) => info)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of this.#entries.values()) entry[Symbol.dispose]()
    this.#entries.clear()
    await Promise.all(this.#stopping)
  }

  #openNamed(name: string, uri: string, track: CameraTrack | undefined): Entry {
    const key = name.toLowerCase()
    const known = this.#entries.get(key)
    const temporary = known?.temporary ?? true
    if (known?.info.status.state !== 'live') this.set(name, uri, track)
    const entry = this.#entries.get(key)
    if (!entry) throw new AppError('Internal', `the camera ${name} was not opened`)
    entry.temporary = temporary
    return entry
  }

  #remember(names: Set<string>, name: string, wanted: boolean): void {
    if (wanted) names.add(name.toLowerCase())
    else names.delete(name.toLowerCase())
  }

  /** What a camera sent that was opened for a while is not shown to whoever opens another in its place. */
  async #forget(name: string): Promise<void> {
    await Promise.all(this.#stopping)
    if (!this.#entries.has(name.toLowerCase())) this.#options.hub.remove(name)
  }

  #leave(done: Promise<void>): void {
    const leaving = done.finally(() => this.#stopping.delete(leaving))
    this.#stopping.add(leaving)
  }
}

/** Two tracks of one camera are two sources. */
function addressOf(uri: string, track: CameraTrack | undefined): string {
  return `${uri.trim()} ${track ?? ''}`
}

type EntryOptions = SourcesOptions & {
  name: string
  address: string
  source: PulledSource
  /** A connection that is being closed. */
  onStopping: (done: Promise<void>) => void
  onForgotten: () => void
}

type Pin = 'always' | 'claimed' | 'watched'

class Entry implements Disposable {
  /** Forgotten when nobody wants it any more. */
  temporary = false
  readonly #options: EntryOptions
  readonly #demand: Demand
  readonly #pins = new Map<Pin, Disposable>()
  #address: string
  #source: PulledSource
  #pull: Pull | undefined
  #idle: SourceStatus

  constructor(options: EntryOptions) {
    const { clock, lingerMs = sourceLingerMs, address, source } = options
    this.#options = options
    this.#address = address
    this.#source = source
    this.#idle = { state: 'idle', since: clock.nowMs(), failures: 0 }
    this.#demand = new Demand({
      clock,
      lingerMs,
      onWanted: () => this.#start(),
      onUnwanted: () => {
        this.#stop()
        if (this.temporary) this.#options.onForgotten()
      },
    })
  }

  get info(): SourceInfo {
    const { name } = this.#options
    return { name, display: this.#source.display, status: this.#pull?.status ?? this.#idle }
  }

  still(): Promise<Uint8Array> | undefined {
    return this.#source.still?.()
  }

  /** With credentials: to compare with. */
  get address(): string {
    return this.#address
  }

  hold(): Disposable {
    const held = this.#demand.hold()
    this.#pull?.wake()
    return held
  }

  pin(pin: Pin, wanted: boolean): void {
    const held = this.#pins.get(pin)
    if (wanted && !held) this.#pins.set(pin, this.hold())
    if (wanted || !held) return
    this.#pins.delete(pin)
    held[Symbol.dispose]()
  }

  replace(address: string, source: PulledSource): void {
    if (address === this.#address) return
    this.#address = address
    this.#source = source
    if (!this.#pull) return
    this.#stop()
    this.#start()
  }

  [Symbol.dispose](): void {
    this.#pins.clear()
    this.#demand[Symbol.dispose]()
  }

  #start(): void {
    const { name, hub, clock, random, onEvent } = this.#options
    const publish = (source: PulledSource): PullPublisher =>
      hub.publish({ name, kind: source.kind, identity: `source:${name}`, onDisplaced: () => undefined })
    this.#pull = new Pull({
      ...{ source: this.#source, publish, clock },
      ...(random && { random }),
      onStatus: (status) => onEvent?.({ stream: name, source: this.#source.display, status }),
    })
  }

  #stop(): void {
    const pull = this.#pull
    this.#pull = undefined
    if (!pull) return
    this.#idle = { state: 'idle', since: this.#options.clock.nowMs(), failures: pull.status.failures }
    this.#options.onStopping(pull.stop())
  }
}
