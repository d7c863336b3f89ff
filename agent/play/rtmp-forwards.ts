import { AppError } from '../../shared/error.ts'
import { forwardBackoffBaseMs, forwardBackoffMaxMs, forwardStableMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'
import { parseRtmpUrl, type RtmpUrl } from '../protocol/rtmp/address.ts'
import type { AacSound } from './audio-aac.ts'
import { playsInBrowsers } from './packing.ts'
import { type PushFigures, type PushStream, pushOnce } from './rtmp-push.ts'

export type ForwardStream = PushStream & { readonly name: string; readonly state: 'live' | 'waiting' }

export type ForwardStatus = Readonly<PushFigures> & {
  stream: string
  /** Host and app: what follows them is a secret with many servers. */
  target: string
  state: 'waiting' | 'connecting' | 'live'
  /** Connections that failed or were cut. */
  failures: number
  /** Wall ms, while it is live. */
  liveSince?: number
  /** Why the last connection ended. */
  error?: string
}

export type ForwardEvent =
  | { type: 'live'; stream: string; target: string }
  | { type: 'failed'; stream: string; target: string; error: AppError }

export type Forwards = AsyncDisposable & {
  /** A publisher of this stream has begun. */
  published(stream: ForwardStream): void
  status(): ForwardStatus[]
}

type Options = {
  /** RTMP addresses by name of stream; names without regard to case. */
  targets: Readonly<Record<string, readonly string[]>>
  clock: Clock
  /** Makes AAC of other sound: behind those servers are browsers, too. Without it sound is sent as it comes. */
  sound?: Pick<AacSound, 'of'>
  random?: () => number
  onEvent: (event: ForwardEvent) => void
}

/** Streams that are pushed on, as long as they are there: to a CDN, a cluster, another edgereel. */
export function createForwards(options: Options): Forwards {
  const { targets, clock, sound, random = Math.random, onEvent } = options
  const urls = new Map(
    Object.entries(targets).map(([name, list]) => [name.toLowerCase(), list.map(parseRtmpUrl)]),
  )
  const running = new Map<ForwardStream, Forward[]>()
  const ending = new Set<Promise<void>>()
  const start = (stream: ForwardStream, wanted: readonly RtmpUrl[]) => {
    const about = { stream, clock, random, onEvent, ...(sound && { sound }) }
    const made = wanted.map((url) => new Forward({ ...about, url }))
    running.set(stream, made)
    const done = Promise.all(made.map((forward) => forward.done)).then(() => {
      ending.delete(done)
      if (running.get(stream) === made) running.delete(stream)
    })
    ending.add(done)
  }

  return {
    published: (stream) => {
      const forwards = running.get(stream)?.filter(({ isOver }) => !isOver) ?? []
      const wanted = urls.get(stream.name.toLowerCase()) ?? []
      // One whose stream has ended may still be saying goodbye: a publisher that comes now has others.
      if (forwards.length === 0 && wanted.length > 0) start(stream, wanted)
      for (const forward of forwards) forward.wake()
    },
    status: () => [...running.values()].flat().map(({ status }) => status),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running.values()].flat().map((forward) => forward.stop()))
      await Promise.all(ending)
    },
  }
}

export type ForwardOptions = Required<Omit<Options, 'targets' | 'sound'>> &
  Pick<Options, 'sound'> & { stream: ForwardStream; url: RtmpUrl }

/** One stream to one server: connects, and connects again, until the stream is over. */
export class Forward {
  /** Never rejects. */
  readonly done: Promise<void>
  readonly #options: ForwardOptions
  readonly #target: string
  readonly #figures: PushFigures = { bytes: 0, skips: 0, skippedBytes: 0 }
  readonly #stop = new AbortController()
  readonly #over: Disposable
  #pause = new AbortController()
  #state: ForwardStatus['state'] = 'waiting'
  #failures = 0
  #liveSince: number | undefined
  #error: string | undefined

  constructor(options: ForwardOptions) {
    const { stream, url } = options
    this.#options = options
    this.#target = `rtmp://${url.host}:${url.port}/${url.app}`
    const end = () => this.#stop.abort()
    this.#over = stream.subscribe({ unit: () => undefined, end })
    this.done = this.#run()
  }

  get status(): ForwardStatus {
    return {
      stream: this.#options.stream.name,
      target: this.#target,
      state: this.#state,
      failures: this.#failures,
      ...this.#figures,
      ...(this.#liveSince === undefined ? {} : { liveSince: this.#liveSince }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }

  /** A publisher is there (again): no reason to wait any longer. */
  wake(): void {
    this.#pause.abort()
  }

  /** Whether it begins no connection any more. */
  get isOver(): boolean {
    return this.#stop.signal.aborted
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.done
  }

  async #run(): Promise<void> {
    const { clock, random, stream } = this.#options
    const backoff = { baseMs: forwardBackoffBaseMs, maxMs: forwardBackoffMaxMs }
    let inARow = 0
    while (!this.#stop.signal.aborted) {
      const beganMs = clock.monotonicMs()
      if (stream.state === 'live') await this.#connect()
      inARow = clock.monotonicMs() - beganMs > forwardStableMs ? 1 : inARow + 1
      await this.#wait(backoffMs(inARow, backoff, random))
    }
    this.#over[Symbol.dispose]()
  }

  async #connect(): Promise<void> {
    const { stream: source, url, clock, onEvent, sound } = this.#options
    const stream = sound?.of(source, playsInBrowsers) ?? source
    const about = { stream: source.name, target: this.#target }
    this.#state = 'connecting'
    const onLive = () => {
      this.#state = 'live'
      this.#liveSince = clock.nowMs()
      this.#error = undefined
      onEvent({ type: 'live', ...about })
    }
    try {
      await pushOnce({ stream, url, clock, figures: this.#figures, onLive, signal: this.#stop.signal })
    } catch (cause) {
      const error = hidden(AppError.from(cause), url)
      this.#failures += 1
      this.#error = error.message
      onEvent({ type: 'failed', ...about, error })
    }
    this.#state = 'waiting'
    this.#liveSince = undefined
  }

  async #wait(ms: number): Promise<void> {
    this.#pause = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, this.#pause.signal])
    await this.#options.clock.sleep(ms, signal).catch(() => undefined)
  }
}

/** Servers repeat the name of the stream in their words, and it is the key to the account. The cause goes too. */
function hidden({ kind, message }: AppError, { name }: RtmpUrl): AppError {
  const [path = name] = name.split('?')
  return new AppError(kind, message.replaceAll(name, '…').replaceAll(path, '…'))
}
