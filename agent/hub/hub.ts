import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { publisherGraceMs, streamsMax } from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { LiveClient } from '../live-client.ts'
import { Stream, type StreamSink } from './stream.ts'

export type PublishRequest = {
  name: string
  kind: string
  /** Who publishes, as far as the door knows: the same one takes over, another is refused. */
  identity: string
  client?: LiveClient
  /** Another connection of the same identity took over: close this one. */
  onDisplaced(): void
  /** Somebody asked to end it: close the connection. Absent: as `onDisplaced`. */
  close?(): void
}

/** The writing end of a stream. Synchronous, and never throws; after `end` or a take-over it does nothing. */
export type Publisher = {
  readonly stream: Stream
  push(unit: AccessUnit): void
  gap(gap: SourceGap): void
  end(reason: string): void
}

export type HubEvent = {
  type: 'published' | 'unpublished' | 'displaced' | 'refused' | 'expired' | 'fault'
  stream: string
  kind: string
  /** Who published; for `displaced` the one who was. */
  client?: LiveClient
  reason?: string
  error?: unknown
  /** Of `published`: ends the publisher's connection. */
  close?: () => void
}

export type Hub = Disposable & {
  /** `InvalidArgument` for a name that is none, `AlreadyExists` while another holds it, `ResourceExhausted` when full. */
  publish(request: PublishRequest): Publisher
  /** By name, without regard to case. */
  stream(name: string): Stream | undefined
  streams(): Stream[]
  /** The stream of this name, also before anybody publishes it: viewers of a source that is started for them wait here. */
  expect(name: string): Stream
  /** Forgets a stream that nobody publishes; `FailedPrecondition` while somebody does. */
  remove(name: string): void
}

type HubOptions = {
  openSink: (name: string) => StreamSink
  clock: Clock
  onEvent: (event: HubEvent) => void
  /** How many watch a stream has changed. */
  onViewers?: (stream: string, viewers: number) => void
  streamsMax?: number
  graceMs?: number
}

type Entry = {
  stream: Stream
  identity: string
  request: PublishRequest | undefined
  grace: AbortController | undefined
  freeSinceMs: number
}

/** Where publishers and readers of streams meet. */
export function createHub(options: HubOptions): Hub {
  return new StreamHub(options)
}

class StreamHub implements Hub {
  readonly #entries = new Map<string, Entry>()
  readonly #options: Required<Omit<HubOptions, 'onViewers'>> & Pick<HubOptions, 'onViewers'>

  constructor(options: HubOptions) {
    this.#options = { streamsMax, graceMs: publisherGraceMs, ...options }
  }

  publish(request: PublishRequest): Publisher {
    const entry = this.#claim(request)
    const displaced = entry.request
    entry.grace?.abort()
    entry.grace = undefined
    entry.identity = request.identity
    entry.request = request
    if (displaced) this.#displace(entry, displaced)
    entry.stream.begin(request.kind)
    const close = () => (request.close ?? request.onDisplaced)()
    this.#tell('published', entry.stream, { ...clientOf(request), close })
    return this.#publisher(entry, request)
  }

  stream(name: string): Stream | undefined {
    return this.#entries.get(name.toLowerCase())?.stream
  }

  streams(): Stream[] {
    return Array.from(this.#entries.values(), ({ stream }) => stream)
  }

  expect(name: string): Stream {
    return this.stream(name) ?? this.#add(name).stream
  }

  remove(name: string): void {
    const entry = this.#entries.get(name.toLowerCase())
    if (!entry) return
    if (entry.request) {
      throw new AppError('FailedPrecondition', `stream ${entry.stream.name} is live: stop its source first`, {
        zh: `流 ${entry.stream.name} 正在直播，请先停止来源。`,
      })
    }
    this.#forget(entry, 'removed')
  }

  [Symbol.dispose](): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.request) this.#release(entry, 'shutdown')
      this.#forget(entry, 'shutdown')
    }
  }

  #claim(request: PublishRequest): Entry {
    if (!isName(request.name)) {
      throw new AppError(
        'InvalidArgument',
        'this is not a name of a stream: use 1 to 64 of A-Z a-z 0-9 . _ -',
        {
          zh: '流名称无效：请使用 1 到 64 个字母、数字或 . _ -',
        },
      )
    }
    const entry = this.#entries.get(request.name.toLowerCase())
    if (!entry) return this.#add(request.name)
    const held = entry.request !== undefined || entry.grace !== undefined
    if (entry.stream.name !== request.name)
      this.#refuse(entry, `differs only in case from ${entry.stream.name}`)
    if (held && entry.identity !== request.identity) this.#refuse(entry, 'has another publisher')
    return entry
  }

  #add(name: string): Entry {
    if (this.#entries.size >= this.#options.streamsMax) this.#evict()
    const { openSink, clock, onViewers } = this.#options
    const stream: Stream = new Stream({
      name,
      sink: openSink(name),
      clock,
      onViewers: (viewers) => onViewers?.(name, viewers),
      onFault: (error) => this.#tell('fault', stream, { error }),
    })
    const entry = { stream, identity: '', request: undefined, grace: undefined, freeSinceMs: 0 }
    this.#entries.set(name.toLowerCase(), entry)
    return entry
  }

  #refuse(entry: Entry, reason: string): never {
    this.#tell('refused', entry.stream, { reason })
    throw new AppError('AlreadyExists', `stream name refused: ${entry.stream.name} ${reason}`, {
      zh: `流名称被拒绝：${entry.stream.name} 已被占用。`,
    })
  }

  #displace(entry: Entry, displaced: PublishRequest): void {
    entry.stream.pause('displaced')
    this.#tell('displaced', entry.stream, clientOf(displaced))
    try {
      displaced.onDisplaced()
    } catch (error) {
      this.#tell('fault', entry.stream, { error })
    }
  }

  #publisher(entry: Entry, request: PublishRequest): Publisher {
    const { stream } = entry
    const holds = () => entry.request === request
    return {
      stream,
      push: (unit) => {
        if (holds()) stream.write(unit)
      },
      gap: (gap) => {
        if (holds()) stream.gap(gap)
      },
      end: (reason) => {
        if (holds()) this.#release(entry, reason)
      },
    }
  }

  #release(entry: Entry, reason: string): void {
    const who = clientOf(entry.request)
    entry.request = undefined
    entry.freeSinceMs = this.#options.clock.monotonicMs()
    entry.grace = new AbortController()
    entry.stream.pause(reason)
    this.#tell('unpublished', entry.stream, { ...who, reason })
    const { signal } = entry.grace
    this.#options.clock.sleep(this.#options.graceMs, signal).then(
      () => {
        if (!signal.aborted) this.#expire(entry)
      },
      () => undefined, // The publisher came back, or the stream was forgotten.
    )
  }

  #expire(entry: Entry): void {
    entry.grace = undefined
    entry.stream.close('source gone')
    this.#tell('expired', entry.stream)
  }

  #evict(): void {
    const free = [...this.#entries.values()].filter((entry) => !entry.request && !entry.grace)
    const oldest = free.sort((a, b) => a.freeSinceMs - b.freeSinceMs)[0]
    if (!oldest) {
      throw new AppError(
        'ResourceExhausted',
        `there are ${this.#options.streamsMax} live streams, no more fit`,
        {
          zh: `已有 ${this.#options.streamsMax} 个直播流，无法再增加。`,
        },
      )
    }
    this.#forget(oldest, 'evicted')
  }

  #forget(entry: Entry, reason: string): void {
    entry.grace?.abort()
    entry.grace = undefined
    entry.stream.close(reason)
    this.#entries.delete(entry.stream.name.toLowerCase())
  }

  #tell(
    type: HubEvent['type'],
    stream: Stream,
    more: Pick<HubEvent, 'client' | 'reason' | 'error' | 'close'> = {},
  ): void {
    this.#options.onEvent({ type, stream: stream.name, kind: stream.kind, ...more })
  }
}

function clientOf(request: PublishRequest | undefined): { client?: LiveClient } {
  return request?.client ? { client: request.client } : {}
}
