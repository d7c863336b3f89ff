import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { keyFrameWaitMs, soundAheadMs, viewersMax } from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { LiveClient } from '../live-client.ts'
import type { AacSound, HeardStream } from './audio-aac.ts'
import { type Schedule, schedule } from './flush-timer.ts'
import { FlvFeed, type LiveTiming } from './flv-feed.ts'
import { packings, type Transport } from './packing.ts'
import type { Viewer, ViewerEnd, ViewerSocket } from './viewer.ts'
import type { Handover, WorkerFigures } from './worker-messages.ts'

/** What play needs of a stream of the hub. */
export type PlayStream = {
  readonly name: string
  readonly startedAtMs: number | undefined
  /** `waiting`: nobody publishes it now. */
  readonly state?: 'live' | 'waiting'
  /** Of its newest sound. */
  readonly audio?: AudioConfig | undefined
  viewers: number
  subscribe(listener: { unit(unit: AccessUnit): void; end(reason: string): void }): Disposable
}

export type PlayFigures = {
  viewers: Record<Transport, number>
  /** Handed to sockets. */
  bytes: number
  skips: number
  skippedBytes: number
  ended: Record<ViewerEnd, number>
}

/** A viewer came or left. */
export type ViewerEvent = { stream: string; transport: Transport; client?: LiveClient } & (
  | { type: 'play'; close(): void }
  | { type: 'stop'; reason: ViewerEnd }
)

export type JoinedViewer = {
  /** To be called when the socket has closed. */
  gone(): void
  /** Sends it away, because somebody asked for it. */
  close(): void
}

export type FoundStream = {
  join(transport: Transport, socket: ViewerSocket, client?: LiveClient): JoinedViewer
  /** Gives the socket itself to a process that only sends. False: there is none, use `join`. */
  hand(handover: Handover, client?: LiveClient): boolean
}

export type FlvPlay = Disposable & {
  readonly figures: PlayFigures
  /** `InvalidArgument` for what is no name, `NotFound` for a stream that is not there, `ResourceExhausted` when full. */
  find(name: string): FoundStream
  /** What was sent elsewhere. */
  add(figures: WorkerFigures): void
}

/** Processes that only send. `onLeft` comes once. */
export type SendingProcesses = {
  take(
    stream: HeardStream,
    handover: Handover,
    onLeft: (reason: ViewerEnd) => void,
  ): { close(): void } | undefined
}

type Options = {
  findStream: (name: string) => PlayStream | undefined
  clock: Clock
  onViewer?: (event: ViewerEvent) => void
  timing?: LiveTiming
  workers?: SendingProcesses
  /** Makes sound that the players of a transport know; without it other sound is left out. */
  sound?: Pick<AacSound, 'of'>
  /** For so long units are gathered before viewers are sent them. */
  mergeMs?: number
  /** As of the feed's. */
  soundAheadMs?: number
  /** For tests: how a flush is put off. */
  schedule?: Schedule
  keyFrameWaitMs?: number
  /** How long viewers of this stream wait for a first picture; `keyFrameWaitMs` where it is undefined. */
  waitMs?: (stream: string) => number | undefined
}

/** Live FLV over HTTP, WebSocket and RTMP: one feed per stream and transport, while somebody watches. */
export function createFlvPlay(options: Options): FlvPlay {
  return new Play(options)
}

type OpenFeed = { feed: FlvFeed; subscription: Disposable | undefined }

type Present = { stream: PlayStream; transport: Transport; client?: LiveClient }
type Optional = 'timing' | 'workers' | 'sound' | 'waitMs'

class Play implements FlvPlay {
  readonly figures: PlayFigures = {
    viewers: { http: 0, ws: 0, rtmp: 0 },
    bytes: 0,
    skips: 0,
    skippedBytes: 0,
    ended: {
      ...{ ended: 0, gone: 0, stalled: 0, 'no-key-frame': 0, 'no-source': 0, 'time-limit': 0 },
      ...{ shutdown: 0, closed: 0, worker: 0 },
    },
  }
  readonly #options: Required<Omit<Options, Optional>> & Pick<Options, Optional>
  readonly #present = new Map<Viewer, Present>()
  readonly #feeds: Record<Transport, Map<PlayStream, OpenFeed>> = {
    http: new Map(),
    ws: new Map(),
    rtmp: new Map(),
  }
  readonly #waiting = new Map<Viewer, AbortController>()

  constructor(options: Options) {
    const onViewer = () => undefined
    this.#options = { schedule, mergeMs: 0, soundAheadMs, keyFrameWaitMs, onViewer, ...options }
  }

  find(name: string): ReturnType<FlvPlay['find']> {
    if (!isName(name)) {
      throw new AppError('InvalidArgument', 'this is not a name of a stream', { zh: '流名称无效。' })
    }
    const stream = this.#options.findStream(name)
    if (!stream)
      throw new AppError('NotFound', `there is no stream ${name}`, { zh: `没有名为 ${name} 的流。` })
    const { http, ws, rtmp } = this.figures.viewers
    if (http + ws + rtmp >= viewersMax) {
      throw new AppError('ResourceExhausted', `there are ${viewersMax} viewers, no more fit`, {
        zh: `已有 ${viewersMax} 个观看者，无法再增加。`,
      })
    }
    const of = (transport: Transport, client: LiveClient | undefined): Present => ({
      ...{ stream, transport },
      ...(client && { client }),
    })
    return {
      join: (transport, socket, client) => this.#join(of(transport, client), socket),
      hand: (handover, client) => this.#hand(of(handover.request.transport, client), handover),
    }
  }

  add({ bytes, skips, skippedBytes, latency, join }: WorkerFigures): void {
    this.figures.bytes += bytes
    this.figures.skips += skips
    this.figures.skippedBytes += skippedBytes
    const { timing } = this.#options
    for (const [ms, count] of latency) timing?.latency.observe(ms, count)
    for (const [ms, count] of join) timing?.join.observe(ms, count)
  }

  [Symbol.dispose](): void {
    for (const feeds of Object.values(this.#feeds)) {
      for (const { feed } of [...feeds.values()]) feed.end('shutdown')
    }
  }

  #join(present: Present, socket: ViewerSocket): JoinedViewer {
    const { stream, transport } = present
    const open = this.#feeds[transport].get(stream) ?? this.#open(stream, transport)
    const viewer = open.feed.join(socket)
    this.#present.set(viewer, present)
    this.#came(present, () => viewer.end('closed'))
    if (!viewer.started) this.#waitForKeyFrame(viewer, stream)
    return { gone: () => viewer.end('gone'), close: () => viewer.end('closed') }
  }

  #hand(present: Present, handover: Handover): boolean {
    if (present.stream.state === 'waiting') return false // Who waits for a source does so here.
    const onLeft = (reason: ViewerEnd) => this.#went(present, reason)
    const handed = this.#options.workers?.take(this.#heard(present), handover, onLeft)
    if (handed) this.#came(present, handed.close)
    return handed !== undefined
  }

  #came({ stream, transport, client }: Present, close: () => void): void {
    this.figures.viewers[transport] += 1
    stream.viewers += 1
    this.#options.onViewer({
      ...{ type: 'play', stream: stream.name, transport, close },
      ...(client && { client }),
    })
  }

  #went({ stream, transport, client }: Present, reason: ViewerEnd): void {
    this.figures.viewers[transport] -= 1
    this.figures.ended[reason] += 1
    stream.viewers -= 1
    this.#options.onViewer({
      ...{ type: 'stop', stream: stream.name, transport, reason },
      ...(client && { client }),
    })
  }

  /** The stream with sound that the players of this transport know. */
  #heard({ stream, transport }: Present): HeardStream {
    return this.#options.sound?.of(stream, packings[transport].plays) ?? stream
  }

  #open(stream: PlayStream, transport: Transport): OpenFeed {
    const feed: FlvFeed = new FlvFeed({
      packing: packings[transport],
      startedAtMs: stream.startedAtMs,
      hasSound: () => stream.audio !== undefined,
      now: () => this.#options.clock.monotonicMs(),
      schedule: this.#options.schedule,
      mergeMs: this.#options.mergeMs,
      soundAheadMs: this.#options.soundAheadMs,
      figures: this.figures,
      ...(this.#options.timing && { timing: this.#options.timing }),
      onViewerEnd: (viewer, reason) => this.#left(stream, transport, viewer, reason),
    })
    const open: OpenFeed = { feed, subscription: undefined }
    this.#feeds[transport].set(stream, open)
    open.subscription = this.#heard({ stream, transport }).subscribe({
      unit: (unit) => {
        if (!feed.write(unit)) this.#end(stream, transport, 'time-limit')
      },
      end: () => this.#end(stream, transport, 'ended'),
    })
    return open
  }

  #end(stream: PlayStream, transport: Transport, reason: ViewerEnd): void {
    const open = this.#feeds[transport].get(stream)
    this.#feeds[transport].delete(stream)
    open?.subscription?.[Symbol.dispose]()
    open?.feed.end(reason)
  }

  #left(stream: PlayStream, transport: Transport, viewer: Viewer, reason: ViewerEnd): void {
    const present = this.#present.get(viewer)
    this.#present.delete(viewer)
    this.#waiting.get(viewer)?.abort()
    if (present) this.#went(present, reason)
    const open = this.#feeds[transport].get(stream)
    if (open?.feed.viewerCount === 0) this.#end(stream, transport, reason)
  }

  #waitForKeyFrame(viewer: Viewer, stream: PlayStream): void {
    const abort = new AbortController()
    this.#waiting.set(viewer, abort)
    const { clock, waitMs } = this.#options
    clock
      .sleep(waitMs?.(stream.name) ?? this.#options.keyFrameWaitMs, abort.signal)
      .then(() => {
        if (!viewer.started) viewer.end(stream.state === 'waiting' ? 'no-source' : 'no-key-frame')
      })
      .catch(() => undefined) // It left before.
      .finally(() => this.#waiting.delete(viewer))
  }
}
