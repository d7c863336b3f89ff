import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../shared/node/clock.ts'
import { flvSocket } from '../listen/flv-socket.ts'
import { createWebSockets, type WebSockets } from '../listen/websocket.ts'
import { createFlvPlay, type FlvPlay, type JoinedViewer } from '../play/flv.ts'
import type { ViewerEnd, ViewerSocket } from '../play/viewer.ts'
import type { FromWorker, HandedRequest, PipeMessage, ToWorker } from '../play/worker-messages.ts'
import { PipedStreams } from './piped-streams.ts'
import { Tally } from './tally.ts'

type Join = Extract<ToWorker, { type: 'join' }>
type WsRequest = Extract<HandedRequest, { transport: 'ws' }>

type Visitor = {
  socket: Socket
  viewer?: JoinedViewer
  /** What is done once nobody else reads from the socket. */
  go?: () => void
}

const nobody = { address: '', app: '', param: '', subject: '' } // Who it is, the agent knows.
const hasLeft: JoinedViewer = { gone: () => undefined, close: () => undefined }

type Options = { clock: Clock; mergeMs: number; say: (message: FromWorker) => void }

/** The sockets that were handed over, and the streams for them: play as in the agent, fed from the pipe. */
export class Sending {
  readonly #say: Options['say']
  readonly #streams: PipedStreams
  readonly #play: FlvPlay
  readonly #sockets: WebSockets
  readonly #latency = new Tally()
  readonly #joins = new Tally()
  readonly #visitors = new Map<number, Visitor>()
  readonly #empty = Promise.withResolvers<void>()
  #told = { bytes: 0, skips: 0, skippedBytes: 0 }
  #isStopping = false

  constructor({ clock, mergeMs, say }: Options) {
    this.#say = say
    this.#streams = new PipedStreams(clock)
    this.#play = createFlvPlay({
      findStream: (number) => this.#streams.find(Number(number)),
      clock,
      mergeMs,
      timing: { latency: this.#latency, join: this.#joins },
      onViewer: (event) => {
        if (event.type === 'stop') this.#left(Number(event.client?.id), event.reason)
      },
    })
    this.#sockets = createWebSockets({ clock, onGuard: (reason) => say({ type: 'guard', reason }) })
  }

  join({ viewer, stream, startedAtMs, request }: Join, socket: Socket | undefined): void {
    if (!socket) {
      this.#left(viewer, 'gone') // It went before it was sent.
      return
    }
    this.#streams.begin(stream, startedAtMs)
    const visitor: Visitor = { socket }
    this.#visitors.set(viewer, visitor)
    socket.on('error', () => undefined) // `close` follows.
    socket.on('close', () => this.#closed(viewer))
    if (request.transport === 'http') this.#joinHttp(viewer, stream, request, visitor)
    else {
      visitor.go = () => this.#joinSocket(viewer, stream, request, visitor)
      this.#say({ type: 'taken', viewer })
    }
  }

  close(viewer: number): void {
    const visitor = this.#visitors.get(viewer)
    if (visitor?.viewer) visitor.viewer.close()
    else visitor?.socket.destroy()
  }

  piped(message: PipeMessage): void {
    if (message.type === 'go') this.#visitors.get(message.viewer)?.go?.()
    else this.#streams.take(message)
  }

  /** The figures since the last time, and that this process lives. */
  tell(): void {
    const { bytes, skips, skippedBytes } = this.#play.figures
    const before = this.#told
    this.#told = { bytes, skips, skippedBytes }
    const figures = {
      bytes: bytes - before.bytes,
      skips: skips - before.skips,
      skippedBytes: skippedBytes - before.skippedBytes,
      latency: this.#latency.take(),
      join: this.#joins.take(),
    }
    this.#say({ type: 'figures', figures })
  }

  /** Resolves when the last socket has closed. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#play[Symbol.dispose]()
    this.tell()
    if (this.#visitors.size > 0) await this.#empty.promise
  }

  #joinHttp(
    viewer: number,
    stream: number,
    { head, requestId }: { head: string; requestId: string },
    visitor: Visitor,
  ) {
    const { socket } = visitor
    socket.resume() // Whatever it says, it is not waited for; only its end is.
    visitor.viewer = this.#watch(viewer, stream, 'http', flvSocket(socket, head, requestId))
  }

  #joinSocket(viewer: number, stream: number, request: WsRequest, visitor: Visitor): void {
    const { socket } = visitor
    const { method, headers, readAhead } = request
    const upgrade = { method, headers, socket } as IncomingMessage // All that `ws` reads of it.
    this.#sockets.acceptViewer(upgrade, socket, Buffer.from(readAhead), (viewerSocket) => {
      visitor.viewer = this.#watch(viewer, stream, 'ws', viewerSocket)
      return visitor.viewer
    })
  }

  #watch(viewer: number, stream: number, transport: 'http' | 'ws', socket: ViewerSocket): JoinedViewer {
    if (this.#streams.isOver(stream)) {
      socket.end('ended')
      this.#left(viewer, 'ended')
      return hasLeft
    }
    return this.#play.find(String(stream)).join(transport, socket, { ...nobody, id: String(viewer) })
  }

  #left(viewer: number, reason: ViewerEnd): void {
    this.#say({ type: 'left', viewer, reason })
  }

  #closed(viewer: number): void {
    const visitor = this.#visitors.get(viewer)
    this.#visitors.delete(viewer)
    if (visitor?.viewer) visitor.viewer.gone()
    else this.#left(viewer, 'gone')
    if (this.#isStopping && this.#visitors.size === 0) this.#empty.resolve()
  }
}
