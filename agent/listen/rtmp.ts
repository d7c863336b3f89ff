import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { AppError, ErrorKind } from '../../shared/error.ts'
import { rtmpConnectionsMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { connectionsWithin } from '../../shared/node/descriptors.ts'
import type { Auth, Principal } from '../control/auth.ts'
import type { RtmpIngest } from '../ingest/rtmp.ts'
import type { FlvPlay } from '../play/flv.ts'
import { isLoopbackAddress } from './guard.ts'
import { openPort } from './open-port.ts'
import { RtmpConnection, type RtmpEnd, type RtmpVisit } from './rtmp-connection.ts'

export type RtmpDoorEvent =
  | { type: 'refused'; door: 'rtmp'; reason: ErrorKind }
  | { type: 'closed'; door: 'rtmp'; reason: RtmpEnd; address: string }
  | { type: 'fault'; error: unknown }

export type RtmpOptions = {
  host: string
  port: number
  clock: Clock
  auth: Pick<Auth, 'admit'>
  ingest: Pick<RtmpIngest, 'publish'>
  play: Pick<FlvPlay, 'find'>
  onEvent: (event: RtmpDoorEvent) => void
}

export type RtmpSessionInfo = {
  id: number
  role: 'publisher' | 'viewer' | 'none'
  address: string
  app?: string
  stream?: string
  /** Wall ms. */
  connectedAt: number
  bytesIn: number
  bytesOut: number
}

export type RtmpDoor = AsyncDisposable & {
  readonly port: number
  sessions(): RtmpSessionInfo[]
  /** False when there is none of this number. */
  close(id: number): boolean
  /** Connections that are closed, by reason. */
  readonly ended: Readonly<Partial<Record<RtmpEnd, number>>>
}

const tickMs = 1000

/** Opens the port. `FailedPrecondition`, in words, when it is taken or not ours to open. */
export async function openRtmp(options: RtmpOptions): Promise<RtmpDoor> {
  const door = new Door(options)
  const server = createServer({ allowHalfOpen: true }, (socket) => door.accept(socket))
  server.maxConnections = connectionsWithin(rtmpConnectionsMax, 0.25)
  await openPort(server, { host: options.host, port: options.port, hint: 'rtmp.port' })
  door.watch()
  return {
    port: (server.address() as AddressInfo).port,
    sessions: () => door.sessions(),
    close: (id) => door.close(id),
    ended: door.ended,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      door[Symbol.dispose]()
      await closed
    },
  }
}

class Door implements Disposable {
  readonly ended: Partial<Record<RtmpEnd, number>> = {}
  readonly #options: RtmpOptions
  readonly #connections = new Map<RtmpConnection, number>()
  readonly #stop = new AbortController()
  #lastId = 0

  constructor(options: RtmpOptions) {
    this.#options = options
  }

  accept(socket: Socket): void {
    const { clock, ingest, play, onEvent } = this.#options
    this.#lastId += 1
    const connection = new RtmpConnection(socket, {
      clock,
      admit: (visit) => this.#admit(visit),
      publish: (request) => ingest.publish(request),
      play,
      onRefused: (error: AppError) => onEvent({ type: 'refused', door: 'rtmp', reason: error.kind }),
      onFault: (error) => onEvent({ type: 'fault', error }),
      onClosed: (closed, reason) => this.#closed(closed, reason),
    })
    this.#connections.set(connection, this.#lastId)
  }

  sessions(): RtmpSessionInfo[] {
    return Array.from(this.#connections, ([connection, id]) => ({
      id,
      role: connection.visit?.role ?? 'none',
      address: connection.address,
      ...(connection.visit && { app: connection.visit.app, stream: connection.visit.name }),
      connectedAt: connection.connectedAtMs,
      bytesIn: connection.bytesIn,
      bytesOut: connection.bytesOut,
    }))
  }

  close(id: number): boolean {
    for (const [connection, each] of this.#connections) {
      if (each !== id) continue
      connection.close('shutdown')
      return true
    }
    return false
  }

  /** Looks after deadlines until disposed. */
  watch(): void {
    const { clock } = this.#options
    const next = (): void => {
      clock.sleep(tickMs, this.#stop.signal).then(
        () => {
          const nowMs = clock.monotonicMs()
          for (const connection of [...this.#connections.keys()]) connection.tick(nowMs)
          next()
        },
        () => undefined, // The door is closed.
      )
    }
    next()
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    for (const connection of [...this.#connections.keys()]) connection.close('shutdown')
  }

  #admit({ role, app, name, query, address }: RtmpVisit): Principal {
    const loopback = isLoopbackAddress(address)
    return this.#options.auth.admit({ role, app, stream: name, query, loopback })
  }

  #closed(connection: RtmpConnection, reason: RtmpEnd): void {
    this.#connections.delete(connection)
    this.ended[reason] = (this.ended[reason] ?? 0) + 1
    this.#options.onEvent({ type: 'closed', door: 'rtmp', reason, address: connection.address })
  }
}
