import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { bodyBytesStandard, encodeJt1078, splitJt1078 } from '../protocol/jt1078-writer.ts'
import type { VehicleFrame } from './vehicle-footage.ts'

export type VehicleLineOptions = {
  host: string
  port: number
  version: 2016 | 2019
  sim: string
  channel: number
  /** How much a body holds; the standard's 950 otherwise. */
  bodyBytes?: number
  /** Share of packets that are numbered, but do not leave. */
  loss?: number
  random?: () => number
}

/** Of one channel: the numbers go on over its connections. */
export type VehicleCounters = { sequence: number; packets: number; lost: number }

/** One TCP connection of a vehicle, of one channel. */
export class VehicleLine implements Disposable {
  readonly #options: VehicleLineOptions
  readonly #socket: Socket
  readonly #counters: VehicleCounters
  readonly #closed = new AbortController()
  #lastMs: number | undefined
  #lastKeyMs: number | undefined

  private constructor(options: VehicleLineOptions, counters: VehicleCounters, socket: Socket) {
    this.#options = options
    this.#counters = counters
    this.#socket = socket
    socket.setNoDelay(true)
    socket.resume() // Nothing is expected; unread, it would hide that the other side closes.
    socket.on('error', (cause) =>
      this.#closed.abort(new AppError('Unavailable', 'the connection broke', { cause })),
    )
    socket.on('close', () =>
      this.#closed.abort(new AppError('Unavailable', 'the server closed the connection')),
    )
  }

  /** `Unavailable` when nobody listens. */
  static async connect(options: VehicleLineOptions, counters: VehicleCounters): Promise<VehicleLine> {
    const socket = connect(options.port, options.host)
    try {
      await once(socket, 'connect')
    } catch (cause) {
      throw new AppError('Unavailable', `nobody listens at ${options.host}:${options.port}`, { cause })
    }
    return new VehicleLine(options, counters, socket)
  }

  /** Aborted when the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Rejects when the connection is gone. `stampMs`: of the device's clock. */
  async send(frame: VehicleFrame, stampMs: number): Promise<void> {
    this.#closed.signal.throwIfAborted()
    const bytes = this.#encode(frame, stampMs)
    if (!this.#socket.write(bytes)) await once(this.#socket, 'drain', { signal: this.#closed.signal })
  }

  [Symbol.dispose](): void {
    this.#socket.end()
    this.#socket.destroySoon()
  }

  #encode({ dataType, payloadType, body }: VehicleFrame, timestampMs: number): Buffer {
    const {
      version,
      sim,
      channel,
      bodyBytes = bodyBytesStandard,
      loss = 0,
      random = Math.random,
    } = this.#options
    const intervals = dataType === 3 ? {} : this.#intervals(timestampMs, dataType === 0)
    const about = { version, sim, channel, dataType, payloadType, timestampMs, ...intervals }
    const packets = splitJt1078({ ...about, body }, this.#counters.sequence, bodyBytes)
    const kept = loss === 0 ? packets : packets.filter(() => random() >= loss)
    this.#counters.sequence = (this.#counters.sequence + packets.length) & 0xffff
    this.#counters.packets += packets.length
    this.#counters.lost += packets.length - kept.length
    return Buffer.concat(kept.map(encodeJt1078))
  }

  #intervals(stampMs: number, isKey: boolean) {
    const since = (beforeMs: number | undefined) =>
      Math.min(Math.max(0, stampMs - (beforeMs ?? stampMs)), 0xffff)
    const intervals = { lastKeyMs: since(this.#lastKeyMs), lastMs: since(this.#lastMs) }
    this.#lastMs = stampMs
    if (isKey) this.#lastKeyMs = stampMs
    return intervals
  }
}
