import { chmod, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type ConnectionInjector, Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { service as healthDefinition } from 'grpc-health-check'
import * as limits from '../../../shared/limits.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import { openPort } from '../../listen/open-port.ts'
import type { Auth } from '../auth.ts'
import { HealthService } from './health-service.ts'
import { type Identify, identifyBy, refuseStrangers } from './identify.ts'
import { loadMediaProto, type MediaProto } from './media-proto.ts'
import { type GrpcFigures, MediaService, type MediaServiceOptions } from './media-service.ts'
import { UnitEncoder } from './unit-encoder.ts'

export type GrpcOptions = Omit<MediaServiceOptions, 'encoder'> & { auth: Pick<Auth, 'authorize'> }

const serverOptions = {
  'grpc.max_receive_message_length': limits.grpcMessageBytesMax,
  'grpc.max_send_message_length': limits.grpcMessageBytesMax,
  'grpc.max_concurrent_streams': limits.grpcCallsPerConnectionMax,
  'grpc.keepalive_time_ms': limits.grpcKeepAliveMs,
  'grpc.keepalive_timeout_ms': limits.grpcKeepAliveTimeoutMs,
  'grpc.max_connection_idle_ms': limits.grpcIdleMs,
  'grpc.enable_channelz': 0,
}

const prefaceBytes = 24 // RFC 9113, 3.4: what a client of HTTP/2 says first.

/** `MediaService` and health, for as many ports as are opened. */
export async function createGrpc(options: GrpcOptions): Promise<Grpc> {
  const proto = await loadMediaProto()
  return new Grpc(options, proto)
}

export class Grpc implements AsyncDisposable {
  readonly #auth: Pick<Auth, 'authorize'>
  readonly #clock: Clock
  readonly #proto: MediaProto
  readonly #media: MediaService
  readonly #health: HealthService
  readonly #doors: Door[] = []

  constructor(options: GrpcOptions, proto: MediaProto) {
    this.#auth = options.auth
    this.#clock = options.clock
    this.#proto = proto
    this.#health = new HealthService({ streams: options.commands.streams, clock: options.clock })
    this.#media = new MediaService({ ...options, encoder: new UnitEncoder(proto, options.clock) })
  }

  get figures(): GrpcFigures {
    return this.#media.figures
  }

  /** Callers need a token. Answers the port; `FailedPrecondition`, in words, when it is taken or not ours to open. */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    const door = this.#door(identifyBy(this.#auth, 'tcp'))
    await openPort(door.server, { host, port, hint: 'grpc.port' })
    this.#doors.push(door)
    return (door.server.address() as AddressInfo).port
  }

  /** Whoever may open the file is an operator. One that a killed agent left is replaced: the data directory is ours. */
  async listenSocket(path: string): Promise<void> {
    const door = this.#door(identifyBy(this.#auth, 'socket'))
    const isFile = process.platform !== 'win32'
    if (isFile) await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      door.server.once('error', reject)
      door.server.listen(path, () => {
        door.server.off('error', reject)
        resolve()
      })
    })
    this.#doors.push(door)
    if (isFile) await chmod(path, 0o600)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#health.shutdown()
    this.#media.shutdown()
    await Promise.all(this.#doors.map((door) => door[Symbol.asyncDispose]()))
  }

  #door(identify: Identify): Door {
    const refused = (error: unknown) => this.#media.failure(error)
    const grpc = new GrpcServer({ ...serverOptions, interceptors: [refuseStrangers(identify, refused)] })
    grpc.addService(this.#proto.service, this.#media.handlers(identify))
    grpc.addService(healthDefinition, this.#health.handlers(identify))
    return new Door(grpc, this.#clock)
  }
}

/** One listening socket. The connections are accepted here, so that they are bounded here. */
class Door implements AsyncDisposable {
  readonly server: Server
  readonly #grpc: GrpcServer
  readonly #injector: ConnectionInjector
  readonly #clock: Clock
  readonly #sockets = new Map<Socket, AbortController>()

  constructor(grpc: GrpcServer, clock: Clock) {
    this.#grpc = grpc
    this.#clock = clock
    this.#injector = grpc.createConnectionInjector(ServerCredentials.createInsecure())
    this.server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.server.maxConnections = limits.grpcConnectionsMax
  }

  #accept(socket: Socket): void {
    const closed = new AbortController()
    this.#sockets.set(socket, closed)
    socket.once('close', () => {
      closed.abort()
      this.#sockets.delete(socket)
    })
    this.#clock.sleep(limits.grpcSetupMs, closed.signal).then(
      () => {
        if (socket.bytesRead < prefaceBytes) socket.destroy()
      },
      () => undefined, // It has gone.
    )
    this.#injector.injectConnection(socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close()
    this.#injector.drain(limits.grpcCloseMs)
    const until = new AbortController()
    const gone = Array.from(
      this.#sockets,
      ([socket]) => new Promise((resolve) => socket.once('close', resolve)),
    )
    const late = this.#clock.sleep(limits.grpcCloseMs, until.signal).catch(() => undefined)
    await Promise.race([Promise.all(gone), late])
    until.abort()
    for (const socket of [...this.#sockets.keys()]) socket.destroy()
    this.#grpc.forceShutdown()
  }
}
