import { AppError } from '../../../shared/error.ts'
import { rtmpChunkBytesSent, rtmpWindowBytes } from '../../../shared/limits.ts'
import type { Amf0Value } from '../../../shared/media/amf0.ts'
import { type FlvTag, type FlvTagKind, flvTagType } from '../../../shared/media/flv.ts'
import type { RtmpUrl } from './address.ts'
import { ChunkReader } from './chunk-reader.ts'
import { acknowledge, chunked, type OutMessage, setChunkSize, userControlEvent } from './chunk-writer.ts'
import { ClientHandshake } from './handshake.ts'
import {
  command,
  isObject,
  mediaOf,
  messageType,
  parseCommand,
  type RtmpMessage,
  userControl,
} from './message.ts'

export type ClientEvent =
  | { kind: 'send'; bytes: Uint8Array }
  /** What was asked for goes on: send, or be sent. */
  | { kind: 'ready' }
  | { kind: 'media'; tag: FlvTag }
  /** The server says that the stream is over. */
  | { kind: 'ended'; reason: string }
  | { kind: 'failed'; error: AppError }

export type ClientOptions = {
  url: RtmpUrl
  mode: 'publish' | 'play'
  /** Handshake with digests, for servers that insist. */
  digest?: boolean
}

const setBufferLength = 3
const transactions = { connect: 1, releaseStream: 2, fcPublish: 3, createStream: 4, begin: 5 }
const fourCcList = ['avc1', 'hvc1', 'av01', 'vp09', 'mp4a', 'Opus', '.mp3']

/** The client's side of one connection: publishes or plays one stream. Bytes in, events out; never throws. */
export class ClientSession {
  readonly #options: ClientOptions
  readonly #handshake: ClientHandshake
  readonly #chunks = new ChunkReader()
  #shaken = false
  #failed = false
  #streamId = 0
  #events: ClientEvent[] = []
  #received = 0
  #acknowledged = 0
  #window = rtmpWindowBytes

  constructor(options: ClientOptions) {
    this.#options = options
    this.#handshake = new ClientHandshake({ digest: options.digest ?? false })
  }

  /** What goes out first. */
  begin(): Uint8Array {
    return this.#handshake.begin()
  }

  push(bytes: Uint8Array): ClientEvent[] {
    if (this.#failed) return []
    this.#events = []
    try {
      this.#received += bytes.length
      if (this.#shaken) this.#read(bytes)
      else this.#shake(bytes)
      if (this.#shaken && this.#received - this.#acknowledged >= this.#window) {
        this.#acknowledged = this.#received
        this.#send(acknowledge(this.#received))
      }
    } catch (cause) {
      this.#fail(AppError.from(cause))
    }
    return this.#events
  }

  /** One tag, as a message of the stream that was opened; after `ready`. */
  message(kind: FlvTagKind, timestampMs: number, ...parts: Uint8Array[]): OutMessage {
    return { type: flvTagType[kind], streamId: this.#streamId, timestampMs, parts }
  }

  /** Says goodbye; the connection may be closed behind it. */
  end(): Uint8Array {
    if (this.#streamId === 0) return new Uint8Array(0)
    const unpublish = commandBytes(0, 'FCUnpublish', 6, null, this.#options.url.name)
    const remove = commandBytes(0, 'deleteStream', 7, null, this.#streamId)
    return this.#options.mode === 'publish' ? Buffer.concat([unpublish, remove]) : remove
  }

  #shake(bytes: Uint8Array): void {
    const { send, rest } = this.#handshake.push(bytes)
    if (send) this.#send(send)
    if (!rest) return
    this.#shaken = true
    const { app, tcUrl } = this.#options.url
    const publish = this.#options.mode === 'publish' ? { type: 'nonprivate' } : {}
    const options = { app, ...publish, flashVer: 'edgereel', tcUrl, capsEx: 0, fourCcList, objectEncoding: 0 }
    this.#send(setChunkSize(rtmpChunkBytesSent))
    this.#command(0, 'connect', transactions.connect, options)
    this.#read(rest)
  }

  #read(bytes: Uint8Array): void {
    this.#chunks.push(bytes, (message) => this.#message(message))
  }

  #message(message: RtmpMessage): void {
    const { type, payload } = message
    if (type === messageType.command || type === messageType.commandAmf3) return void this.#answered(message)
    const tags = mediaOf(message)
    if (tags) {
      for (const tag of tags) this.#events.push({ kind: 'media', tag })
      return
    }
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
    if (type === messageType.windowSize && payload.length >= 4) this.#window = Math.max(1, view.getUint32(0))
    if (type !== messageType.userControl || payload.length < 6) return
    if (view.getUint16(0) === userControl.pingRequest) {
      this.#send(userControlEvent(userControl.pingResponse, view.getUint32(2)))
    }
  }

  #answered(message: RtmpMessage): void {
    const { name, transaction, values } = parseCommand(message)
    if (name === 'onStatus') this.#status(values[1])
    else if (name === '_result' && transaction === transactions.connect) this.#connected()
    else if (name === '_result' && transaction === transactions.createStream) this.#created(values[1])
    else if (name === '_error') this.#refused(transaction, values[1])
  }

  #connected(): void {
    const { name } = this.#options.url
    if (this.#options.mode === 'publish') {
      this.#command(0, 'releaseStream', transactions.releaseStream, null, name)
      this.#command(0, 'FCPublish', transactions.fcPublish, null, name)
    }
    this.#command(0, 'createStream', transactions.createStream, null)
  }

  #created(streamId: Amf0Value): void {
    if (typeof streamId !== 'number') throw new AppError('Unavailable', 'RTMP: the server gave no stream')
    this.#streamId = streamId
    const { url, mode } = this.#options
    if (mode === 'publish')
      return void this.#command(streamId, 'publish', transactions.begin, null, url.name, 'live')
    this.#command(streamId, 'play', transactions.begin, null, url.name, -1000)
    this.#send(bufferLength(streamId))
  }

  #status(status: Amf0Value): void {
    if (!isObject(status)) return
    const code = String(status.code)
    if (status.level === 'error') this.#fail(refusal(status))
    else if (code === 'NetStream.Publish.Start' || code === 'NetStream.Play.Start')
      this.#events.push({ kind: 'ready' })
    else if (/Play\.(Stop|UnpublishNotify|Complete)$/.test(code))
      this.#events.push({ kind: 'ended', reason: code })
  }

  /** Servers that know neither releaseStream nor FCPublish say so: that is no failure. */
  #refused(transaction: number, status: Amf0Value): void {
    if (transaction === transactions.releaseStream || transaction === transactions.fcPublish) return
    this.#fail(refusal(isObject(status) ? status : {}))
  }

  #fail(error: AppError): void {
    this.#failed = true
    this.#events.push({ kind: 'failed', error })
  }

  #command(streamId: number, name: string, transaction: number, ...values: Amf0Value[]): void {
    this.#send(commandBytes(streamId, name, transaction, ...values))
  }

  #send(bytes: Uint8Array): void {
    this.#events.push({ kind: 'send', bytes })
  }
}

function refusal({ code, description }: { [key: string]: Amf0Value }): AppError {
  return new AppError(
    'Unavailable',
    `the server refused: ${String(description ?? code ?? 'no reason given').slice(0, 200)}`,
  )
}

function commandBytes(
  streamId: number,
  name: string,
  transaction: number,
  ...values: Amf0Value[]
): Uint8Array {
  const parts = [command(name, transaction, ...values)]
  return chunked({ type: messageType.command, streamId, timestampMs: 0, parts })
}

function bufferLength(streamId: number): Uint8Array {
  const payload = Buffer.alloc(10)
  payload.writeUInt16BE(setBufferLength)
  payload.writeUInt32BE(streamId, 2)
  payload.writeUInt32BE(1000, 6)
  return chunked({ type: messageType.userControl, streamId: 0, timestampMs: 0, parts: [payload] })
}
