import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import {
  recordingLookMs,
  recordingPrerollMs,
  recordingStreamsMax,
  recordingsOpenMax,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Ring } from '../ring/types.ts'
import {
  type ClaimRequest,
  claimNotes,
  claimStream,
  endOf,
  newClaim,
  resumedClaim,
  type SessionMark,
} from './claim.ts'
import { type ClaimRecorder, closedClaim, flushStream } from './claim-close.ts'
import { ClaimFile } from './claim-file.ts'
import { missingOf } from './claim-reach.ts'
import { newRecordingId } from './recording-id.ts'

export type RecordingsOptions = {
  agent: string
  ring: Pick<Ring, 'saveRecording' | 'recordings' | 'recording' | 'segments' | 'gaps'>
  recorder: ClaimRecorder
  clock: Clock
  /** A save failed or a recorder did not answer; the work goes on. */
  onFault: (message: string, error: unknown) => void
}

export type StreamEnd = { to: number; fps?: RecordingStream['fps'] }
export type Begun = { id: string; saved: Promise<Recording> }

type Entry = {
  file: ClaimFile
  /** Of streams that ended before the recording does. */
  flushes: Map<string, Promise<void>>
  timer: AbortController
  /** Armed, and its time is so near that its streams are wanted. */
  rolls?: boolean
  closing?: Promise<Recording>
}

/**
 * Recordings: named claims on ranges of the ring (DESIGN.md, Ring and recordings).
 *
 * Invariants: the file of a claim is durable before its start is answered; a claim is in `#open` until its closed
 * revision is durable; whoever stops it, and however often, there is one close and one answer.
 */
export class Recordings implements AsyncDisposable {
  readonly #options: RecordingsOptions
  readonly #open = new Map<string, Entry>()
  readonly #stopListeners = new Set<(recording: Recording) => void>()
  readonly #disposed = new AbortController()

  constructor(options: RecordingsOptions) {
    this.#options = options
  }

  /** Opens again what was open when the agent stopped. Answers the sessions of phones among them. */
  async resume(): Promise<Recording[]> {
    const nowMs = this.#options.clock.nowMs()
    const unfinished = (await this.#options.ring.recordings()).filter(({ state }) => state !== 'closed')
    for (const recording of unfinished) {
      const entry = this.#enter(recording.state === 'open' ? resumedClaim(recording, nowMs) : recording)
      await entry.file.save().catch((error) => this.#fault('a resumed recording could not be saved', error))
      this.#schedule(entry)
    }
    return unfinished.filter((recording) => claimNotes(recording).session === true)
  }

  /** Answered when the claim is durable. A claim on the past answers when it is closed. */
  async start(request: ClaimRequest): Promise<Recording> {
    const known = request.id === undefined ? undefined : await this.#find(request.id)
    if (known) return known
    const { streams, from } = request
    if (from === undefined) return await this.begin(request).saved
    const missing = await missingOf(streams, { from, to: endOf(request, from) }, this.#options)
    return await this.begin({ ...request, missing }).saved
  }

  /** Like `start`, with the id at once: for a door that must not wait. `saved` rejects when the disk refuses. */
  begin(request: ClaimRequest): Begun {
    const nowMs = this.#options.clock.nowMs()
    const id = request.id ?? this.#freshId(nowMs)
    const present = this.#open.get(id)
    if (present) return { id, saved: present.file.written() }
    if (this.#open.size >= recordingsOpenMax) {
      throw new AppError('ResourceExhausted', 'Too many recordings are open; stop some first.', {
        zh: '打开的录像过多，请先停止一些。',
      })
    }
    const claim = newClaim(request, { agent: this.#options.agent, id, nowMs })
    const names = claim.streams.map(({ name }) => name)
    const entry = this.#enter(request.session ? { ...claim, marks: this.#marksAfter(names) } : claim)
    return { id, saved: this.#begin(entry) }
  }

  /** A stream joins a recording that is open. False when it is closed; true also when it is in it already. */
  join(id: string, name: string, from: number): boolean {
    const entry = this.#open.get(id)
    if (!entry || entry.closing) return false
    const { streams } = entry.file.recording
    const present = streams.find((stream) => stream.name === name)
    if (present || streams.length === recordingStreamsMax) return present?.to === null
    const marks = { ...claimNotes(entry.file.recording).marks, ...this.#marksAfter([name]) }
    this.#revise(entry, { streams: [...streams, claimStream(name, from)], marks })
    this.#tellClaims([name])
    return true
  }

  /** The source of a stream has finished; with the last stream the recording closes by itself. */
  async endStream(id: string, name: string, end: StreamEnd): Promise<void> {
    const entry = this.#open.get(id)
    const stream = entry?.file.recording.streams.find((candidate) => candidate.name === name)
    if (!entry || entry.closing || !stream || stream.to !== null) return
    const { file } = entry
    const to = Math.max(stream.from, Math.min(end.to, this.#options.clock.nowMs()))
    const ended = { ...stream, to, ...(end.fps ? { fps: end.fps } : {}) }
    const streams = file.recording.streams.map((candidate) => (candidate === stream ? ended : candidate))
    file.recording = this.#through({ ...file.recording, streams }, [name])
    entry.flushes.set(name, flushStream(name, { ended: true }, this.#options))
    this.#tellClaims([name])
    if (streams.every((candidate) => candidate.to !== null)) await this.#close(entry, to)
  }

  /** Ends a recording now. A second stop gets the same answer; `NotFound` when there never was one. */
  async stop(id: string): Promise<Recording> {
    const entry = this.#open.get(id)
    if (entry) return await this.#close(entry, this.#options.clock.nowMs())
    return await this.get(id)
  }

  async has(id: string): Promise<boolean> {
    return this.#open.has(id) || (await this.#options.ring.recording(id)) !== undefined
  }

  /** As it stands now. `NotFound` when there never was one. */
  async get(id: string): Promise<Recording> {
    const recording = this.#open.get(id)?.file.recording ?? (await this.#options.ring.recording(id))
    if (recording) return recording
    throw unknown(id)
  }

  /** Newest first, those that are open as they stand now. */
  async list({
    limit,
    cursor,
  }: {
    limit: number
    cursor?: string
  }): Promise<{ recordings: Recording[]; cursor?: string }> {
    const byId = new Map(
      (await this.#options.ring.recordings()).map((recording) => [recording.id, recording]),
    )
    for (const { file } of this.#open.values()) byId.set(file.recording.id, file.recording)
    const sorted = [...byId.values()].toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    const start = cursor === undefined ? 0 : sorted.findIndex(({ id }) => id === cursor) + 1
    const recordings = sorted.slice(start, start + limit)
    const last = recordings.at(-1)
    return last && start + limit < sorted.length ? { recordings, cursor: last.id } : { recordings }
  }

  /** How many have begun and are not closed yet. */
  get begunCount(): number {
    return [...this.#open.values()].filter(({ file }) => file.recording.state !== 'armed').length
  }

  /** Open recordings that hold this stream now. */
  of(stream: string): string[] {
    const holds = ({ name, to }: RecordingStream) => name === stream && to === null
    return [...this.#open.values()]
      .filter(({ file, closing }) => !closing && file.recording.state === 'open')
      .filter(({ file }) => file.recording.streams.some(holds))
      .map(({ file }) => file.recording.id)
  }

  #wanting(stream: string): number {
    const rolling = [...this.#open.values()].filter(
      ({ file, closing, rolls }) => rolls && !closing && file.recording.state === 'armed',
    )
    const wanted = rolling.filter(({ file }) => file.recording.streams.some(({ name }) => name === stream))
    return this.of(stream).length + wanted.length
  }

  /** Called when an open recording begins to close, before its segments are cut: its phones are to stop too. */
  onStop(listener: (recording: Recording) => void): void {
    this.#stopListeners.add(listener)
  }

  /** Open claims stay open, and say that the agent was stopped in good order; a close on its way is awaited. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    const pausedAt = this.#options.clock.nowMs()
    const work = [...this.#open.values()].map((entry) => {
      entry.timer.abort()
      if (entry.closing) return entry.closing
      return entry.file.recording.state === 'open' ? this.#revise(entry, { pausedAt }) : undefined
    })
    await Promise.allSettled(work)
    this.#open.clear()
  }

  async #find(id: string): Promise<Recording | undefined> {
    const entry = this.#open.get(id)
    return entry ? await entry.file.written() : await this.#options.ring.recording(id)
  }

  #freshId(nowMs: number): string {
    for (;;) {
      const id = newRecordingId(nowMs)
      if (!this.#open.has(id)) return id
    }
  }

  #enter(recording: Recording): Entry {
    const file = new ClaimFile(recording, (revision) => this.#options.ring.saveRecording(revision))
    const entry = { file, flushes: new Map(), timer: new AbortController() }
    this.#open.set(recording.id, entry)
    this.#tellClaims(recording.streams.map(({ name }) => name))
    return entry
  }

  #marksAfter(streams: readonly string[]): Record<string, SessionMark> {
    const mark = (name: string): [string, SessionMark] => {
      const after = this.#options.recorder.newest(name)
      return [name, after ? { after } : {}]
    }
    return Object.fromEntries(streams.map(mark))
  }

  /** Where the sessions of these streams end in the ring. */
  #through(recording: Recording, streams: readonly string[]): Recording {
    const { marks, session } = claimNotes(recording)
    if (!session || !marks) return recording
    const ended = streams.flatMap((name): [string, SessionMark][] => {
      const through = this.#options.recorder.newest(name)
      return through && !marks[name]?.through ? [[name, { ...marks[name], through }]] : []
    })
    return { ...recording, marks: { ...marks, ...Object.fromEntries(ended) } }
  }

  async #begin(entry: Entry): Promise<Recording> {
    const { file } = entry
    try {
      await file.save()
    } catch (cause) {
      this.#open.delete(file.recording.id)
      this.#tellClaims(file.recording.streams.map(({ name }) => name))
      throw new AppError('Unavailable', 'The disk did not take the recording; see the state of the disk.', {
        cause,
        zh: '磁盘未能保存该录像，请查看磁盘状态。',
      })
    }
    const { until } = claimNotes(file.recording)
    if (until !== undefined && until <= this.#options.clock.nowMs()) return await this.#close(entry, until)
    this.#schedule(entry)
    return file.recording
  }

  /** Waits for the time at which an armed claim opens, then for the one at which it ends. */
  #schedule(entry: Entry): void {
    const { clock } = this.#options
    const { signal } = entry.timer
    const wait = async () => {
      if (entry.file.recording.state === 'armed') {
        const names = entry.file.recording.streams.map(({ name }) => name)
        // The key frame before the first picture is in the file: the stream has to be there by then.
        await sleepUntil(clock, entry.file.recording.from - recordingPrerollMs, signal)
        entry.rolls = true
        this.#tellClaims(names)
        await sleepUntil(clock, entry.file.recording.from, signal)
        const opened = this.#revise(entry, { state: 'open' })
        this.#tellClaims(names)
        await opened
      }
      const { until } = claimNotes(entry.file.recording)
      if (until === undefined) return
      await sleepUntil(clock, until, signal)
      await this.#close(entry, until)
    }
    wait().catch((error) => {
      if (!signal.aborted) this.#fault('a timed recording failed', error)
    })
  }

  #close(entry: Entry, at: number): Promise<Recording> {
    if (!entry.closing) {
      entry.closing = this.#finish(entry, at)
      this.#tellClaims(entry.file.recording.streams.map(({ name }) => name))
    }
    return entry.closing
  }

  /** Streams that the ring keeps only while a recording wants them. */
  #tellClaims(streams: readonly string[]): void {
    for (const stream of streams) this.#options.recorder.setClaimed(stream, this.#wanting(stream))
  }

  async #finish(entry: Entry, at: number): Promise<Recording> {
    const { file } = entry
    entry.timer.abort()
    const streams = file.recording.streams.map((stream) => ({
      ...stream,
      to: stream.to ?? Math.max(stream.from, at),
    }))
    const names = streams.map(({ name }) => name)
    const asked = this.#through({ ...file.recording, streams }, names)
    for (const listener of this.#stopListeners) listener(asked)
    file.recording = await closedClaim(asked, entry.flushes, this.#options)
    try {
      await file.save()
      this.#open.delete(asked.id)
    } catch (error) {
      // A full disk must not keep a recording open for the one who stopped it.
      this.#fault('a closed recording could not be saved, it will be tried again', error)
      this.#saveLater(entry)
    }
    return file.recording
  }

  #saveLater({ file }: Entry): void {
    file.saveAtLast(this.#options.clock, this.#disposed.signal).then(
      () => this.#open.delete(file.recording.id),
      () => undefined, // The agent stops: the claim is resumed as open, and closed then.
    )
  }

  #revise(entry: Entry, change: Record<string, unknown>): Promise<void> {
    return entry.file
      .revise(change as Partial<Recording>)
      .catch((error) => this.#fault('a recording could not be saved', error))
  }

  #fault(message: string, error: unknown): void {
    this.#options.onFault(message, error)
  }
}

function unknown(id: string): AppError {
  return new AppError('NotFound', `There is no recording ${id}.`, { zh: `没有录像 ${id}。` })
}

async function sleepUntil(clock: Clock, wallMs: number, signal: AbortSignal): Promise<void> {
  for (let left = wallMs - clock.nowMs(); left > 0; left = wallMs - clock.nowMs()) {
    await clock.sleep(Math.min(left, recordingLookMs), signal)
  }
}
