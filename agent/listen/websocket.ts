import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import {
  messageBytesMax,
  socketIdleMs,
  socketMessagesPerSecond,
  socketSendBytesMax,
  viewerEndMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { ViewerEnd, ViewerSocket } from '../play/viewer.ts'
import { writeAll } from '../play/write-all.ts'

/** A phone's WebSocket. Callbacks come in the order of the wire; after `onClose` there are none. */
export type PhoneSocket = {
  readonly remoteAddress: string
  send(text: string): void
  close(code: number, reason?: string): void
  ping(): void
  /** `data` is a view of memory that is not written again. */
  onMessage(listener: (data: Uint8Array, isBinary: boolean) => void): void
  /** Answers to `ping`. */
  onPong(listener: () => void): void
  onClose(listener: (code: number) => void): void
}

export type WebSockets = Disposable & {
  acceptPhone(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    open: (phone: PhoneSocket) => void,
  ): void
  acceptViewer(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    open: (viewer: ViewerSocket) => { gone(): void } | undefined,
  ): void
}

type Options = {
  clock: Clock
  idleMs?: number
  messagesPerSecond?: number
  /** A guard of this file closed a socket. */
  onGuard: (reason: 'idle' | 'rate' | 'not-reading') => void
}

const viewerMessageBytesMax = 4096 // A viewer has nothing to say but pongs.
const idlePing = Buffer.from('idle') // Told apart from the pings by which phones are timed.

/** The only place that knows `ws`. */
export function createWebSockets(options: Options): WebSockets {
  return new Sockets(options)
}

type Watched = { ws: WebSocket; request: IncomingMessage; bytesRead: number; heardMs: number }

class Sockets implements WebSockets {
  readonly #options: Required<Options>
  readonly #phones = new WebSocketServer({ ...serverOptions, maxPayload: messageBytesMax })
  readonly #viewers = new WebSocketServer({ ...serverOptions, maxPayload: viewerMessageBytesMax })
  readonly #watched = new Set<Watched>()
  readonly #timer: NodeJS.Timeout

  constructor(options: Options) {
    this.#options = { idleMs: socketIdleMs, messagesPerSecond: socketMessagesPerSecond, ...options }
    this.#timer = setInterval(() => this.#sweep(), this.#options.idleMs / 3)
    this.#timer.unref()
  }

  acceptPhone(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    open: (phone: PhoneSocket) => void,
  ): void {
    this.#phones.handleUpgrade(request, socket, head, (ws) => {
      this.#watch(ws, request)
      open(phoneSocket(ws, request, () => this.#options.onGuard('not-reading')))
    })
  }

  acceptViewer(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    open: (viewer: ViewerSocket) => { gone(): void } | undefined,
  ): void {
    this.#viewers.handleUpgrade(request, socket, head, (ws) => {
      this.#watch(ws, request)
      const viewer = open(viewerSocket(ws, socket))
      ws.on('close', () => viewer?.gone())
    })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    for (const { ws } of this.#watched) ws.terminate()
  }

  #watch(ws: WebSocket, request: IncomingMessage): void {
    const watched = { ws, request, bytesRead: 0, heardMs: this.#options.clock.monotonicMs() }
    this.#watched.add(watched)
    ws.on('error', () => undefined) // `close` follows, and says all that we need.
    ws.on('close', () => this.#watched.delete(watched))
    this.#limitRate(ws)
  }

  #limitRate(ws: WebSocket): void {
    const { clock, messagesPerSecond, onGuard } = this.#options
    let sinceMs = clock.monotonicMs()
    let count = 0
    const tick = () => {
      count += 1
      if (count <= messagesPerSecond) return
      const nowMs = clock.monotonicMs()
      const flood = nowMs - sinceMs < 1000
      sinceMs = nowMs
      count = 0
      if (!flood || ws.readyState !== WebSocket.OPEN) return
      onGuard('rate')
      ws.terminate()
    }
    ws.on('message', tick)
    ws.on('ping', tick)
    ws.on('pong', tick)
  }

  // Bytes count as life, not messages: a key frame of 12 MB may take its time.
  #sweep(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const watched of this.#watched) {
      const { bytesRead } = watched.request.socket
      if (bytesRead !== watched.bytesRead) {
        watched.bytesRead = bytesRead
        watched.heardMs = nowMs
      }
      if (nowMs - watched.heardMs > this.#options.idleMs) {
        this.#options.onGuard('idle')
        watched.ws.terminate()
      } else if (watched.ws.readyState === WebSocket.OPEN) {
        watched.ws.ping(idlePing)
      }
    }
  }
}

const serverOptions = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  closeTimeout: viewerEndMs,
} as const

function phoneSocket(ws: WebSocket, request: IncomingMessage, onNotReading: () => void): PhoneSocket {
  const write = (send: () => void) => {
    if (ws.readyState !== WebSocket.OPEN) return
    if (ws.bufferedAmount <= socketSendBytesMax) return send()
    onNotReading()
    ws.terminate()
  }
  return {
    remoteAddress: request.socket.remoteAddress ?? '',
    send: (text) => write(() => ws.send(text)),
    close: (code, reason) => ws.close(code, reason),
    ping: () => write(() => ws.ping()),
    onMessage: (listener) =>
      void ws.on('message', (data, isBinary) => {
        if (ws.readyState === WebSocket.OPEN) listener(data as Buffer, isBinary) // `nodebuffer`, the default.
      }),
    onPong: (listener) =>
      void ws.on('pong', (data) => {
        if (!idlePing.equals(data)) listener()
      }),
    onClose: (listener) => void ws.on('close', listener),
  }
}

const closeCodes: Record<ViewerEnd, number> = {
  ended: 1000,
  gone: 1000,
  stalled: 1008,
  'no-key-frame': 1013,
  'no-source': 1013,
  'time-limit': 1012,
  shutdown: 1001,
  closed: 1000,
  worker: 1012,
}

/**
 * Whole frames are written past `ws`, straight to the socket: they are built once for all viewers. Its own pongs and
 * close frames fall between them, since each write here ends at the end of a frame.
 */
function viewerSocket(ws: WebSocket, socket: Duplex): ViewerSocket {
  return {
    write: (chunks, done) => writeAll(socket, chunks, done),
    end: (reason) => {
      if (reason === 'stalled' || reason === 'gone') ws.terminate()
      else ws.close(closeCodes[reason], reason)
    },
  }
}
