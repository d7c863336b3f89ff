import type { RecordingStream } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import { recordingSaveRetryMs } from '../../shared/limits.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import type { Hub, Publisher } from '../hub/hub.ts'
import { type LiveClient, liveClient } from '../live-client.ts'
import type { PhoneConnection } from './phone-connection.ts'
import type { Moment, PhoneEffect, PhoneSession } from './phone-session.ts'

/** What phones need of recordings (`record/recordings`). */
export type PhoneRecordings = {
  begin(request: { streams: string[]; from: number; session: true }): { id: string; saved: Promise<unknown> }
  /** False when the recording takes no more streams. */
  join(id: string, stream: string, from: number): boolean
  endStream(id: string, stream: string, end: { to: number; fps?: RecordingStream['fps'] }): Promise<void>
}

/** Phones that were started together share one recording, opened by the first of them. */
export type PhoneGroup = { recording: string | undefined }

/** How a phone answered a command. */
export type PhoneAnswer = Extract<PhoneEffect['kind'], 'started' | 'stopped' | 'failed' | 'lost'>

export type PhoneNeeds = {
  hub: Pick<Hub, 'publish'>
  recordings: PhoneRecordings
  now: () => Moment
  onFault: (message: string, error: unknown) => void
}

/** An admitted phone: carries out what its session wants, at the hub, in recordings and on its connection. */
export class Phone {
  readonly name: string
  /** The name before it was made unique: what it is found by when it comes back. */
  readonly baseName: string
  readonly identity: string
  readonly session: PhoneSession
  connection: PhoneConnection | undefined
  roundTripMs: number | undefined
  recording: string | undefined
  group: PhoneGroup | undefined
  readonly #needs: PhoneNeeds
  readonly #answers = new Set<(answer: PhoneAnswer) => void>()
  #publisher: Publisher | undefined
  #nameRefused = false
  /** The claim that the disk refused: tried again, from the first picture on. */
  #unclaimed: { from: number; retryMs: number } | undefined

  constructor(
    about: { name: string; baseName: string; identity: string; session: PhoneSession },
    needs: PhoneNeeds,
  ) {
    this.name = about.name
    this.baseName = about.baseName
    this.identity = about.identity
    this.session = about.session
    this.#needs = needs
  }

  get fps(): number | undefined {
    return this.#publisher?.stream.stats.fps
  }

  onAnswer(listener: (answer: PhoneAnswer) => void): Disposable {
    this.#answers.add(listener)
    return { [Symbol.dispose]: () => this.#answers.delete(listener) }
  }

  apply(effects: readonly PhoneEffect[]): void {
    for (const effect of effects) this.#apply(effect)
  }

  tick(at: Moment): void {
    this.apply(this.session.tick(at))
    if (this.#unclaimed && at.monotonicMs >= this.#unclaimed.retryMs) this.#claim(this.#unclaimed.from)
  }

  /** Its recording was stopped by somebody else. */
  recordingStopped(): void {
    this.recording = undefined
    this.apply(this.session.connected ? this.session.stop() : this.session.abandon())
  }

  #apply(effect: PhoneEffect): void {
    if (effect.kind === 'unit') this.#push(effect.unit)
    else if (effect.kind === 'gap') this.#publish()?.gap(effect.gap)
    else if (effect.kind === 'send') this.connection?.send(effect.text)
    else if (effect.kind === 'begin') this.#claim(effect.wallMs)
    else if (effect.kind === 'end') this.#end(effect)
    else {
      // Those who were told to film are recorded from their word on, so that their start can be answered with an id.
      if (effect.kind === 'started' && this.group) this.#claim(this.#needs.now().wallMs)
      if (effect.kind === 'lost') this.#unpublish('the connection of the phone is gone')
      this.#answer(effect.kind)
    }
  }

  #answer(answer: PhoneAnswer): void {
    for (const listener of [...this.#answers]) listener(answer)
  }

  #push(unit: AccessUnit): void {
    // A name that was refused is asked for again at key frames only.
    const publisher = unit.randomAccess || !this.#nameRefused ? this.#publish() : undefined
    if (publisher) publisher.push(unit)
    else this.session.count('not-published')
  }

  #publish(): Publisher | undefined {
    try {
      this.#publisher ??= this.#needs.hub.publish({
        name: this.name,
        kind: 'phone',
        identity: this.identity,
        client: this.#client(),
        onDisplaced: () => this.#displaced(),
      })
      this.#nameRefused = false
    } catch (error) {
      this.#nameRefused = true
      this.session.message = AppError.from(error).message
    }
    return this.#publisher
  }

  #client(): LiveClient {
    const { address = '', principal } = this.connection ?? {}
    return liveClient(address, 'android-cam', new URLSearchParams(), principal?.subject)
  }

  #displaced(): void {
    this.#publisher = undefined
    this.connection?.close('another publisher of this stream took over')
  }

  #end({ wallMs, fps }: Extract<PhoneEffect, { kind: 'end' }>): void {
    this.#unpublish('the phone has stopped')
    const { recording } = this
    this.recording = undefined
    this.group = undefined
    this.#unclaimed = undefined
    if (recording === undefined) return
    const end = { to: wallMs, ...(fps ? { fps } : {}) }
    this.#needs.recordings
      .endStream(recording, this.name, end)
      .catch((error) => this.#needs.onFault('the recording of a phone could not be closed', error))
  }

  #unpublish(reason: string): void {
    this.#publisher?.end(reason)
    this.#publisher = undefined
  }

  /** Opens a recording for this capture, or joins that of its group. */
  #claim(from: number): void {
    this.#unclaimed = undefined
    if (this.recording !== undefined) return
    const { recordings } = this.#needs
    const { group } = this
    if (group?.recording !== undefined && recordings.join(group.recording, this.name, from)) {
      this.recording = group.recording
      return
    }
    try {
      const { id, saved } = recordings.begin({ streams: [this.name], from, session: true })
      this.recording = id
      if (group) group.recording = id
      saved.catch((error) => this.#refused(from, id, error))
    } catch (error) {
      this.#refused(from, undefined, error)
    }
  }

  #refused(from: number, id: string | undefined, error: unknown): void {
    this.#needs.onFault('the recording of a phone could not be opened, it will be tried again', error)
    if (this.recording !== id) return
    this.recording = undefined
    if (this.group?.recording === id) this.group = undefined
    this.#unclaimed = { from, retryMs: this.#needs.now().monotonicMs + recordingSaveRetryMs }
  }
}
