import { randomBytes } from 'node:crypto'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AppError } from '../../shared/error.ts'
import {
  rtpReorderMs,
  rtspAnswerMs,
  rtspReadBytes,
  rtspReportMs,
  rtspTeardownMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CameraUri } from '../protocol/camera-uri.ts'
import { type Ports, RtspClient, type RtspClientEvent } from '../protocol/rtsp/client-session.ts'
import { frameHeader } from '../protocol/rtsp/message.ts'
import { receiverReport } from '../protocol/rtsp/rtcp.ts'
import type { Track } from '../protocol/rtsp/tracks.ts'
import type { TrackTransport } from '../protocol/rtsp/transport.ts'
import type { CameraAddress } from './camera-guard.ts'
import { openUdpPair, type UdpPair } from './rtsp-udp.ts'
import { RtspUnits } from './rtsp-units.ts'
import { connectionError } from './rtsp-words.ts'
import type { SourceOutput } from './source.ts'

export type RtspConnectionOptions = {
  uri: CameraUri
  /** What goes into the request line: after a redirect it is not the address that was configured. */
  url: string
  address: CameraAddress
  secure: boolean
  udp: boolean
  clock: Clock
  nextEpoch: () => number
  output: SourceOutput
  signal: AbortSignal
}

// All connections read into one: what is kept of it is copied while it is taken apart, before anybody reads again.
const readBuffer = Buffer.alloc(rtspReadBytes)

function readInto(take: (bytes: Uint8Array) => void) {
  const callback = (bytes: number) => {
    take(readBuffer.subarray(0, bytes))
    return true
  }
  return { buffer: readBuffer, callback }
}

const punch = Buffer.alloc(4) // To the camera's RTP port: firewalls then let its packets in.

/** One connection, until it ends. Resolves with the address where the camera sends us instead, rejects otherwise. */
export async function runRtspConnection(options: RtspConnectionOptions): Promise<{ redirect: string }> {
  const { signal } = options
  signal.throwIfAborted()
  const connection = new RtspConnection(options)
  const stop = () => connection.stop(signal.reason)
  signal.addEventListener('abort', stop)
  try {
    return await connection.ended
  } finally {
    signal.removeEventListener('abort', stop)
    await connection.close()
  }
}

/** It throws nothing: whatever happens settles `ended`. */
class RtspConnection {
  readonly ended: Promise<{ redirect: string }>
  readonly #settle = Promise.withResolvers<{ redirect: string }>()
  readonly #options: RtspConnectionOptions
  readonly #socket: Socket
  readonly #session: RtspClient
  readonly #over = new AbortController()
  #step = new AbortController()
  #tracks: readonly Track[] = []
  #units: RtspUnits | undefined
  #pairs: UdpPair[] = []
  #transports: readonly TrackTransport[] = []
  readonly #ownSsrc = randomBytes(4).readUInt32BE()

  constructor(options: RtspConnectionOptions) {
    this.#options = options
    this.ended = this.#settle.promise
    const { url, uri } = options
    const { user, password = '' } = uri
    this.#session = new RtspClient({
      url,
      ...(user === undefined ? {} : { credentials: { user, password } }),
      newCnonce: () => randomBytes(16).toString('hex'),
    })
    this.#socket = this.#connect()
    this.#await()
  }

  stop(reason: unknown): void {
    this.#settle.reject(reason)
  }

  /** Says goodbye, if there is somebody to say it to. */
  async close(): Promise<void> {
    this.#over.abort()
    this.#step.abort()
    this.#units?.end()
    this.#units = undefined
    for (const pair of this.#pairs) pair[Symbol.dispose]()
    const goodbye = this.#session.teardown()
    if (goodbye.length > 0 && this.#socket.writable) {
      const gone = Promise.withResolvers<void>()
      const late = this.#options.clock.sleep(rtspTeardownMs)
      this.#socket.end(goodbye, () => gone.resolve())
      this.#socket.once('close', () => gone.resolve())
      await Promise.race([gone.promise, late])
    }
    this.#socket.destroy()
  }

  #connect(): Socket {
    const { address, secure, uri } = this.#options
    const to = { host: address.address, port: address.port }
    const name = isIP(uri.host) ? {} : { servername: uri.host }
    const take = (bytes: Uint8Array) => this.#handle(this.#session.push(bytes))
    const socket = secure
      ? connectTls({ ...to, ...name }).on('data', take)
      : connect({ ...to, noDelay: true, onread: readInto(take) })
    const begin = () => this.#handle(this.#session.begin())
    socket.once(secure ? 'secureConnect' : 'connect', begin)
    socket.on('error', (cause) => this.#settle.reject(connectionError(cause)))
    socket.on('close', () =>
      this.#settle.reject(
        new AppError('Unavailable', 'the camera closed the connection', { zh: '摄像机关闭了连接。' }),
      ),
    )
    return socket
  }

  #handle(events: readonly RtspClientEvent[]): void {
    const arrivalMs = this.#options.clock.monotonicMs()
    for (const event of events) {
      if (event.kind === 'failed') this.#settle.reject(event.error)
      else if (event.kind === 'rtp') this.#units?.rtp(event.track, event.packet, arrivalMs)
      else if (event.kind === 'rtcp') this.#control(event.track, event.packet, arrivalMs)
      else if (event.kind === 'resynced') this.#units?.resynced()
      else if (event.kind === 'send') this.#write(event.bytes)
      else if (event.kind === 'described') void this.#setUp(event.tracks)
      else if (event.kind === 'playing') this.#play(event.transports, event.keepAliveMs)
      else this.#settle.resolve({ redirect: event.url })
    }
  }

  #write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
    if (this.#transports.length === 0) this.#await()
  }

  /** The camera has so long for each answer. */
  #await(): void {
    this.#step.abort()
    this.#step = new AbortController()
    const late = new AppError('DeadlineExceeded', 'the camera does not answer', { zh: '摄像机没有应答。' })
    this.#options.clock.sleep(rtspAnswerMs, this.#step.signal).then(
      () => this.#settle.reject(late),
      () => undefined, // It answered.
    )
  }

  async #setUp(tracks: readonly Track[]): Promise<void> {
    const { udp, clock, nextEpoch, output } = this.#options
    this.#tracks = tracks
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() }
    this.#units = new RtspUnits({ tracks, reorders: udp, now, nextEpoch, output })
    try {
      const ports = udp ? await this.#openPairs() : undefined
      if (!this.#over.signal.aborted) this.#handle(this.#session.setup(ports))
    } catch (cause) {
      this.#settle.reject(AppError.from(cause))
    }
  }

  async #openPairs(): Promise<Ports[]> {
    const { address, family } = this.#options.address
    for (const track of this.#tracks.keys()) {
      const onPacket = (kind: 'rtp' | 'rtcp', packet: Uint8Array) => this.#handle([{ kind, track, packet }])
      const pair = await openUdpPair({ address, family, onPacket })
      if (this.#over.signal.aborted) pair[Symbol.dispose]()
      else this.#pairs.push(pair)
    }
    return this.#pairs.map(({ rtp, rtcp }) => ({ rtp, rtcp }))
  }

  #play(transports: readonly TrackTransport[], keepAliveMs: number): void {
    this.#transports = transports
    this.#step.abort()
    this.#options.output.connected()
    this.#every(keepAliveMs, () => this.#handle(this.#session.keepAlive()))
    this.#every(rtspReportMs, () => this.#report())
    if (!this.#options.udp) return
    transports.forEach((transport, track) => {
      if (transport.over === 'udp') this.#pairs[track]?.send('rtp', transport.rtpPort, punch)
    })
    this.#report()
    this.#every(rtpReorderMs / 2, () => this.#units?.tick(this.#options.clock.monotonicMs()))
  }

  #every(ms: number, run: () => void): void {
    const { signal } = this.#over
    const loop = async () => {
      for (;;) {
        await this.#options.clock.sleep(ms, signal)
        run()
      }
    }
    loop().catch(() => undefined) // It is over.
  }

  #control(track: number, packet: Uint8Array, arrivalMs: number): void {
    if (!this.#units?.rtcp(track, packet, arrivalMs).bye) return
    this.#settle.reject(
      new AppError('Unavailable', 'the camera ended the stream', { zh: '摄像机结束了流。' }),
    )
  }

  #report(): void {
    this.#transports.forEach((transport, track) => {
      const reception = this.#units?.reception(track, this.#options.clock.monotonicMs())
      const report = receiverReport(this.#ownSsrc, reception)
      if (transport.over === 'udp') this.#pairs[track]?.send('rtcp', transport.rtcpPort, report)
      else this.#socket.write(Buffer.concat([frameHeader(transport.rtcpChannel, report.length), report]))
    })
  }
}
