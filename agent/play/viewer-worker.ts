import type { Socket } from 'node:net'
import { viewerWorkerQueueBytesMax, viewerWorkerSilentTicksMax } from '../../shared/limits.ts'
import type { AccessUnit, CodecConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { WorkerProcess } from './fork-worker.ts'
import type { ViewerEnd } from './viewer.ts'
import type { FromWorker, Handover, WorkerFigures } from './worker-messages.ts'

/** What a worker needs of a stream of the hub. */
export type WorkerStream = {
  readonly startedAtMs: number | undefined
  subscribe(listener: { unit(unit: AccessUnit): void; end(reason: string): void }): Disposable
}

export type WorkerEvents = {
  figures(figures: WorkerFigures): void
  guard(reason: 'idle' | 'rate' | 'not-reading'): void
  /** It is gone, with all of its viewers. */
  died(why: string): void
}

/** A stream that is sent to the worker because somebody watches it there. */
type Sent = {
  readonly id: number
  viewers: number
  /** Undefined once the stream is over. */
  subscription: Disposable | undefined
}

type Handed = { socket: Socket; sent: Sent; stream: WorkerStream; onLeft: (reason: ViewerEnd) => void }

/**
 * One process that only sends, from its start to its death: streams go to it while somebody watches them there, once
 * for all viewers and formats.
 */
export class ViewerWorker {
  readonly #process: WorkerProcess
  readonly #events: WorkerEvents
  readonly #streams = new Map<WorkerStream, Sent>()
  readonly #viewers = new Map<number, Handed>()
  #lastId = 0
  /** Looks since it was last heard. */
  #silentTicks = 0
  #isReady = false
  #hasDied = false

  constructor(process: WorkerProcess, clock: Clock, mergeMs: number, events: WorkerEvents) {
    this.#process = process
    this.#events = events
    process.onMessage((message) => this.#receive(message))
    process.onExit((why) => this.#died(why))
    const clockMs = clock.monotonicMs() - Number(globalThis.process.hrtime.bigint()) / 1e6
    process.send({ type: 'hello', clockMs, mergeMs })
  }

  /** Whether it takes viewers. */
  get isReady(): boolean {
    return this.#isReady && !this.#hasDied
  }

  get viewerCount(): number {
    return this.#viewers.size
  }

  get pid(): number {
    return this.#process.pid
  }

  /** The socket is the worker's from now on. `onLeft` comes once. */
  take(stream: WorkerStream, { socket, request }: Handover, onLeft: (reason: ViewerEnd) => void) {
    const sent = this.#streams.get(stream) ?? this.#begin(stream)
    sent.viewers += 1
    const viewer = this.#nextId()
    this.#viewers.set(viewer, { socket, sent, stream, onLeft })
    const { startedAtMs } = stream
    this.#process.send({ type: 'join', viewer, stream: sent.id, startedAtMs, request }, socket)
    return { close: () => this.#process.send({ type: 'close', viewer }) }
  }

  /**
   * To be called every second. A worker that says nothing any more is ended. Looks are counted, not milliseconds: an
   * agent that itself got no CPU for a while has not read yet what the worker said.
   */
  tick(): void {
    this.#silentTicks += 1
    if (this.#silentTicks > viewerWorkerSilentTicksMax) this.#process.kill()
  }

  /** Its viewers are told; `died` follows. */
  stop(): void {
    this.#isReady = false
    this.#process.send({ type: 'stop' })
  }

  kill(): void {
    this.#process.kill()
  }

  #begin(stream: WorkerStream): Sent {
    const sent: Sent = { id: this.#nextId(), viewers: 0, subscription: undefined }
    this.#streams.set(stream, sent)
    const known = new Map<string, CodecConfig>()
    sent.subscription = stream.subscribe({
      unit: (unit) => this.#pass(sent.id, stream, unit, known),
      end: () => {
        this.#streams.delete(stream)
        sent.subscription = undefined
        this.#process.write({ type: 'end', stream: sent.id })
      },
    })
    return sent
  }

  #pass(id: number, stream: WorkerStream, unit: AccessUnit, known: Map<string, CodecConfig>): void {
    if (this.#process.backlogBytes > viewerWorkerQueueBytesMax) return void this.#process.kill()
    const { config, ...rest } = unit
    const isNew = known.get(unit.track) !== config
    if (isNew) known.set(unit.track, config)
    const { startedAtMs } = stream
    this.#process.write({ type: 'unit', stream: id, startedAtMs, unit: rest, ...(isNew && { config }) })
  }

  #receive(message: FromWorker): void {
    this.#silentTicks = 0
    if (message.type === 'ready') this.#isReady = true
    else if (message.type === 'taken') this.#process.write({ type: 'go', viewer: message.viewer })
    else if (message.type === 'left') this.#left(message.viewer, message.reason)
    else if (message.type === 'guard') this.#events.guard(message.reason)
    else this.#events.figures(message.figures)
  }

  #left(viewer: number, reason: ViewerEnd): void {
    const handed = this.#viewers.get(viewer)
    if (!handed) return
    const { sent, stream, onLeft } = handed
    this.#viewers.delete(viewer)
    sent.viewers -= 1
    if (sent.viewers === 0) this.#drop(sent, stream)
    onLeft(reason)
  }

  #drop(sent: Sent, stream: WorkerStream): void {
    sent.subscription?.[Symbol.dispose]()
    if (this.#streams.get(stream) === sent) this.#streams.delete(stream)
    this.#process.write({ type: 'drop', stream: sent.id })
  }

  #died(why: string): void {
    if (this.#hasDied) return
    this.#hasDied = true
    const viewers = [...this.#viewers.values()]
    this.#viewers.clear()
    for (const { subscription } of this.#streams.values()) subscription?.[Symbol.dispose]()
    this.#streams.clear()
    for (const { socket, onLeft } of viewers) {
      socket.destroy() // Some may not have been sent yet.
      onLeft('worker')
    }
    this.#events.died(why)
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }
}
