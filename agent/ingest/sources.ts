import { AppError } from '../../shared/error.ts'
import { sourceLingerMs, streamsMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { Demand } from '../hub/demand.ts'
import { Pull, type PullPublisher } from './pull.ts'
import type { PulledSource, SourceStatus } from './source.ts'

/** What pulled sources need of the hub. */
type PublishHub = {
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
  open: (uri: string) => PulledSource
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
  readonly #stopping = new Set<Promise<void>>()

  constructor(options: SourcesOptions) {
    this.#options = options
  }

  /** A new address replaces the old; whoever wants it goes on wanting it. InvalidArgument as `open`. */
  set(name: string, uri: string): void {
    const key = name.toLowerCase()
    const source = this.#options.open(uri)
    const known = this.#entries.get(key)
    if (known) {
      known.replace(uri, source)
      return
    }
    if (this.#entries.size >= streamsMax) {
      throw new AppError('ResourceExhausted', `there are ${streamsMax} cameras, no more fit`, {
        zh: `已有 ${streamsMax} 个摄像机，无法再增加。`,
      })
    }
    const entry = new Entry({ ...this.#options, name, uri, source, onStopping: (done) => this.#leave(done) })
    this.#entries.set(key, entry)
    entry.pin('always', this.#always.has(key))
    entry.pin('claimed', this.#claimed.has(key))
  }

  remove(name: string): void {
    const entry = this.#entries.get(name.toLowerCase())
    this.#entries.delete(name.toLowerCase())
    entry?.[Symbol.dispose]()
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

  list(): SourceInfo[] {
    return Array.from(this.#entries.values(), ({ info }) => info)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of this.#entries.values()) entry[Symbol.dispose]()
    this.#entries.clear()
    await Promise.all(this.#stopping)
  }

  #remember(names: Set<string>, name: string, wanted: boolean): void {
    if (wanted) names.add(name.toLowerCase())
    else names.delete(name.toLowerCase())
  }

  #leave(done: Promise<void>): void {
    const leaving = done.finally(() => this.#stopping.delete(leaving))
    this.#stopping.add(leaving)
  }
}

type EntryOptions = SourcesOptions & {
  name: string
  uri: string
  source: PulledSource
  /** A connection that is being closed. */
  onStopping: (done: Promise<void>) => void
}

type Pin = 'always' | 'claimed'

class Entry implements Disposable {
  readonly #options: EntryOptions
  readonly #demand: Demand
  readonly #pins = new Map<Pin, Disposable>()
  #uri: string
  #source: PulledSource
  #pull: Pull | undefined
  #idle: SourceStatus

  constructor(options: EntryOptions) {
    const { clock, lingerMs = sourceLingerMs, uri, source } = options
    this.#options = options
    this.#uri = uri
    this.#source = source
    this.#idle = { state: 'idle', since: clock.nowMs(), failures: 0 }
    this.#demand = new Demand({
      clock,
      lingerMs,
      onWanted: () => this.#start(),
      onUnwanted: () => this.#stop(),
    })
  }

  get info(): SourceInfo {
    const { name } = this.#options
    return { name, display: this.#source.display, status: this.#pull?.status ?? this.#idle }
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

  replace(uri: string, source: PulledSource): void {
    if (uri === this.#uri) return
    this.#uri = uri
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
