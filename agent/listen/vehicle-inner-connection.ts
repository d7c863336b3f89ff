import type { Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import {
  innerHeartbeatMs,
  innerLagBytesMax,
  innerRequestBytesMax,
  innerStallMs,
  innerSubscriptionsMax,
} from '../../shared/vehicle-limits.ts'
import { parseVehicleStream, type VehicleDoor, vehicleStream } from '../ingest/vehicle.ts'
import type { VehicleForward } from '../play/vehicle-forward.ts'
import { InnerReader, writeDataHead, writeHeartbeat } from '../protocol/vehicle-inner.ts'

export type InnerFigures = {
  connections: number
  subscriptions: number
  /** Handed to sockets. */
  packets: number
  bytes: number
  /** Packets that a slow subscriber missed. */
  dropped: number
  /** Subscriptions that could not be: no vehicle's name, or too many. */
  refused: number
  /** Connections that are closed, by reason. */
  ended: Record<InnerEnd, number>
}

export type InnerEnd = 'gone' | 'stalled' | 'not-the-protocol' | 'fault' | 'shutdown'

export type InnerNeeds = {
  door: VehicleDoor
  forward: VehicleForward
  /** Wants a channel until disposed. Throws when it cannot be had. */
  hold: (stream: string, holder: { calls: boolean }) => Disposable
  figures: InnerFigures
  /** A mistake of ours: it costs this connection. */
  onFault: (error: unknown) => void
  onClosed: (connection: InnerConnection, reason: InnerEnd) => void
}

type Subscription = {
  stream: string
  held: Disposable
  fed: Disposable
  /** Until a key frame, after packets were dropped. */
  skips: boolean
}

/**
 * A server or a desktop client that is given the packets of the channels it subscribes to.
 *
 * Invariant: Node holds at most `innerLagBytesMax` of it; over that it loses packets up to a key frame, channel by channel.
 */
export class InnerConnection {
  readonly #socket: Socket
  readonly #needs: InnerNeeds
  readonly #reader = new InnerReader({ bodyBytesMax: innerRequestBytesMax })
  readonly #subscriptions = new Map<string, Subscription>()
  #sequence = 0
  #corked = false
  #ended: InnerEnd | undefined
  #beatMs: number
  #progress = { bytes: 0, sinceMs: 0 }

  constructor(socket: Socket, needs: InnerNeeds, nowMs: number) {
    this.#socket = socket
    this.#needs = needs
    this.#beatMs = nowMs
    this.#progress.sinceMs = nowMs
    socket.setNoDelay(true)
    socket.setKeepAlive(true, innerHeartbeatMs)
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('error', () => undefined) // `close` follows.
    socket.on('close', () => this.#closed())
  }

  close(reason: InnerEnd): void {
    this.#ended ??= reason
    this.#socket.destroy()
  }

  tick(nowMs: number): void {
    const waiting = this.#socket.writableLength
    const bytes = this.#socket.bytesWritten - waiting
    if (waiting === 0 || bytes !== this.#progress.bytes) this.#progress = { bytes, sinceMs: nowMs }
    if (nowMs - this.#progress.sinceMs > innerStallMs) this.close('stalled')
    if (this.#ended || nowMs - this.#beatMs < innerHeartbeatMs) return
    this.#beatMs = nowMs
    if (waiting === 0) this.#socket.write(writeHeartbeat('jt1078Server', this.#next()))
  }

  #read(bytes: Buffer): void {
    try {
      for (const message of this.#reader.push(bytes)) {
        if (message.kind === 'subscribe') this.#subscribe(message.device, message.who !== 'webServer')
        else if (message.kind === 'unsubscribe') this.#unsubscribe(message.device)
      }
    } catch (cause) {
      this.close(cause instanceof AppError ? 'not-the-protocol' : 'fault')
      if (!(cause instanceof AppError)) this.#needs.onFault(cause)
    }
  }

  /** A second subscription to the same channel is the same one. */
  #subscribe(device: string, calls: boolean): void {
    const { door, figures, forward, hold } = this.#needs
    const stream = vehicleStream(device.toLowerCase(), door)
    if (this.#subscriptions.has(stream) || this.#ended) return
    if (parseVehicleStream(stream)?.door !== door || this.#subscriptions.size >= innerSubscriptionsMax) {
      figures.refused += 1
      return
    }
    let held: Disposable
    try {
      held = hold(stream, { calls })
    } catch {
      figures.refused += 1
      return
    }
    const subscription: Subscription = { stream, held, fed: held, skips: false }
    subscription.fed = forward.subscribe(stream, {
      packet: (body, begins) => this.#send(subscription, body, begins),
    })
    this.#subscriptions.set(stream, subscription)
    figures.subscriptions += 1
  }

  #unsubscribe(device: string): void {
    const stream = vehicleStream(device.toLowerCase(), this.#needs.door)
    const subscription = this.#subscriptions.get(stream)
    if (subscription) this.#leave(subscription)
  }

  #leave(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.stream)
    this.#needs.figures.subscriptions -= 1
    subscription.fed[Symbol.dispose]()
    subscription.held[Symbol.dispose]()
  }

  #send(subscription: Subscription, body: Buffer, begins: boolean): void {
    const { figures } = this.#needs
    const waiting = this.#socket.writableLength
    if (subscription.skips && begins && waiting < innerLagBytesMax / 2) subscription.skips = false
    if (waiting + body.length > innerLagBytesMax) subscription.skips = true
    if (subscription.skips || this.#ended) {
      figures.dropped += 1
      return
    }
    figures.packets += 1
    figures.bytes += body.length
    this.#cork()
    this.#socket.write(writeDataHead(body.length, this.#next()))
    this.#socket.write(body)
  }

  /** What comes in one turn leaves in one write. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    setImmediate(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) % 2 ** 32
    return this.#sequence
  }

  #closed(): void {
    this.#ended ??= 'gone'
    for (const subscription of [...this.#subscriptions.values()]) this.#leave(subscription)
    this.#needs.onClosed(this, this.#ended)
  }
}
