import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import {
  recordingCloseMs,
  recordingSaveRetryMs,
  recordingStreamsMax,
  recordingsOpenMax,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Ring } from '../ring/types.ts'
import { type ClaimRequest, claimNotes, claimStream, newClaim, resumedClaim, withoutNotes } from './claim.ts'
import { endedStreams, type Held } from './recording-end.ts'
import { newRecordingId } from './recording-id.ts'

/** What a claim needs of its neighbours; `main.ts` joins them. */
export type ClaimRing = Pick<Ring, 'saveRecording' | 'recordings' | 'recording' | 'segments' | 'gaps'>
export type ClaimRecorder = {
  /** Resolves when all that the stream gave until now is in sealed segments. `ended`: no more pictures are to come. */
  flush(stream: string, options: { ended: boolean }): Promise<void>
  /** Wall ms of the beginning of the segment that is being written; undefined when none is. */
  openSince(stream: string): number | undefined
}
export type RecordingsOptions = {
  agent: string
  ring: ClaimRing
  recorder: ClaimRecorder
  clock: Clock
  /** A save failed or a recorder did not answer; the close goes on. */
  onFault: (message: string, error: unknown) => void
}

export type StreamEnd = { to: number; fps?: RecordingStream['fps'] }
export type Begun = { id: string; saved: Promise<Recording> }

type Entry = {
  recording: Recording
  /** Durable writes of one recording, one after the other. */
  writes: Promise<unknown>
  flushes: Map<string, Promise<void>>
  timer: AbortController
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
      await this.#save(entry).catch((error) => this.#fault('a resumed recording could not be saved', error))
      this.#schedule(entry)
    }
    return unfinished.filter((recording) => claimNotes(recording).session === true)
  }

  /** Answered when the claim is durable. A claim on the past answers when it is closed. */
  async start(request: ClaimRequest): Promise<Recording> {
    const known = request.id === undefined ? undefined : await this.#find(request.id)
    if (known) return known
    if (request.from !== undefined) await this.#reach(request.streams, request.from)
    return await this.begin(request).saved
  }

  /** Like `start`, with the id at once: for a door that must not wait. `saved` rejects when the disk refuses. */
  begin(request: ClaimRequest): Begun {
    const nowMs = this.#options.clock.nowMs()
    const id = request.id ?? this.#freshId(nowMs)
    const present = this.#open.get(id)
    if (present) return { id, saved: this.#written(present) }
    if (this.#open.size >= recordingsOpenMax) {
      throw new AppError('ResourceExhausted', 'Too many recordings are open; stop some first.', {
        zh: '打开的录像过多，请先停止一些。',
      })
    }
    const entry = this.#enter(newClaim(request, { agent: this.#options.agent, id, nowMs }))
    return { id, saved: this.#begin(entry) }
  }

  /** A stream joins a recording that is open. False when it is closed; true also when it is in it already. */
  join(id: string, name: string, from: number): boolean {
    const entry = this.#open.get(id)
    if (!entry || entry.closing) return false
    const { streams } = entry.recording
    if (streams.some((stream) => stream.name === name))
      return streams.some((s) => s.name === name && s.to === null)
    if (streams.length === recordingStreamsMax) return false
    this.#revise(entry, { streams: [...streams, claimStream(name, from)] })
    return true
  }

  /** The source of a stream has finished; with the last stream the recording closes by itself. */
  async endStream(id: string, name: string, end: StreamEnd): Promise<void> {
    const entry = this.#open.get(id)
    const stream = entry?.recording.streams.find((candidate) => candidate.name === name)
    if (!entry || entry.closing || !stream || stream.to !== null) return
    const { clock } = this.#options
    const to = Math.max(stream.from, Math.min(end.to, clock.nowMs()))
    const ended = { ...stream, to, ...(end.fps ? { fps: end.fps } : {}) }
    entry.recording = {
      ...entry.recording,
      streams: entry.recording.streams.map((candidate) => (candidate === stream ? ended : candidate)),
    }
    entry.flushes.set(name, this.#flush(name, true))
    if (entry.recording.streams.every((candidate) => candidate.to !== null)) await this.#close(entry, to)
  }

  /** Ends a recording now. A second stop gets the same answer; `NotFound` when there never was one. */
  async stop(id: string): Promise<Recording> {
    const entry = this.#open.get(id)
    if (entry) return await this.#close(entry, this.#options.clock.nowMs())
    const recording = await this.#options.ring.recording(id)
    if (recording) return recording
    throw new AppError('NotFound', `There is no recording ${id}.`, { zh: `没有录像 ${id}。` })
  }

  /** Newest first, those that are open as they stand now. */
  async list({
    limit,
    cursor,
  }: {
    limit: number
    cursor?: string
  }): Promise<{ recordings: Recording[]; cursor?: string }> {
    const stored = await this.#options.ring.recordings()
    const byId = new Map(stored.map((recording) => [recording.id, recording]))
    for (const { recording } of this.#open.values()) byId.set(recording.id, recording)
    const sorted = [...byId.values()].toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    const start = cursor === undefined ? 0 : sorted.findIndex(({ id }) => id === cursor) + 1
    const recordings = sorted.slice(start, start + limit)
    const last = recordings.at(-1)
    return last && start + limit < sorted.length ? { recordings, cursor: last.id } : { recordings }
  }

  /** Open recordings that hold this stream now. */
  of(stream: string): string[] {
    const holds = ({ recording, closing }: Entry) =>
      !closing &&
      recording.state === 'open' &&
      recording.streams.some(({ name, to }) => name === stream && to === null)
    return [...this.#open.values()].filter(holds).map(({ recording }) => recording.id)
  }

  /** Called when somebody stops an open recording, before its segments are cut: its phones are to stop too. */
  onStop(listener: (recording: Recording) => void): void {
    this.#stopListeners.add(listener)
  }

  /** Open claims stay open, and say that the agent was stopped in good order; a close on its way is awaited. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    const pausedAt = this.#options.clock.nowMs()
    const work = [...this.#open.values()].map((entry) => {
      entry.timer.abort()
      return (
        entry.closing ?? (entry.recording.state === 'open' ? this.#revise(entry, { pausedAt }) : undefined)
      )
    })
    await Promise.allSettled(work)
    this.#open.clear()
  }

  async #find(id: string): Promise<Recording | undefined> {
    const entry = this.#open.get(id)
    return entry ? await this.#written(entry) : await this.#options.ring.recording(id)
  }

  async #written(entry: Entry): Promise<Recording> {
    await entry.writes
    return entry.recording
  }

  #freshId(nowMs: number): string {
    for (;;) {
      const id = newRecordingId(nowMs)
      if (!this.#open.has(id)) return id
    }
  }

  #enter(recording: Recording): Entry {
    const entry = { recording, writes: Promise.resolve(), flushes: new Map(), timer: new AbortController() }
    this.#open.set(recording.id, entry)
    return entry
  }

  async #begin(entry: Entry): Promise<Recording> {
    try {
      await this.#save(entry)
    } catch (cause) {
      this.#open.delete(entry.recording.id)
      throw new AppError('Unavailable', 'The disk did not take the recording; see the state of the disk.', {
        cause,
        zh: '磁盘未能保存该录像，请查看磁盘状态。',
      })
    }
    const { until } = claimNotes(entry.recording)
    if (until !== undefined && until <= this.#options.clock.nowMs()) return await this.#close(entry, until)
    this.#schedule(entry)
    return entry.recording
  }

  /** Throws `FailedPrecondition` when nothing of a stream is held since `from`. */
  async #reach(streams: readonly string[], from: number): Promise<void> {
    const { ring, recorder, clock } = this.#options
    const nowMs = clock.nowMs()
    if (from >= nowMs) return
    for (const stream of streams) {
      if ((recorder.openSince(stream) ?? nowMs) < nowMs) continue
      const [held] = await ring.segments({ stream, from, to: nowMs })
      if (!held) throw await this.#unreached(stream)
    }
  }

  async #unreached(stream: string): Promise<AppError> {
    const newest = (await this.#options.ring.segments({ stream })).at(-1)
    const until = newest ? new Date(newest.to).toISOString() : undefined
    const [en, zh] = until
      ? [`its last picture here is of ${until}`, `最后一帧的时间为 ${until}`]
      : ['nothing of it is kept here', '此处没有任何画面']
    return new AppError('FailedPrecondition', `${stream} cannot be recorded from then: ${en}.`, {
      zh: `无法从该时间录制 ${stream}：${zh}。`,
    })
  }

  /** Waits for the time at which an armed claim opens, then for the one at which it ends. */
  #schedule(entry: Entry): void {
    const { clock } = this.#options
    const { signal } = entry.timer
    const wait = async () => {
      if (entry.recording.state === 'armed') {
        await sleepUntil(clock, entry.recording.from, signal)
        await this.#revise(entry, { state: 'open' })
      }
      const { until } = claimNotes(entry.recording)
      if (until === undefined) return
      await sleepUntil(clock, until, signal)
      await this.#close(entry, until)
    }
    wait().catch((error) => {
      if (!signal.aborted) this.#fault('a timed recording failed', error)
    })
  }

  #close(entry: Entry, at: number): Promise<Recording> {
    entry.closing ??= this.#finish(entry, at)
    return entry.closing
  }

  async #finish(entry: Entry, at: number): Promise<Recording> {
    entry.timer.abort()
    const asked = entry.recording
    for (const listener of this.#stopListeners) listener(asked)
    const streams = asked.streams.map((stream) => ({ ...stream, to: stream.to ?? Math.max(stream.from, at) }))
    const held = new Map<string, Held>()
    if (asked.state === 'open') {
      const holding = streams.map(async ({ name, from, to }) => {
        await (entry.flushes.get(name) ?? this.#flush(name, false))
        held.set(name, await this.#held(name, from, to))
      })
      await Promise.all(holding)
    }
    const { session = false, pauses = [] } = claimNotes(asked)
    const end = endedStreams({ ...asked, streams }, held, { session, pauses })
    entry.recording = { ...withoutNotes(asked), ...end, state: 'closed', rev: asked.rev + 1 }
    await this.#saveClosed(entry)
    return entry.recording
  }

  async #held(stream: string, from: number, to: number): Promise<Held> {
    const { ring } = this.#options
    const [segments, gaps] = await Promise.all([
      ring.segments({ stream, from, to }),
      ring.gaps({ stream, from, to }),
    ])
    return { segments, gaps }
  }

  async #flush(stream: string, ended: boolean): Promise<void> {
    const { recorder, clock } = this.#options
    const late = new AbortController()
    const deadline = clock.sleep(recordingCloseMs, late.signal).then(() => {
      throw new AppError('DeadlineExceeded', 'the recorder did not finish its segment')
    })
    try {
      await Promise.race([recorder.flush(stream, { ended }), deadline])
    } catch (error) {
      this.#fault(`the end of ${stream} is not sealed`, error)
    } finally {
      late.abort()
      deadline.catch(() => undefined)
    }
  }

  /** A full disk must not keep a recording open for the one who stopped it: written later, until it succeeds. */
  async #saveClosed(entry: Entry): Promise<void> {
    try {
      await this.#save(entry)
      this.#open.delete(entry.recording.id)
    } catch (error) {
      this.#fault('a closed recording could not be saved, it will be tried again', error)
      this.#saveLater(entry).catch(() => undefined) // Only disposal ends it; the claim is then resumed as open.
    }
  }

  async #saveLater(entry: Entry): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      await clock.sleep(recordingSaveRetryMs, this.#disposed.signal)
      const saved = await this.#save(entry).then(
        () => true,
        () => false,
      )
      if (!saved) continue
      this.#open.delete(entry.recording.id)
      return
    }
  }

  #revise(entry: Entry, change: Record<string, unknown>): Promise<void> {
    entry.recording = { ...entry.recording, ...change, rev: entry.recording.rev + 1 }
    return this.#save(entry).catch((error) => this.#fault('a recording could not be saved', error))
  }

  #save(entry: Entry): Promise<void> {
    const { recording } = entry
    const write = entry.writes.catch(() => undefined).then(() => this.#options.ring.saveRecording(recording))
    entry.writes = write
    write.catch(() => undefined) // Whoever called sees it; the chain goes on.
    return write
  }

  #fault(message: string, error: unknown): void {
    this.#options.onFault(message, error)
  }
}

const hour = 3_600_000 // Timers of Node end early past 2^31 ms; and a wall clock may be set meanwhile.

async function sleepUntil(clock: Clock, wallMs: number, signal: AbortSignal): Promise<void> {
  for (let left = wallMs - clock.nowMs(); left > 0; left = wallMs - clock.nowMs()) {
    await clock.sleep(Math.min(left, hour), signal)
  }
}
