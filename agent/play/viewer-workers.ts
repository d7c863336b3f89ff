import {
  viewerWorkerBackoffBaseMs,
  viewerWorkerBackoffMaxMs,
  viewerWorkerStableMs,
  viewerWorkerStopMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'
import { forkWorker, type WorkerProcess } from './fork-worker.ts'
import type { ViewerEnd } from './viewer.ts'
import { ViewerWorker, type WorkerEvents, type WorkerStream } from './viewer-worker.ts'
import type { Handover } from './worker-messages.ts'

export type ViewerWorkersOptions = {
  count: number
  clock: Clock
  mergeMs: number
  /** `worker` counts from 1. Its viewers ended, it is started again. */
  onDied: (worker: number, why: string) => void
  onFigures: WorkerEvents['figures']
  onGuard: WorkerEvents['guard']
  /** For tests. */
  start?: () => WorkerProcess
  random?: () => number
}

const tickMs = 1000

/** Processes that only send: each viewer's socket is one's of them, its units come from here. */
export class ViewerWorkers implements AsyncDisposable {
  readonly #options: Required<ViewerWorkersOptions>
  readonly #workers = new Set<ViewerWorker>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[]

  constructor(options: ViewerWorkersOptions) {
    this.#options = { start: forkWorker, random: Math.random, ...options }
    this.#running = Array.from({ length: options.count }, (_, i) => this.#run(i + 1))
  }

  /** Process ids of those that take viewers. */
  get pids(): number[] {
    return this.#ready().map(({ pid }) => pid)
  }

  /** Undefined: none is there to take it. `onLeft` comes once. */
  take(
    stream: WorkerStream,
    handover: Handover,
    onLeft: (reason: ViewerEnd) => void,
  ): { close(): void } | undefined {
    const [first, ...others] = this.#ready()
    const least = others.reduce((a, b) => (a && b.viewerCount >= a.viewerCount ? a : b), first)
    return least?.take(stream, handover, onLeft)
  }

  /** Tells the viewers; takes none any more. */
  stop(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    for (const worker of this.#workers) worker.stop()
  }

  /** Stops, and waits for the viewers for a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    const gone = Promise.all(this.#running)
    const late = new AbortController()
    this.#options.clock.sleep(viewerWorkerStopMs, late.signal).then(
      () => this.#killAll(),
      () => undefined, // All have gone.
    )
    await gone
    late.abort()
  }

  #ready(): ViewerWorker[] {
    return [...this.#workers].filter(({ isReady }) => isReady)
  }

  #killAll(): void {
    for (const worker of this.#workers) worker.kill()
  }

  /** One worker after the other, until all is stopped. */
  async #run(number: number): Promise<void> {
    const { clock, random, onDied } = this.#options
    const backoff = { baseMs: viewerWorkerBackoffBaseMs, maxMs: viewerWorkerBackoffMaxMs }
    const { signal } = this.#stop
    let inARow = 0
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs()
      const why = await this.#live()
      if (signal.aborted) return
      onDied(number, why)
      inARow = clock.monotonicMs() - beganMs > viewerWorkerStableMs ? 1 : inARow + 1
      await clock.sleep(backoffMs(inARow, backoff, random), signal).catch(() => undefined)
    }
  }

  /** Until it dies; resolves with the cause. */
  async #live(): Promise<string> {
    const { start, clock, mergeMs, onFigures, onGuard } = this.#options
    const death = Promise.withResolvers<string>()
    const events = { figures: onFigures, guard: onGuard, died: death.resolve }
    const worker = new ViewerWorker(start(), clock, mergeMs, events)
    this.#workers.add(worker)
    const over = new AbortController()
    this.#watch(worker, over.signal)
    const why = await death.promise
    over.abort()
    this.#workers.delete(worker)
    return why
  }

  #watch(worker: ViewerWorker, signal: AbortSignal): void {
    const { clock } = this.#options
    clock.sleep(tickMs, signal).then(
      () => {
        worker.tick()
        this.#watch(worker, signal)
      },
      () => undefined, // It has died.
    )
  }
}
