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
import { type Principal, requireRole } from '../control/auth.ts'
import type { RtmpPublication } from '../ingest/rtmp.ts'
import type { FlvPlay } from '../play/flv.ts'
import type { ViewerEnd, ViewerSocket } from '../play/viewer.ts'
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
  admit: (visit: RtmpVisit) => Principal | Promise<Principal>
  publish: (request: { name: string; identity: string; onDisplaced(): void }) => RtmpPublication
  play: Pick<FlvPlay, 'find'>
  onRefused: (error: AppError) => void
  onFault: (error: unknown) => void
  onClosed: (connection: RtmpConnection, reason: RtmpEnd) => void
}

type Role = 'publisher' | 'viewer'

/** One socket of an encoder or a player: joins the protocol's session to the hub. Whatever comes, it throws nothing. */
export class RtmpConnection {
  readonly address: string
  readonly connectedAtMs: number
  role: Role | undefined
  target: RtmpTarget | undefined
  readonly #socket: Socket
  readonly #needs: ConnectionNeeds
  readonly #session = new ServerSession()
  #publication: RtmpPublication | undefined
  #leave: (() => void) | undefined
  #waiting: SessionEvent[] | undefined
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
    else if (!this.role && setupOver) this.close('idle')
    else if (this.role === 'publisher' && nowMs - this.#heardMs > rtmpSilenceMs) this.close('silent')
    else if (this.role === 'viewer' && nowMs - this.#pingedMs > rtmpPingMs) {
      this.#pingedMs = nowMs
      this.#control(this.#session.ping(nowMs))
    }
  }

  /** At once, unless the reason is one of which the other side was told: then behind what it is still to get. */
  close(reason: RtmpEnd): void {
    if (this.#end) return
    this.#end = reason
    const gently = reason === 'shutdown' ? this.role === 'viewer' : toldBefore.has(reason)
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
    else if (this.#waiting) this.#waiting.push(...events)
    else this.#handleAll(events)
  }

  #handleAll(events: readonly SessionEvent[]): void {
    for (const [i, event] of events.entries()) {
      if (this.#end) return
      if (event.kind !== 'begin') {
        this.#handle(event)
        continue
      }
      const visit = this.#visit(event.role, event.target)
      const admitted = this.#ask(visit)
      if (!(admitted instanceof Promise)) {
        this.#begin(visit, admitted)
        continue
      }
      // Whoever is asked may take a while: nothing more is read until then.
      this.#waiting = events.slice(i + 1)
      this.#socket.pause()
      admitted.then((answer) => this.#guard(() => this.#resume(visit, answer)))
      return
    }
  }

  #resume(visit: RtmpVisit, admitted: Principal | AppError): void {
    const events = this.#waiting ?? []
    this.#waiting = undefined
    if (this.#end) return
    this.#begin(visit, admitted)
    this.#socket.resume()
    this.#handleAll(events)
  }

  #handle(event: Exclude<SessionEvent, { kind: 'begin' }>): void {
    if (event.kind === 'media') this.#publication?.tag(event.tag)
    else if (event.kind === 'send') this.#control(event.bytes)
    else if (event.kind === 'stop') this.#depart('unpublished')
    else if (event.kind === 'pause') this.#pause(event.paused)
    else this.#fail(event.error)
  }

  #visit(role: Role, target: RtmpTarget): RtmpVisit {
    return { ...target, role, address: this.address }
  }

  #ask(visit: RtmpVisit): Principal | AppError | Promise<Principal | AppError> {
    try {
      const admitted = this.#needs.admit(visit)
      return admitted instanceof Promise ? admitted.catch((cause) => this.#understood(cause)) : admitted
    } catch (cause) {
      return this.#understood(cause)
    }
  }

  #begin(visit: RtmpVisit, admitted: Principal | AppError): void {
    if (admitted instanceof AppError) return void this.#refuse(admitted)
    try {
      requireRole(admitted, visit.role, visit.name)
      if (visit.role === 'publisher') this.#publish(visit, admitted)
      else this.#play(visit)
    } catch (cause) {
      this.#refuse(this.#understood(cause))
    }
  }

  #publish({ name, app, query }: RtmpVisit, { subject }: Principal): void {
    const identity = `token ${subject}`
    this.#publication = this.#needs.publish({ name, identity, onDisplaced: () => this.close('displaced') })
    this.#enter('publisher', { app, name, query })
    this.#control(this.#session.accept())
  }

  #play({ name, app, query }: RtmpVisit): void {
    const stream = this.#needs.play.find(name)
    this.#enter('viewer', { app, name, query })
    this.#control(this.#session.accept())
    const socket = new PlayerSocket(this.#socket, (reason) => this.#viewerEnded(reason))
    const viewer = stream.join('rtmp', socket)
    this.#leave = () => {
      socket.left = true
      viewer.gone()
    }
  }

  #enter(role: Role, target: RtmpTarget): void {
    this.role = role
    this.target = target
  }

  #viewerEnded(reason: ViewerEnd): void {
    if (reason === 'no-key-frame') {
      const error = new AppError('DeadlineExceeded', 'no key frame came: check that the camera sends')
      this.#control(this.#session.refuse(error))
    } else if (reason !== 'stalled' && reason !== 'gone') this.#control(this.#session.playEnded())
    this.close(reason)
  }

  /** A player that goes on joins again, at the newest key frame. */
  #pause(paused: boolean): void {
    const { target } = this
    if (!target || paused === (this.#leave === undefined)) return
    this.#control(this.#session.pauseNoted(paused))
    if (paused) this.#leaveStream()
    else this.#play(this.#visit('viewer', target))
  }

  #leaveStream(): void {
    const leave = this.#leave
    this.#leave = undefined
    leave?.()
  }

  #depart(reason: string): void {
    const publication = this.#publication
    this.#publication = undefined
    this.role = undefined
    this.#stateSinceMs = this.#needs.clock.monotonicMs()
    publication?.end(reason)
    this.#leaveStream()
  }

  #understood(cause: unknown): AppError {
    const error = AppError.from(cause)
    if (error.kind === 'Internal') this.#needs.onFault(cause)
    return error
  }

  #refuse(error: AppError): void {
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
  'time-limit',
  'shutdown',
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

  write(chunks: readonly Uint8Array[], done: (failed: boolean) => void): void {
    writeAll(this.#socket, chunks, done)
  }

  end(reason: ViewerEnd): void {
    if (!this.left) this.#onEnd(reason)
  }
}
