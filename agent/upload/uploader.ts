import { AppError } from '../../shared/error.ts'
import {
  heartbeatMs,
  tombstoneS,
  unmuxedAfterStartMax,
  uploadAuthRetryMs,
  uploadBackoffMaxMs,
  uploadBatchMax,
  uploadIdleMs,
} from '../../shared/limits.ts'
import { backoffMs, type Random, UploadWindow } from './backoff.ts'
import { createPace, parseHours, withinHours } from './bandwidth.ts'
import { createCloudApi } from './cloud-api.ts'
import type { CloudClient } from './cloud-client.ts'
import { isCertificateError, replyOf } from './exchange.ts'
import { type ClockOffset, Heartbeat, type HeartbeatOptions } from './heartbeat.ts'
import type { UploadSource } from './source.ts'
import { DenialWatch, StoreDenied } from './store-denial.ts'
import { UnmuxedWatch } from './unmuxed-watch.ts'
import { UploadPass } from './upload-pass.ts'
import { uploadRecordings } from './upload-recordings.ts'

/**
 * `paused`: outside of the hours; `throttled`: the cloud asks for patience; `refused`: it answers, but not well;
 * `denied`: the cloud gives addresses that its store does not take.
 */
export type UploadState =
  | 'ok'
  | 'paused'
  | 'offline'
  | 'certificate'
  | 'throttled'
  | 'auth'
  | 'refused'
  | 'denied'

export type UploadStatusReport = {
  state: UploadState
  pending: number
  pendingBytes: number
  /** Wall ms of the first picture of the oldest segment that waits; undefined when none does. */
  oldestFromMs?: number
  /** Wall ms of the last good answer of the cloud. */
  lastSuccessMs: number | undefined
  /** The cloud's clock minus ours, ms; within ± `clock.boundMs` once a heartbeat was answered. */
  skewMs: number
  clock?: ClockOffset
  /** Segments and recordings that are kept here because the cloud will not have them. */
  setAside: number
  /** What only a person can mend, in words; absent when nothing is. */
  alarm?: string
  error?: { message: string; messageZh?: string }
}

export type UploaderOptions = HeartbeatOptions & {
  source: UploadSource
  /** Its own: it is closed with the uploader. */
  client: CloudClient
  random: Random
  /** Bytes per second; null: as fast as it goes. */
  bandwidth: number | null
  /** `22:00-06:00` local time; null: always. */
  hours: string | null
  /** Something will not get to the cloud without a person. */
  onAlarm: (error: AppError) => void
}

export type Uploader = AsyncDisposable & {
  /** Call when a segment or a recording was sealed: nothing waits for a timer. */
  wake(): void
  /** Another cap and other hours, from now on. `InvalidArgument`: then the old ones stay. */
  configure(limits: { bandwidth: number | null; hours: string | null }): void
  status(): UploadStatusReport
}

export function startUploader(options: UploaderOptions): Uploader {
  const loop = new UploadLoop(options)
  const running = Promise.all([loop.run(), loop.runHeartbeat()])
  return {
    wake: () => loop.wake(),
    configure: (limits) => loop.configure(limits),
    status: () => loop.status(),
    async [Symbol.asyncDispose]() {
      loop.stop()
      await running
      options.client[Symbol.dispose]()
    },
  }
}

class UploadLoop {
  readonly #options: UploaderOptions
  readonly #stop = new AbortController()
  readonly #api: ReturnType<typeof createCloudApi>
  readonly #pace: ReturnType<typeof createPace>
  readonly #heartbeat: Heartbeat
  #hours: ReturnType<typeof parseHours> | null
  readonly #pass: UploadPass
  readonly #watch: UnmuxedWatch
  readonly #denials: DenialWatch
  readonly #recordingsAside = new Set<string>()
  #woken = Promise.withResolvers<void>()
  #failures = 0
  #error: AppError | undefined
  #pending = { segments: 0, bytes: 0 }
  #oldestFromMs: number | undefined
  #setAside = 0
  #lastSuccessMs: number | undefined

  constructor(options: UploaderOptions) {
    this.#options = options
    this.#api = createCloudApi(options.client)
    this.#pace = createPace(options.bandwidth, options.clock)
    this.#hours = options.hours === null ? null : parseHours(options.hours)
    this.#heartbeat = new Heartbeat(options, this.#api)
    this.#watch = new UnmuxedWatch(options.clock, options.onAlarm)
    this.#denials = new DenialWatch(options.onAlarm)
    this.#pass = new UploadPass({
      source: options.source,
      read: (segment, ext, offset, length) => options.source.read(segment, ext, offset, length),
      client: options.client,
      api: this.#api,
      pace: this.#pace,
      window: new UploadWindow(),
      mayUpload: () => withinHours(this.#hours, options.clock.nowMs()),
      onSetAside: this.#onSetAside,
      onTaken: () => this.#denials.stored(),
      onStored: (segment) => this.#watch.add(segment),
    })
  }

  wake(): void {
    this.#woken.resolve()
  }

  configure({ bandwidth, hours }: { bandwidth: number | null; hours: string | null }): void {
    const parsed = hours === null ? null : parseHours(hours)
    this.#pace.set(bandwidth)
    this.#hours = parsed
    this.wake()
  }

  stop(): void {
    this.#stop.abort(new AppError('Cancelled', 'The agent is stopping.'))
  }

  status(): UploadStatusReport {
    const alarm = this.#denials.alarm
    const error = this.#error ?? alarm
    const offset = this.#heartbeat.clockOffset
    const zh = error?.messageZh === undefined ? {} : { messageZh: error.messageZh }
    return {
      state: this.#state(),
      pending: this.#pending.segments,
      pendingBytes: this.#pending.bytes,
      ...(this.#oldestFromMs === undefined ? {} : { oldestFromMs: this.#oldestFromMs }),
      lastSuccessMs: this.#lastSuccessMs,
      skewMs: offset?.offsetMs ?? this.#options.client.skewMs,
      ...(offset && { clock: offset }),
      setAside: this.#setAside,
      ...(alarm && { alarm: alarm.message }),
      ...(error ? { error: { message: error.message, ...zh } } : {}),
    }
  }

  #state(): UploadState {
    const error = this.#error ?? this.#denials.alarm
    if (error) return stateOf(error)
    const paused = this.#pending.segments > 0 && !withinHours(this.#hours, this.#options.clock.nowMs())
    return paused ? 'paused' : 'ok'
  }

  async run(): Promise<void> {
    const { signal } = this.#stop
    let isWatching = false
    while (!signal.aborted) {
      try {
        if (!isWatching) await this.#watchLast()
        isWatching = true
        if (this.#error && stateOf(this.#error) === 'auth') await this.#beat() // The one question a minute.
        const confirmed = await this.#runOnce()
        if (confirmed > 0 || this.#pending.segments === 0) this.#denials.stored()
        this.#succeeded(confirmed > 0)
        if (confirmed === 0) await this.#waitForWork()
      } catch (cause) {
        if (signal.aborted) return
        await this.#waitAfter(AppError.from(cause))
      }
    }
  }

  /** Which of them are MP4s, the process before this one knew. Of older ones the cloud may have forgotten a deletion. */
  async #watchLast(): Promise<void> {
    const { source, clock } = this.#options
    const sinceMs = clock.nowMs() - tombstoneS * 1000
    const last = await source.lastUploaded({ sinceMs, limit: unmuxedAfterStartMax })
    for (const segment of last) this.#watch.add(segment)
  }

  /** Recordings, then one batch of segments. Answers how many were confirmed; 0: nothing more to do now. */
  async #runOnce(): Promise<number> {
    const { source, client } = this.#options
    const { signal } = this.#stop
    this.#woken = Promise.withResolvers() // Before the question: what is sealed from here on wakes again.
    const limit = uploadBatchMax + this.#pass.asideCount + this.#recordingsAside.size
    const { segments, recordings, total } = await source.pendingUploads({ limit })
    this.#pending = total
    this.#oldestFromMs = segments[0]?.from
    const link = { client, api: this.#api, source, pace: this.#pace }
    const aside = { aside: this.#recordingsAside, onSetAside: this.#onSetAside }
    let confirmed = await uploadRecordings({ ...link, ...aside }, recordings, signal)
    if (withinHours(this.#hours, this.#options.clock.nowMs()))
      confirmed += await this.#pass.run(segments, signal)
    await this.#watch.ask(this.#api, signal)
    return confirmed
  }

  async #waitForWork(): Promise<void> {
    const waited = new AbortController()
    const signal = AbortSignal.any([waited.signal, this.#stop.signal])
    const slept = this.#options.clock.sleep(uploadIdleMs, signal).catch(() => {})
    await Promise.race([slept, this.#woken.promise])
    waited.abort()
    await slept
  }

  async #waitAfter(error: AppError): Promise<void> {
    this.#failures += 1
    this.#error = error
    this.#denials.failed(error)
    const { clock, random } = this.#options
    const jittered = backoffMs(
      Math.max(this.#failures, this.#denials.count),
      random,
      replyOf(error)?.retryAfterMs,
    )
    const waitMs =
      stateOf(error) === 'auth' ? Math.min(uploadAuthRetryMs + jittered, uploadBackoffMaxMs) : jittered
    await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
  }

  /** After a failure sooner than in a minute: at a start, the cloud on the same PC may come up after the agent. */
  async runHeartbeat(): Promise<void> {
    const { clock, random } = this.#options
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      try {
        if (!this.#error || stateOf(this.#error) !== 'auth') await this.#beat()
        failures = 0
      } catch (cause) {
        if (signal.aborted) return
        failures += 1
        this.#error ??= AppError.from(cause)
      }
      const regularMs = heartbeatMs * (0.9 + 0.2 * random())
      const waitMs = failures === 0 ? regularMs : Math.min(regularMs, backoffMs(failures, random))
      await clock.sleep(waitMs, signal).catch(() => {})
    }
  }

  async #beat(): Promise<void> {
    await this.#heartbeat.send(this.status(), this.#stop.signal)
    this.#succeeded(true)
  }

  #succeeded(answered: boolean): void {
    if (!answered && this.#error) return // A round that asked nothing says nothing about the link.
    this.#failures = 0
    this.#error = undefined
    if (answered) this.#lastSuccessMs = this.#options.clock.nowMs()
  }

  readonly #onSetAside = (error: AppError): void => {
    this.#setAside += 1
    this.#options.onAlarm(error)
  }
}

function stateOf(error: AppError): UploadState {
  if (error instanceof StoreDenied) return 'denied'
  if (error.kind === 'Unauthenticated' || error.kind === 'PermissionDenied') return 'auth'
  if (isCertificateError(error)) return 'certificate'
  const reply = replyOf(error)
  if (!reply) return 'offline'
  return reply.status === 429 || reply.status === 503 ? 'throttled' : 'refused'
}
