import type { Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { openUdpPair, type UdpPair } from '../ingest/rtsp-udp.ts'
import {
  formatResponse,
  frameHeader,
  type RtspMessage,
  RtspParser,
  type RtspRequest,
} from '../protocol/rtsp/message.ts'
import { H264Packetizer } from '../protocol/rtsp/packetizer.ts'
import { senderReport } from '../protocol/rtsp/rtcp.ts'
import { SimAuth, type SimLogin } from './rtsp-login.ts'

export type SimPicture = { nalUnits: readonly Uint8Array[]; key: boolean; timestamp: number; wallMs: number }

type Answer = { status?: number; reason?: string; fields?: Record<string, string>; body?: string }
type Destination =
  | { over: 'tcp'; channel: number }
  | { over: 'udp'; pair: UdpPair; rtp: number; rtcp: number }

const waitingBytesMax = 8 * 1024 * 1024 // A client that reads nothing any more.
const reportEvery = 125 // Pictures: 5 s at 25 a second.
const payloadType = 96
const sessionS = 60

/** One client of the simulated camera. */
export class SimSession {
  readonly #socket: Socket
  readonly #auth: SimAuth
  readonly #sdp: () => string
  readonly #parser = new RtspParser()
  readonly #id = Math.random().toString(16).slice(2, 10).padEnd(8, '0')
  readonly #ssrc = Math.floor(Math.random() * 2 ** 32)
  readonly #packetizer = new H264Packetizer({ payloadType, ssrc: this.#ssrc, sequence: 65_500 })
  #destination: Destination | undefined
  #state: 'ready' | 'waiting' | 'playing' = 'ready'
  #sent = { pictures: 0, packets: 0, bytes: 0 }

  constructor(socket: Socket, login: SimLogin | undefined, sdp: () => string) {
    this.#socket = socket
    this.#auth = new SimAuth(login)
    this.#sdp = sdp
    let chain = Promise.resolve()
    socket.on('data', (bytes: Buffer) => {
      chain = chain.then(() => this.#read(bytes)).catch(() => void socket.destroy())
    })
    socket.on('error', () => undefined) // `close` follows.
    socket.on('close', () => this.#end())
  }

  get playing(): boolean {
    return this.#state === 'playing'
  }

  /** From the next key frame on. */
  picture({ nalUnits, key, timestamp, wallMs }: SimPicture): void {
    if (this.#state === 'waiting' && key) this.#state = 'playing'
    if (this.#state !== 'playing') return
    if (this.#socket.writableLength > waitingBytesMax) return void this.#socket.destroy()
    if (this.#sent.pictures % reportEvery === 0) this.#report(timestamp, wallMs)
    this.#sent.pictures += 1
    for (const packet of this.#packetizer.packets(nalUnits, timestamp)) this.#send('rtp', packet)
  }

  #report(rtpTimestamp: number, wallMs: number): void {
    const { packets, bytes } = this.#sent
    this.#send('rtcp', senderReport({ ssrc: this.#ssrc, wallMs, rtpTimestamp, packets, bytes }))
  }

  #send(kind: 'rtp' | 'rtcp', packet: Uint8Array): void {
    const to = this.#destination
    this.#sent.packets += 1
    this.#sent.bytes += packet.length
    if (to?.over === 'udp') to.pair.send(kind, to[kind], packet)
    else if (to) {
      const header = frameHeader(to.channel + (kind === 'rtp' ? 0 : 1), packet.length)
      this.#socket.write(Buffer.concat([header, packet]))
    }
  }

  async #read(bytes: Uint8Array): Promise<void> {
    for (const message of this.#parser.push(bytes)) await this.#take(message)
  }

  async #take(message: RtspMessage): Promise<void> {
    if (message.kind !== 'request') return // Receiver reports, and answers to nothing.
    const { method, headers } = message
    const admitted = method === 'OPTIONS' || this.#auth.admits(method, headers.get('authorization')?.[0])
    const refused = {
      status: 401,
      reason: 'Unauthorized',
      fields: { 'WWW-Authenticate': this.#auth.challenge },
    }
    const answer: Answer = admitted ? await this.#answer(message) : refused
    const { status = 200, reason = 'OK', fields = {}, body = '' } = answer
    const always = { CSeq: headers.get('cseq')?.[0], Server: 'edgereel sim' }
    if (!this.#socket.destroyed)
      this.#socket.write(formatResponse(status, reason, { ...always, ...fields }, body))
    if (method === 'PLAY' && status === 200) this.#state = 'waiting'
    if (method === 'TEARDOWN' && status === 200) this.#socket.end()
  }

  async #answer({ method, uri, headers }: RtspRequest): Promise<Answer> {
    const session = { Session: `${this.#id};timeout=${sessionS}` }
    switch (method) {
      case 'OPTIONS':
        return { fields: { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER' } }
      case 'DESCRIBE':
        return {
          fields: { 'Content-Type': 'application/sdp', 'Content-Base': `${uri.replace(/\/$/, '')}/` },
          body: this.#sdp(),
        }
      case 'SETUP':
        return await this.#setUp(headers.get('transport')?.[0] ?? '', session)
      case 'PLAY':
        if (!this.#destination) return { status: 455, reason: 'Method Not Valid In This State' }
        return { fields: { ...session, Range: 'npt=0.000-' } }
      case 'GET_PARAMETER':
      case 'TEARDOWN':
        return { fields: session }
      default:
        return { status: 501, reason: 'Not Implemented' }
    }
  }

  async #setUp(wanted: string, session: Record<string, string>): Promise<Answer> {
    if (this.#destination) return { status: 455, reason: 'Method Not Valid In This State' }
    const ports = /client_port=(\d+)-(\d+)/.exec(wanted)
    const ssrc = this.#ssrc.toString(16).padStart(8, '0')
    if (/RTP\/AVP\/TCP/i.test(wanted)) {
      const channel = Number(/interleaved=(\d+)/.exec(wanted)?.[1] ?? 0)
      this.#destination = { over: 'tcp', channel }
      const transport = `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1};ssrc=${ssrc}`
      return { fields: { ...session, Transport: transport } }
    }
    const { remoteAddress: address, remoteFamily } = this.#socket
    if (!ports || address === undefined) return { status: 461, reason: 'Unsupported Transport' }
    const family = remoteFamily === 'IPv6' ? 6 : 4
    const pair = await openUdpPair({ address, family, onPacket: () => undefined })
    if (this.#socket.destroyed) {
      pair[Symbol.dispose]()
      throw new AppError('Cancelled', 'the client has gone')
    }
    this.#destination = { over: 'udp', pair, rtp: Number(ports[1]), rtcp: Number(ports[2]) }
    const ours = `client_port=${ports[1]}-${ports[2]};server_port=${pair.rtp}-${pair.rtcp}`
    return { fields: { ...session, Transport: `RTP/AVP;unicast;${ours};ssrc=${ssrc}` } }
  }

  #end(): void {
    this.#state = 'ready'
    if (this.#destination?.over === 'udp') this.#destination.pair[Symbol.dispose]()
    this.#destination = undefined
  }
}
