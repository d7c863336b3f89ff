import { beatsyncAtOnce } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import {
  expireEveryMs,
  jobTimeoutMs,
  messageVisibilityS,
  workerIdleMs,
  workerRetryMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { expire } from '../jobs/expire.ts'
import type { Handler } from '../jobs/handlers.ts'
import type { JobPorts } from '../jobs/job-ports.ts'
import { retryDelayS } from '../jobs/retry-delay.ts'
import type { QueueName, Received } from '../ports.ts'
import type { LocalQueue } from './queue.ts'

export type WorkerOptions = {
  ports: JobPorts & { queue: LocalQueue }
  handlers: Partial<Record<QueueName, Handler>>
  clock: Clock
  /** False for a worker beside the one that also looks for what is to be deleted. */
  expires?: boolean
  /** How long the archive keeps what nobody put on hold; undefined: for ever. */
  keepMs?: number | undefined
  /** `final`: the message lies among the dead letters now; else it is tried again. */
  onError: (failure: { queue: QueueName | 'expire'; body: string; error: AppError; final: boolean }) => void
}

// What someone waits for goes first; the others have their turn when nothing of it is there, and at every
// eighth job, so that a long backlog cannot starve them.
const urgent: readonly QueueName[] = ['mux', 'export']
const patient: readonly QueueName[] = ['thumbnail', 'beatsync']
const patientEvery = 8

/**
 * All jobs of the local cloud: one at a time, for live and recording on the same machine come first; but BeatSync
 * beside them, for it takes minutes, which no recording's files are to wait.
 */
export function startWorkers(options: WorkerOptions): AsyncDisposable {
  const { beatsync, ...others } = options.handlers
  const beside = { ...options, handlers: { ...(beatsync && { beatsync }) }, expires: false }
  const lanes = [{ ...options, handlers: others }, ...Array.from({ length: beatsyncAtOnce }, () => beside)]
  const workers = lanes.map(startWorker)
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()))
    },
  }
}

/** Does the jobs of its queues one at a time. Woken by the queue at each send, so a job begins in the same millisecond. */
export function startWorker(options: WorkerOptions): AsyncDisposable {
  const stop = new AbortController()
  const running = new Worker(options, stop.signal).run()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new AppError('Cancelled', 'The cloud is being stopped.'))
      await running
    },
  }
}

class Worker {
  readonly #options: WorkerOptions
  readonly #stop: AbortSignal
  #turn = 0
  #expireAtMs: number

  constructor(options: WorkerOptions, stop: AbortSignal) {
    this.#options = options
    this.#stop = stop
    this.#expireAtMs = options.clock.monotonicMs()
  }

  async run(): Promise<void> {
    while (!this.#stop.aborted) {
      const changed = this.#options.ports.queue.changed() // Before the look, so that no send is missed.
      try {
        if (await this.#runOnce()) {
          await this.#expireWhenDue(expireEveryMs) // Work that never ends puts it off, but not for ever.
          continue
        }
        await this.#expireWhenDue()
        await this.#wait(changed)
      } catch (cause) {
        if (this.#stop.aborted) return
        this.#options.onError({ queue: 'mux', body: '', error: AppError.from(cause), final: false })
        // The database does not take writes (a full disk): once a second is often enough to find out.
        await this.#options.clock.sleep(workerRetryMs, this.#stop).catch(() => {})
      }
    }
  }

  async #runOnce(): Promise<boolean> {
    this.#turn += 1
    const order = this.#turn % patientEvery === 0 ? [...patient, ...urgent] : [...urgent, ...patient]
    for (const queue of order) {
      const handler = this.#options.handlers[queue]
      if (!handler) continue
      const [message] = await this.#options.ports.queue.receive(queue, {
        max: 1,
        visibilityS: messageVisibilityS,
      })
      if (!message) continue
      await this.#handle(queue, handler, message)
      return true
    }
    return false
  }

  async #handle(name: QueueName, handler: Handler, message: Received): Promise<void> {
    const { ports, onError } = this.#options
    const { queue } = ports
    using limit = timeLimit(this.#stop)
    using _visible = this.#keepInvisible(name, message.receipt)
    try {
      await handler(message.body, ports, limit.signal)
      await queue.remove(name, message.receipt)
    } catch (cause) {
      const error = AppError.from(limit.signal.aborted ? limit.signal.reason : cause)
      if (error.kind === 'Cancelled' && this.#stop.aborted) {
        await queue.extend(name, message.receipt, 0)
        return
      }
      if (error.terminal) await queue.bury(name, message.receipt, message.body)
      else await queue.extend(name, message.receipt, retryDelayS(error, message.receiveCount))
      onError({ queue: name, body: message.body, error, final: error.terminal })
    }
  }

  /** A job may take longer than the visibility timeout: while it runs, its message stays in hand. */
  #keepInvisible(name: QueueName, receipt: string): Disposable {
    const ended = new AbortController()
    const beat = async () => {
      for (;;) {
        await this.#options.clock.sleep((messageVisibilityS * 1000) / 3, ended.signal)
        await this.#options.ports.queue.extend(name, receipt, messageVisibilityS)
      }
    }
    beat().catch(() => {}) // Ended; or the database failed, and the message comes again.
    return { [Symbol.dispose]: () => ended.abort() }
  }

  async #expireWhenDue(patienceMs = 0): Promise<void> {
    const { clock, ports, onError } = this.#options
    if (this.#options.expires === false || clock.monotonicMs() < this.#expireAtMs + patienceMs) return
    this.#expireAtMs = clock.monotonicMs() + expireEveryMs
    try {
      await expire(ports, this.#stop, { keepMs: this.#options.keepMs })
    } catch (cause) {
      if (!this.#stop.aborted)
        onError({ queue: 'expire', body: '', error: AppError.from(cause), final: false })
    }
  }

  /** Until something is sent, something delayed is due, or a minute has passed (the wall clock may have been set). */
  async #wait(changed: Promise<void>): Promise<void> {
    const { clock, ports, handlers } = this.#options
    const dueMs = ports.queue.nextDueMs(Object.keys(handlers) as QueueName[])
    const ms = Math.max(1, Math.min(workerIdleMs, (dueMs ?? Number.POSITIVE_INFINITY) - clock.nowMs()))
    const woken = new AbortController()
    const signal = AbortSignal.any([this.#stop, woken.signal])
    await Promise.race([changed, clock.sleep(ms, signal).catch(() => {})])
    woken.abort()
  }
}

function timeLimit(outer: AbortSignal): Disposable & { signal: AbortSignal } {
  const late = new AbortController()
  const error = new AppError('DeadlineExceeded', 'The job took longer than the limit.', {
    zh: '任务处理超时。',
  })
  const timer = setTimeout(() => late.abort(error), jobTimeoutMs)
  timer.unref()
  return {
    signal: AbortSignal.any([outer, late.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}
