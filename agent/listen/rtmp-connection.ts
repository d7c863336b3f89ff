import type { Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import {
  rtmpControlBytesMax,
  rtmpMessagesPerSecond,
  rtmpPingMs,
  rtmpSetupMs,
  rtmpSilenceMs,
  viewerEndMs,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Principal } from '../control/auth.ts'
import type { RtmpIngest, RtmpPublication } from '../ingest/rtmp.ts'
import { liveClient } from '../live-client.ts'
import type { FlvPlay } from '../play/flv.ts'
import type { ViewerEnd, ViewerSocket, WriteDone } from '../play/viewer.ts'
import { writeAll } from '../play/write-all.ts'
import type { RtmpTarget } from '../protocol/rtmp/address.ts'
import { ServerSession, type SessionEvent } from '../protocol/rtmp/server-session.ts'

/** Why a connection was closed; each is counted. */
export type RtmpEnd =
  | 'peer' // The other side closed it.
  | 'refused' // Publishing or playing was refused, in words.
  | 'malformed' // What came is not RTMP, or past a bound.
  | 'handshake-timeout'
  | 'idle' // It neither publishes nor plays.
  | 'silent' // A publisher that sends nothing any more.
  | 'flood' // More messages than anyone needs, or questions whose answers it does not read.
  | 'displaced' // The same publisher came again.
  | 'fault'
  | ViewerEnd

/** Who wants what: `rtmp://…/app/name?query`. */
export type RtmpVisit = RtmpTarget & { role: 'publisher' | 'viewer'; address: string }

export type ConnectionNeeds = {
  clock: Clock
  /** Says who it is; throws to refuse. */
  admit: (visit: RtmpVisit) => Principal
  publish: RtmpIngest['publish']
  play: Pick<FlvPlay, 'find'>
  onRefused: (error: AppError) => void
  onFault: (error: unknown) => void
  onClosed: (connection: RtmpConnection, reason: RtmpEnd) => void
}

/** One socket of an encoder or a player: joins the protocol's session to the hub. Whatever comes, it throws nothing. */
export class RtmpConnection {
  readonly address: string
  readonly connectedAtMs: number
  /** What it publishes or plays. */
  visit: RtmpVisit | undefined
  readonly #socket: Socket
  readonly #needs: ConnectionNeeds
  readonly #session = new ServerSession()
  #publication: RtmpPublication | undefined
  #leave: (() => void) | undefined
  #subject = ''
  #end: RtmpEnd | undefined
  #controlBytes = 0
  #messagesBefore = 0
  #stateSinceMs: number
  #heardMs: number
  #pingedMs: number

  constructor(socket: Socket, needs: ConnectionNeeds) {
    this.#socket = socket
    this.#needs = needs
    this.address = socket.remoteAddress ?? ''
    this.connectedAtMs = needs.clock.nowMs()
    this.#stateSinceMs = this.#heardMs = this.#pingedMs = needs.clock.monotonicMs()
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#guard(() => this.#received(bytes)))
    socket.on('end', () => this.close('peer')) // Half-open connections are of no use to us.
    socket.on('error', () => this.close('peer'))
    socket.on('close', () => this.close('peer'))
  }

  get bytesIn(): number {
    return this.#socket.bytesRead
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten
  }

  /** Looks at the clock; to be called every second. */
  tick(nowMs: number): void {
    this.#messagesBefore = this.#session.messages
    const { state } = this.#session
    const setupOver = nowMs - this.#stateSinceMs > rtmpSetupMs
    if (state === 'handshake' && setupOver) this.close('handshake-timeout')
    else if (!this.visit && setupOver) this.close('idle')
    else if (this.visit?.role === 'publisher' && nowMs - this.#heardMs > rtmpSilenceMs) this.close('silent')
    else if (this.visit?.role === 'viewer' && nowMs - this.#pingedMs > rtmpPingMs) {
      this.#pingedMs = nowMs
      this.#control(this.#session.ping(nowMs))
    }
  }

  /** At once, unless the reason is one of which the other side was told: then behind what it is still to get. */
  close(reason: RtmpEnd): void {
    if (this.#end) return
    this.#end = reason
    const gently = reason === 'shutdown' ? this.visit?.role === 'viewer' : toldBefore.has(reason)
    this.#depart(reason)
    this.#needs.onClosed(this, reason)
    if (!gently) return void this.#socket.destroy()
    this.#socket.resume() // What still comes is not read by anyone; left unread, it would reset what we send.
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), viewerEndMs)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #received(bytes: Uint8Array): void {
    if (this.#end) return
    this.#heardMs = this.#needs.clock.monotonicMs()
    const events = this.#session.push(bytes)
    if (this.#session.messages - this.#messagesBefore > rtmpMessagesPerSecond) this.close('flood')
    for (const event of events) {
      if (this.#end) return
      this.#handle(event)
    }
  }

  #handle(event: SessionEvent): void {
    if (event.kind === 'media') this.#publication?.tag(event.tag)
    else if (event.kind === 'send') this.#control(event.bytes)
    else if (event.kind === 'begin') this.#begin({ ...event.target, role: event.role, address: this.address })
    else if (event.kind === 'stop') this.#depart('unpublished')
    else if (event.kind === 'pause') this.#pause(event.paused)
    else this.#fail(event.error)
  }

  #begin(visit: RtmpVisit): void {
    try {
      const principal = this.#needs.admit(visit)
      if (visit.role === 'publisher') this.#publish(visit, principal)
      else this.#play(visit, principal)
    } catch (cause) {
      this.#refuse(AppError.from(cause), cause)
    }
  }

  #publish(visit: RtmpVisit, { subject }: Principal): void {
    this.#publication = this.#needs.publish({
      name: visit.name,
      identity: `token ${subject}`,
      client: liveClient(visit.address, visit.app, visit.query, subject),
      onDisplaced: () => this.close('displaced'),
      close: () => this.close('closed'),
    })
    this.visit = visit
    this.#control(this.#session.accept())
  }

  #play(visit: RtmpVisit, { subject }: Principal): void {
    const stream = this.#needs.play.find(visit.name)
    this.visit = visit
    this.#subject = subject
    this.#control(this.#session.accept())
    this.#join(visit, stream)
  }

  #join({ address, app, query }: RtmpVisit, stream: ReturnType<FlvPlay['find']>): void {
    const socket = new PlayerSocket(this.#socket, (reason) => this.#viewerEnded(reason))
    const viewer = stream.join('rtmp', socket, liveClient(address, app, query, this.#subject))
    this.#leave = () => {
      socket.left = true
      viewer.gone()
    }
  }

  #viewerEnded(reason: ViewerEnd): void {
    if (reason === 'no-key-frame' || reason === 'no-source') {
      const words =
        reason === 'no-source'
          ? 'the source did not connect in time'
          : 'no key frame came: check that the camera sends'
      this.#control(this.#session.refuse(new AppError('DeadlineExceeded', words)))
    } else if (reason !== 'stalled' && reason !== 'gone') this.#control(this.#session.playEnded())
    this.close(reason)
  }

  /** A player that goes on joins again, at the newest key frame, if it still may. */
  #pause(paused: boolean): void {
    const { visit } = this
    if (!visit || paused === (this.#leave === undefined)) return
    try {
      if (!paused) this.#needs.admit(visit)
      const stream = this.#needs.play.find(visit.name)
      this.#control(this.#session.pauseNoted(paused))
      if (paused) this.#leaveStream()
      else this.#join(visit, stream)
    } catch (cause) {
      this.#refuse(AppError.from(cause), cause)
    }
  }

  #leaveStream(): void {
    const leave = this.#leave
    this.#leave = undefined
    leave?.()
  }

  #depart(reason: string): void {
    const publication = this.#publication
    this.#publication = undefined
    this.visit = undefined
    this.#stateSinceMs = this.#needs.clock.monotonicMs()
    publication?.end(reason)
    this.#leaveStream()
  }

  #refuse(error: AppError, cause: unknown): void {
    if (error.kind === 'Internal') this.#needs.onFault(cause)
    this.#needs.onRefused(error)
    this.#control(this.#session.refuse(error))
    this.close('refused')
  }

  #fail(error: AppError): void {
    if (error.kind === 'Internal') this.#needs.onFault(error)
    this.close(error.kind === 'Internal' ? 'fault' : 'malformed')
  }

  #control(bytes: Uint8Array): void {
    if (this.#end || this.#socket.destroyed) return
    this.#controlBytes += bytes.length
    this.#socket.write(bytes, () => {
      this.#controlBytes -= bytes.length
    })
    if (this.#controlBytes > rtmpControlBytesMax) this.close('flood')
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#needs.onFault(error)
      this.close('fault')
    }
  }
}

const toldBefore: ReadonlySet<RtmpEnd> = new Set([
  'refused',
  'ended',
  'no-key-frame',
  'no-source',
  'time-limit',
  'shutdown',
  'closed',
])

/** A viewer's bytes are whole messages: what else is written to the socket always stands between two. */
class PlayerSocket implements ViewerSocket {
  left = false
  readonly #socket: Socket
  readonly #onEnd: (reason: ViewerEnd) => void

  constructor(socket: Socket, onEnd: (reason: ViewerEnd) => void) {
    this.#socket = socket
    this.#onEnd = onEnd
  }

  write(chunks: readonly Uint8Array[], done: WriteDone): boolean {
    return writeAll(this.#socket, chunks, done)
  }

  end(reason: ViewerEnd): void {
    if (!this.left) this.#onEnd(reason)
  }
}
