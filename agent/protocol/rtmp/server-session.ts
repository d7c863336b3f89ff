import { AppError } from '../../../shared/error.ts'
import { rtmpChunkBytesSent, rtmpWindowBytes } from '../../../shared/limits.ts'
import type { Amf0Value } from '../../../shared/media/amf0.ts'
import type { FlvTag } from '../../../shared/media/flv.ts'
import { parseConnect, parseTarget, type RtmpConnect, type RtmpTarget } from './address.ts'
import { ChunkReader } from './chunk-reader.ts'
import {
  acknowledge,
  chunked,
  peerBandwidth,
  setChunkSize,
  userControlEvent,
  windowSize,
} from './chunk-writer.ts'
import { ServerHandshake } from './handshake.ts'
import {
  command,
  isObject,
  mediaOf,
  messageType,
  parseCommand,
  type RtmpCommand,
  type RtmpMessage,
  userControl,
} from './message.ts'
import { connected, playStatus, publishStatus, type Status, statusOf } from './status.ts'

/** What a peer's bytes lead to, in this order. Nothing comes after `failed`: close the connection. */
export type SessionEvent =
  | { kind: 'send'; bytes: Uint8Array }
  /** Answer with `accept` or `refuse`. */
  | { kind: 'begin'; role: 'publisher' | 'viewer'; target: RtmpTarget }
  | { kind: 'media'; tag: FlvTag }
  | { kind: 'pause'; paused: boolean }
  /** The peer ends what it publishes or plays; it may begin again. */
  | { kind: 'stop' }
  | { kind: 'failed'; error: AppError }

/** There is one message stream, so that all viewers can be sent the same bytes. */
export const mediaStreamId = 1

/**
 * The server's side of one connection: bytes in, events out; no socket, no clock.
 *
 *   handshake ─► new ──connect──► connected ──createStream──► idle ──publish / play──► publishing / playing
 *                                                              ▲─────deleteStream, closeStream───┘
 *
 * Never throws: a command that is out of place is answered with `_error`, a fault of the protocol is `failed`.
 */
export class ServerSession {
  #state: 'handshake' | 'new' | 'connected' | 'failed' = 'handshake'
  #stream: 'none' | 'idle' | 'publishing' | 'playing' = 'none'
  readonly #handshake: ServerHandshake
  readonly #chunks = new ChunkReader()
  #connect: RtmpConnect = { app: '', queries: [] }
  #name = ''
  #events: SessionEvent[] = []
  #messages = 0
  #received = 0
  #acknowledged = 0
  #window = rtmpWindowBytes

  constructor(handshake = new ServerHandshake()) {
    this.#handshake = handshake
  }

  /** `new` from the end of the handshake on, `publishing` and `playing` also while that is not yet accepted. */
  get state(): 'handshake' | 'new' | 'connected' | 'publishing' | 'playing' | 'failed' {
    if (this.#state !== 'connected') return this.#state
    return this.#stream === 'publishing' || this.#stream === 'playing' ? this.#stream : 'connected'
  }

  /** How many have come. */
  get messages(): number {
    return this.#messages
  }

  push(bytes: Uint8Array): SessionEvent[] {
    if (this.#state === 'failed') return []
    this.#events = []
    try {
      this.#received += bytes.length
      if (this.#state === 'handshake') this.#shake(bytes)
      else this.#read(bytes)
      this.#acknowledge()
    } catch (cause) {
      this.#state = 'failed'
      this.#events.push({ kind: 'failed', error: AppError.from(cause) })
    }
    return this.#events
  }

  /** The bytes that tell the peer that it may go on. */
  accept(): Uint8Array {
    const play = this.#stream === 'playing'
    const parts = play ? playStatus.started(this.#name) : [publishStatus.started(this.#name)]
    const status = parts.map((each) => this.#status(each))
    return play
      ? Buffer.concat([userControlEvent(userControl.streamBegin, mediaStreamId), ...status])
      : Buffer.concat(status)
  }

  /** The bytes that tell the peer why not. */
  refuse(error: AppError): Uint8Array {
    const play = this.#stream === 'playing'
    this.#stream = 'idle'
    return this.#status(statusOf(play ? 'play' : 'publish', error))
  }

  /** To a viewer: the stream is over. */
  playEnded(): Uint8Array {
    const eof = userControlEvent(userControl.streamEof, mediaStreamId)
    return Buffer.concat([...playStatus.ended(this.#name).map((each) => this.#status(each)), eof])
  }

  /** To a viewer that paused or goes on. */
  pauseNoted(paused: boolean): Uint8Array {
    return this.#status(paused ? playStatus.paused : playStatus.unpaused)
  }

  ping(nowMs: number): Uint8Array {
    return userControlEvent(userControl.pingRequest, Math.round(nowMs))
  }

  #shake(bytes: Uint8Array): void {
    const { send, rest } = this.#handshake.push(bytes)
    if (send) this.#send(send)
    if (!rest) return
    this.#state = 'new'
    this.#read(rest)
  }

  #read(bytes: Uint8Array): void {
    this.#chunks.push(bytes, (message) => this.#message(message))
  }

  #message(message: RtmpMessage): void {
    const { type, payload } = message
    this.#messages += 1
    if (type === messageType.command || type === messageType.commandAmf3) this.#command(message)
    else if (type === messageType.userControl) this.#userControl(payload)
    else if (type === messageType.windowSize) this.#window = Math.max(1, uint32(payload, 0))
    else if (this.#stream === 'publishing') {
      for (const tag of mediaOf(message) ?? []) this.#events.push({ kind: 'media', tag })
    }
  }

  #userControl(payload: Uint8Array): void {
    if (payload.length < 6 || payload[0] !== 0 || payload[1] !== userControl.pingRequest) return
    this.#send(userControlEvent(userControl.pingResponse, uint32(payload, 2)))
  }

  #command(message: RtmpMessage): void {
    const asked = parseCommand(message)
    if (asked.name === 'connect') return void this.#onConnect(asked)
    if (this.#state !== 'connected') return void this.#error(asked, 'connect first')
    switch (asked.name) {
      case 'createStream':
        return void this.#createStream(asked)
      case 'publish':
      case 'play':
        return void this.#begin(asked, message.streamId)
      case 'deleteStream':
        return void this.#stop('none') // The next createStream answers the same number again.
      case 'closeStream':
      case 'FCUnpublish':
        return void this.#stop('idle')
      case 'pause':
        return void this.#pause(asked)
      case 'releaseStream':
      case 'FCPublish':
      case 'FCSubscribe':
      case 'getStreamLength':
      case '_checkbw':
        return void this.#result(asked, asked.name === 'getStreamLength' ? 0 : undefined)
      default:
        return void this.#unknown(asked)
    }
  }

  #onConnect(asked: RtmpCommand): void {
    if (this.#state !== 'new') return void this.#error(asked, 'connected already')
    const [options] = asked.values
    const app = isObject(options) ? options.app : undefined
    if (!isObject(options) || typeof app !== 'string') {
      throw new AppError('InvalidArgument', 'RTMP: connect names no app')
    }
    this.#connect = parseConnect(app, typeof options.tcUrl === 'string' ? options.tcUrl : '')
    this.#state = 'connected'
    this.#send(windowSize(rtmpWindowBytes), peerBandwidth(rtmpWindowBytes), setChunkSize(rtmpChunkBytesSent))
    this.#send(userControlEvent(userControl.streamBegin, 0))
    this.#reply('_result', asked, ...connected(options))
  }

  #createStream(asked: RtmpCommand): void {
    if (this.#stream !== 'none') return void this.#error(asked, 'one stream for each connection')
    this.#stream = 'idle'
    this.#result(asked, mediaStreamId)
  }

  #begin(asked: RtmpCommand, streamId: number): void {
    const kind = asked.name === 'publish' ? 'publish' : 'play'
    const name = asked.values[1]
    if (typeof name !== 'string' || name === '')
      return void this.#error(asked, `${kind} what? The name is missing`)
    if (this.#stream === 'none' || streamId !== mediaStreamId)
      return void this.#error(asked, 'there is no such stream')
    if (this.#stream !== 'idle') return void this.#error(asked, `it is ${this.#stream} already`)
    const target = parseTarget(this.#connect, name)
    this.#name = target.name
    this.#stream = kind === 'publish' ? 'publishing' : 'playing'
    this.#events.push({ kind: 'begin', role: kind === 'publish' ? 'publisher' : 'viewer', target })
  }

  #stop(next: 'none' | 'idle'): void {
    const before = this.#stream
    if (before === 'none') return
    this.#stream = next
    if (before === 'idle') return
    this.#events.push({ kind: 'stop' })
    if (before === 'publishing') this.#send(this.#status(publishStatus.ended(this.#name)))
  }

  #pause(asked: RtmpCommand): void {
    if (this.#stream !== 'playing') return void this.#error(asked, 'nothing is played')
    this.#events.push({ kind: 'pause', paused: asked.values[1] === true })
  }

  #unknown(asked: RtmpCommand): void {
    if (asked.transaction > 0 && !asked.name.startsWith('_')) this.#error(asked, 'this is not known here')
  }

  #result(asked: RtmpCommand, value: Amf0Value): void {
    if (asked.transaction > 0) this.#reply('_result', asked, null, value)
  }

  #error(asked: RtmpCommand, description: string): void {
    const status = { level: 'error', code: 'NetConnection.Call.Failed', description }
    this.#reply('_error', asked, null, status)
  }

  #reply(name: string, { transaction }: RtmpCommand, ...values: Amf0Value[]): void {
    this.#send(commandBytes(0, command(name, transaction, ...values)))
  }

  #status(status: Status): Uint8Array {
    return commandBytes(mediaStreamId, command('onStatus', 0, null, status))
  }

  #send(...bytes: Uint8Array[]): void {
    for (const each of bytes) this.#events.push({ kind: 'send', bytes: each })
  }

  /** At most one each time bytes come in, however small the window that was asked for. */
  #acknowledge(): void {
    if (this.#state !== 'connected' || this.#received - this.#acknowledged < this.#window) return
    this.#acknowledged = this.#received
    this.#send(acknowledge(this.#received))
  }
}

function commandBytes(streamId: number, payload: Uint8Array): Uint8Array {
  return chunked({ type: messageType.command, streamId, timestampMs: 0, parts: [payload] })
}

function uint32(payload: Uint8Array, at: number): number {
  if (payload.length < at + 4)
    throw new AppError('InvalidArgument', 'RTMP: a control message that is cut off')
  return new DataView(payload.buffer, payload.byteOffset).getUint32(at)
}
