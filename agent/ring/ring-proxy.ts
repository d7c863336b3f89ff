import type { Recording } from '../../shared/contract/recording.ts'
import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import { ringBatchMs, ringQueueBytesMax } from '../../shared/limits.ts'
import type { AccessUnit, CodecConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { audioFraming, Batch } from './batch.ts'
import { Listeners } from './listeners.ts'
import type { FromWorker, Slot, ToWorker } from './messages.ts'
import { mediaExt } from './names.ts'
import { headerOf, RingSegmentWriter, type WriterPort } from './segment-writer.ts'
import type { Call, CallName, StorageCalls } from './storage-calls.ts'
import type {
  AppendResult,
  NewSegment,
  PendingUploads,
  Recovery,
  Ring,
  RingStats,
  SegmentKey,
  SegmentRow,
  SegmentWriter,
  UnfinishedClaim,
  WriteFailure,
} from './types.ts'

type Range = { stream: string; from?: number; to?: number }

const distantPast = -8.64e15
const distantFuture = 8.64e15

/** One per ring; `post` and `receive` are its only connection to the worker. */
export class RingProxy implements Ring {
  blocked: WriteFailure['cause'] | undefined
  recovery: Recovery = { sealed: 0, adopted: 0, quarantined: [], lost: [] }
  readonly #agent: string
  readonly #clock: Clock
  readonly #post: (message: ToWorker, transfer?: ArrayBuffer[]) => void
  readonly #exited: Promise<void>
  readonly #batch = new Batch()
  #flushedMs = Number.NEGATIVE_INFINITY
  readonly #writers = new Map<Slot, RingSegmentWriter>()
  readonly #sealing = new Map<Slot, PromiseWithResolvers<Manifest | undefined>>()
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #epochs = new Map<string, number>()
  readonly #tails = new Map<string, number>()
  readonly #always = new Set<string>()
  readonly #sealed = new Listeners<[Manifest]>()
  readonly #lost = new Listeners<[string, Gap]>()
  readonly #alarms = new Listeners<[string | undefined]>()
  #stats: Omit<RingStats, 'queueBytes' | 'alarm'>
  #alarm: string | undefined
  #queueBytes = 0
  #nextSlot = 1
  #nextCall = 1
  #failed: Error | undefined

  constructor(options: {
    agent: string
    quotaBytes: number
    clock: Clock
    post: (message: ToWorker, transfer?: ArrayBuffer[]) => void
    exited: Promise<void>
  }) {
    this.#agent = options.agent
    this.#clock = options.clock
    this.#post = options.post
    this.#exited = options.exited
    this.#stats = { usedBytes: 0, quotaBytes: options.quotaBytes, freeBytes: 0, segments: 0 }
  }

  get hasRoom(): boolean {
    return this.#queueBytes < ringQueueBytesMax / 2
  }

  records(config: CodecConfig): boolean {
    return mediaExt(config.codec) !== undefined
  }

  newEpoch(stream: string, nowMs: number): number {
    const epoch = Math.max(this.lastEpoch(stream) + 1, nowMs)
    this.#epochs.set(stream, epoch)
    return epoch
  }

  lastEpoch(stream: string): number {
    return this.#epochs.get(stream) ?? 0
  }

  takeCrashTail(stream: string): number | undefined {
    const tail = this.#tails.get(stream)
    this.#tails.delete(stream)
    return tail
  }

  open(segment: NewSegment): SegmentWriter {
    const slot = this.#nextSlot
    this.#nextSlot += 1
    const opened = headerOf(segment, this.#agent, this.#clock.nowMs())
    const header = this.#always.has(segment.stream) ? { ...opened, kept: 'always' as const } : opened
    this.#send({ type: 'open', slot, header, gaps: segment.gaps ?? [] })
    const writer = new RingSegmentWriter(segment, this.#portOf(slot))
    this.#writers.set(slot, writer)
    return writer
  }

  async segments({ stream, from = distantPast, to = distantFuture }: Range): Promise<SegmentRow[]> {
    return await this.#call('segments', stream, from, to)
  }

  async gaps({ stream, from = distantPast, to = distantFuture }: Range): Promise<Gap[]> {
    return await this.#call('gaps', stream, from, to)
  }

  addGap(stream: string, gap: Gap): void {
    this.#call('addGap', stream, gap).catch(() => {}) // The next manifest of the stream holds it too.
  }

  async saveRecording(recording: Recording): Promise<void> {
    await this.#call('saveRecording', recording)
  }

  async recordings(): Promise<Recording[]> {
    return await this.#call('recordings')
  }

  async recording(id: string): Promise<Recording | undefined> {
    return await this.#call('recording', id)
  }

  async configure(limits: { quotaBytes: number; whenFull: 'overwrite' | 'stop' }): Promise<void> {
    await this.#call('configure', limits)
  }

  async unfinishedClaims(limit: number): Promise<UnfinishedClaim[]> {
    return await this.#call('unfinishedClaims', limit)
  }

  async pendingUploads({ limit }: { limit: number }): Promise<PendingUploads> {
    return await this.#call('pendingUploads', limit)
  }

  async lastUploaded({ sinceMs, limit }: { sinceMs: number; limit: number }): Promise<SegmentToUpload[]> {
    return await this.#call('lastUploaded', sinceMs, limit)
  }

  async read(key: SegmentKey, ext: string, offset: number, length: number): Promise<Uint8Array> {
    const { stream, epoch, seq } = key
    return await this.#call('read', { stream, epoch, seq }, ext, offset, length)
  }

  async repair({ stream, epoch, seq }: SegmentKey): Promise<boolean> {
    return await this.#call('repair', { stream, epoch, seq })
  }

  async readRecording(id: string): Promise<Uint8Array> {
    return await this.#call('readRecording', id)
  }

  async markUploaded(done: {
    segments?: SegmentKey[]
    recordings?: { id: string; rev: number }[]
  }): Promise<void> {
    const segments = (done.segments ?? []).map(({ stream, epoch, seq }) => ({ stream, epoch, seq }))
    await this.#call('markUploaded', segments, done.recordings ?? [])
  }

  setStreamPolicy(stream: string, { upload }: { upload: 'recordings' | 'always' | 'never' }): void {
    if (upload === 'always') this.#always.add(stream)
    else this.#always.delete(stream)
    this.#call('setPolicy', stream, upload).catch(() => {}) // Cannot fail but with the ring itself.
  }

  stats(): RingStats {
    const alarm = this.#alarm
    return { ...this.#stats, queueBytes: this.#queueBytes, ...(alarm !== undefined && { alarm }) }
  }

  onSealed(listener: (manifest: Manifest) => void) {
    return this.#sealed.add(listener)
  }

  onLost(listener: (stream: string, gap: Gap) => void) {
    return this.#lost.add(listener)
  }

  onAlarm(listener: (alarm: string | undefined) => void) {
    return this.#alarms.add(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#failed) this.#send({ type: 'close' })
    await this.#exited
    this.fail(new AppError('Unavailable', 'the ring is closed'))
  }

  receive(message: FromWorker): void {
    const { type } = message
    if (type === 'ready') {
      for (const [stream, epoch] of message.epochs) this.#epochs.set(stream, epoch)
      for (const [stream, tail] of message.tails) this.#tails.set(stream, tail)
      this.recovery = message.recovery
    } else if (type === 'wrote') this.#wrote(message.cost)
    else if (type === 'failed') this.#setFailure(message.slot, message.failure)
    else if (type === 'sealed') this.#settle(message.slot, message.manifest)
    else if (type === 'blocked') this.blocked = message.cause
    else if (type === 'lost') this.#lost.call(message.stream, message.gap)
    else if (type === 'stats') this.#stats = message.stats
    else if (type === 'answer') this.#answer(message)
    else if (type === 'alarm') {
      this.#alarm = message.alarm
      this.#alarms.call(message.alarm)
    }
  }

  /** Nothing will be answered any more. */
  fail(error: Error): void {
    this.#failed ??= error
    this.blocked = 'disk-error'
    for (const waiting of [...this.#calls.values(), ...this.#sealing.values()]) waiting.reject(error)
    this.#calls.clear()
    this.#sealing.clear()
  }

  #portOf(slot: Slot): WriterPort {
    return {
      append: (unit, duplicate) => this.#append(slot, unit, duplicate),
      gap: (gap) => this.#send({ type: 'gap', slot, gap }),
      addAudio: (audio) => this.#send({ type: 'audio', slot, audio }),
      arrivalUs: (arrivalMs) => this.#arrivalUs(arrivalMs),
      seal: (end) => {
        const waiting = Promise.withResolvers<Manifest | undefined>()
        waiting.promise.catch(() => {}) // Whoever wants to know awaits it; when the ring dies, `onFatal` tells.
        this.#sealing.set(slot, waiting)
        this.#send({ type: 'seal', slot, end })
        return waiting.promise
      },
    }
  }

  #append(slot: Slot, unit: AccessUnit, duplicate: boolean): { result: AppendResult; bytes: number } {
    const cost = Batch.costOf(unit)
    if (this.blocked || this.#queueBytes + cost > ringQueueBytesMax) return { result: 'busy', bytes: 0 }
    const header = unit.track === 'audio' ? audioFraming(unit) : undefined
    if (unit.track === 'audio' && !header) return { result: 'unfit', bytes: 0 }
    if (this.#batch.empty) this.#flushSoon()
    this.#queueBytes += cost
    const bytes = this.#batch.add(slot, unit, header, duplicate, this.#arrivalUs(unit.arrivalMs))
    return { result: 'taken', bytes }
  }

  #arrivalUs(arrivalMs: number): number {
    return Math.round((arrivalMs - this.#clock.monotonicMs() + this.#clock.nowMs()) * 1000)
  }

  /** At the end of this turn; when the last batch has only just gone, a few milliseconds after it. */
  #flushSoon(): void {
    const waitMs = this.#flushedMs + ringBatchMs - this.#clock.monotonicMs()
    if (waitMs > 0) setTimeout(() => this.#flush(), waitMs)
    else setImmediate(() => this.#flush())
  }

  #flush(): void {
    if (this.#batch.empty) return
    this.#flushedMs = this.#clock.monotonicMs()
    const { message, transfer } = this.#batch.take()
    if (!this.#failed) this.#post(message, transfer)
  }

  /** In order: what was appended before goes first. */
  #send(message: ToWorker): void {
    this.#flush()
    if (!this.#failed) this.#post(message)
  }

  async #call<Name extends CallName>(
    method: Name,
    ...args: Parameters<StorageCalls[Name]>
  ): Promise<ReturnType<StorageCalls[Name]>> {
    if (this.#failed) throw this.#failed
    const id = this.#nextCall
    this.#nextCall += 1
    const waiting = Promise.withResolvers<unknown>()
    this.#calls.set(id, waiting)
    this.#send({ type: 'call', id, method, args } as { type: 'call'; id: number } & Call)
    return (await waiting.promise) as ReturnType<StorageCalls[Name]>
  }

  #wrote(cost: number): void {
    this.#queueBytes -= cost
    this.#batch.written()
  }

  #answer({ id, value, error }: Extract<FromWorker, { type: 'answer' }>): void {
    const waiting = this.#calls.get(id)
    this.#calls.delete(id)
    if (!error) waiting?.resolve(value)
    else
      waiting?.reject(new AppError(error.kind, error.message, error.zh === undefined ? {} : { zh: error.zh }))
  }

  #setFailure(slot: Slot, failure: WriteFailure): void {
    const writer = this.#writers.get(slot)
    if (writer) writer.failure = failure
  }

  #settle(slot: Slot | undefined, manifest: Manifest | undefined): void {
    if (slot !== undefined) {
      this.#writers.delete(slot)
      this.#sealing.get(slot)?.resolve(manifest)
      this.#sealing.delete(slot)
    }
    if (manifest) this.#sealed.call(manifest)
  }
}
