import { AppError } from '../../../shared/error.ts'
import {
  rtspKeepAliveMsMax,
  rtspKeepAliveMsMin,
  rtspRequestsMax,
  rtspSessionMsDefault,
} from '../../../shared/limits.ts'
import { version } from '../../../shared/version.ts'
import { type Credentials, RtspLogin } from './login.ts'
import {
  formatRequest,
  formatResponse,
  type RtspMessage,
  RtspParser,
  type RtspRequest,
  type RtspResponse,
} from './message.ts'
import { refusal } from './refusal.ts'
import { parseSdp } from './sdp.ts'
import { chooseTracks, type Track } from './tracks.ts'
import { parseSession, parseTransport, type TrackTransport, transportWanted } from './transport.ts'

export type RtspClientOptions = {
  /** For the request line: without credentials and fragment. */
  url: string
  credentials?: Credentials
  /** 64 random bits or more, hex, new each time. */
  newCnonce: () => string
}

export type RtspClientEvent =
  | { kind: 'send'; bytes: Uint8Array }
  /** To be answered with `setup`. */
  | { kind: 'described'; tracks: readonly Track[] }
  | { kind: 'playing'; transports: readonly TrackTransport[]; keepAliveMs: number }
  | { kind: 'rtp'; track: number; packet: Uint8Array }
  | { kind: 'rtcp'; track: number; packet: Uint8Array }
  /** Bytes were no RTSP, and what came around them may be hurt. */
  | { kind: 'resynced' }
  /** The camera sends us elsewhere; this connection is over. */
  | { kind: 'redirect'; url: string }
  /** The connection is of no use any more. */
  | { kind: 'failed'; error: AppError }

export type Ports = { rtp: number; rtcp: number }
type Step = 'OPTIONS' | 'DESCRIBE' | 'SETUP' | 'PLAY' | 'playing' | 'over'
type Pending = {
  sequence: number
  method: string
  uri: string
  fields: Record<string, string>
  tries: number
}

const channelsMax = 32 // A dollar with a higher channel, that the camera did not choose, is no frame.

/**
 * The client's side of one RTSP 1.0 connection (RFC 2326): OPTIONS, DESCRIBE, a SETUP for each track, PLAY, then
 * keep-alive. Bytes in, events and bytes out; one request is under way at a time, the newest: one to keep the session
 * alive is not waited for, as there are cameras that never answer it.
 */
export class RtspClient {
  readonly #options: RtspClientOptions
  readonly #login: RtspLogin
  readonly #parser = new RtspParser((channel) => channel < channelsMax || this.#channels.has(channel))
  #events: RtspClientEvent[] = []
  #step: Step = 'OPTIONS'
  #sequence = 0
  #pending: Pending | undefined
  #requests = 0
  #session: string | undefined
  #timeoutMs = rtspSessionMsDefault
  #methods = new Set<string>()
  #control: string
  #tracks: readonly Track[] = []
  #ports: readonly Ports[] | undefined
  readonly #transports: TrackTransport[] = []
  readonly #channels = new Map<number, { kind: 'rtp' | 'rtcp'; track: number }>()

  constructor(options: RtspClientOptions) {
    this.#options = options
    this.#control = options.url
    this.#login = new RtspLogin(options.credentials, options.newCnonce)
  }

  begin(): RtspClientEvent[] {
    return this.#collect(() => this.#request('OPTIONS', this.#options.url))
  }

  /** Never throws. */
  push(bytes: Uint8Array): RtspClientEvent[] {
    return this.#collect(() => {
      const { resyncs } = this.#parser
      for (const message of this.#parser.push(bytes)) this.#take(message)
      if (this.#parser.resyncs > resyncs) this.#events.push({ kind: 'resynced' })
    })
  }

  /** After `described`: over this connection, or to a pair of our ports for each track. */
  setup(ports?: readonly Ports[]): RtspClientEvent[] {
    return this.#collect(() => {
      this.#ports = ports
      this.#step = 'SETUP'
      this.#setupNext()
    })
  }

  /** To be sent every `keepAliveMs`. */
  keepAlive(): RtspClientEvent[] {
    const method = this.#methods.has('GET_PARAMETER') ? 'GET_PARAMETER' : 'OPTIONS'
    return this.#collect(() => {
      if (this.#step === 'playing') this.#request(method, this.#control)
    })
  }

  /** Says goodbye; the connection may be closed behind it. */
  teardown(): Uint8Array {
    if (this.#session === undefined) return new Uint8Array(0)
    const events = this.#collect(() => this.#request('TEARDOWN', this.#control))
    this.#step = 'over'
    return Buffer.concat(events.flatMap((event) => (event.kind === 'send' ? [event.bytes] : [])))
  }

  #collect(run: () => void): RtspClientEvent[] {
    this.#events = []
    try {
      if (this.#step !== 'over') run()
    } catch (cause) {
      this.#step = 'over'
      this.#events.push({ kind: 'failed', error: AppError.from(cause) })
    }
    return this.#events
  }

  #take(message: RtspMessage): void {
    if (this.#step === 'over') return
    if (message.kind === 'response') this.#answered(message)
    else if (message.kind === 'request') this.#asked(message)
    else {
      const channel = this.#channels.get(message.channel)
      if (channel) this.#events.push({ ...channel, packet: message.payload })
    }
  }

  // --- Requests

  #request(method: string, uri: string, fields: Record<string, string> = {}, tries = 0): void {
    this.#requests = this.#step === 'playing' ? 0 : this.#requests + 1
    if (this.#requests > rtspRequestsMax) {
      throw new AppError('Unavailable', 'the camera asks for one more request again and again')
    }
    this.#sequence += 1
    this.#pending = { sequence: this.#sequence, method, uri, fields, tries }
    const bytes = formatRequest(method, uri, {
      CSeq: this.#sequence,
      'User-Agent': `edgereel/${version}`,
      Session: this.#session,
      Authorization: this.#login.header(method, uri),
      ...fields,
    })
    this.#events.push({ kind: 'send', bytes })
  }

  #setupNext(): void {
    const at = this.#transports.length
    const track = this.#tracks[at]
    if (!track) {
      this.#step = 'PLAY'
      this.#request('PLAY', this.#control, { Range: 'npt=0.000-' })
      return
    }
    this.#request('SETUP', track.control, { Transport: transportWanted(at, this.#ports?.[at]) })
  }

  // --- Answers

  #answered(response: RtspResponse): void {
    const { status, headers } = response
    const request = this.#pending
    const sequence = headers.get('cseq')?.[0] // Some firmware leaves it out.
    const isMeant = request && (sequence === undefined || Number(sequence) === request.sequence)
    if (!isMeant || status < 200) return // An answer to nothing that was asked, or 100 Continue.
    this.#pending = undefined
    const { method, uri, fields, tries } = request
    if (status === 401) {
      this.#login.challenged(headers.get('www-authenticate') ?? [], tries)
      this.#request(method, uri, fields, tries + 1)
      return
    }
    this.#login.accepted()
    if (status >= 300 && status < 400) this.#redirected(headers.get('location')?.[0])
    else if (status < 300) this.#succeeded(method, response)
    else this.#refused(method, status)
  }

  #redirected(url: string | undefined): void {
    if (url === undefined) throw refusal(404, '')
    this.#step = 'over'
    this.#events.push({ kind: 'redirect', url })
  }

  /** Some cameras do not know the requests that keep a session alive; that the session is gone is another matter. */
  #refused(method: string, status: number): void {
    if (this.#step === 'playing' && status !== 454) return
    if (method !== 'OPTIONS') throw refusal(status, method)
    this.#describe()
  }

  #succeeded(method: string, response: RtspResponse): void {
    if (method === 'OPTIONS' && this.#step === 'OPTIONS') this.#optionsKnown(response)
    else if (method === 'DESCRIBE') this.#described(response)
    else if (method === 'SETUP') this.#wasSetUp(response)
    else if (method === 'PLAY') this.#plays(response)
  }

  #optionsKnown({ headers }: RtspResponse): void {
    const names = (headers.get('public') ?? []).join(',').split(',')
    this.#methods = new Set(names.map((name) => name.trim().toUpperCase()))
    this.#describe()
  }

  #describe(): void {
    this.#step = 'DESCRIBE'
    this.#request('DESCRIBE', this.#options.url, { Accept: 'application/sdp' })
  }

  #described({ headers, body }: RtspResponse): void {
    const base = headers.get('content-base')?.[0] || headers.get('content-location')?.[0]
    const absolute = base !== undefined && /^rtsps?:\/\//i.test(base)
    const { control, medias } = parseSdp(
      Buffer.from(body).toString('utf8'),
      absolute ? base : this.#options.url,
    )
    this.#control = control
    this.#tracks = chooseTracks(medias)
    this.#events.push({ kind: 'described', tracks: this.#tracks })
  }

  #wasSetUp({ headers }: RtspResponse): void {
    this.#keepSession(headers.get('session')?.[0])
    const track = this.#transports.length
    const transport = parseTransport(headers.get('transport')?.[0] ?? '')
    if (!transport || transport.over !== (this.#ports ? 'udp' : 'tcp')) throw refusal(461, 'SETUP')
    this.#transports.push(transport)
    if (transport.over === 'tcp') {
      this.#channels.set(transport.rtpChannel, { kind: 'rtp', track })
      this.#channels.set(transport.rtcpChannel, { kind: 'rtcp', track })
    }
    this.#setupNext()
  }

  #keepSession(text: string | undefined): void {
    if (text === undefined) return
    const { id, timeoutMs } = parseSession(text)
    this.#session = id
    this.#timeoutMs = timeoutMs ?? this.#timeoutMs
  }

  #plays({ headers }: RtspResponse): void {
    this.#keepSession(headers.get('session')?.[0])
    this.#step = 'playing'
    const keepAliveMs = Math.min(Math.max(this.#timeoutMs / 2, rtspKeepAliveMsMin), rtspKeepAliveMsMax)
    this.#events.push({ kind: 'playing', transports: this.#transports, keepAliveMs })
  }

  /** Servers ask whether we are still there, and say when they are not. */
  #asked({ method, headers }: RtspRequest): void {
    const fields = { CSeq: headers.get('cseq')?.[0], Session: headers.get('session')?.[0] }
    const known = ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER', 'ANNOUNCE', 'TEARDOWN', 'REDIRECT']
    const answer = known.includes(method)
      ? formatResponse(200, 'OK', fields)
      : formatResponse(501, 'Not Implemented', fields)
    this.#events.push({ kind: 'send', bytes: answer })
    if (method === 'REDIRECT') this.#redirected(headers.get('location')?.[0])
    if (method === 'TEARDOWN') throw new AppError('Unavailable', 'the camera ended the stream')
  }
}
