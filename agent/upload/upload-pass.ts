import type { SegmentToUpload, UploadStatus } from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import { uploadAbortsMax, uploadBatchMax, uploadRefusalsMax } from '../../shared/limits.ts'
import type { UploadWindow } from './backoff.ts'
import type { SegmentStatus, SegmentTargets } from './cloud-api.ts'
import { replyOf } from './exchange.ts'
import { type Known, putSegment, type SegmentOutcome, type SegmentUpload } from './put-segment.ts'
import { type PendingSegment, refName, type UploadSource } from './source.ts'

export type PassOptions = SegmentUpload & {
  source: UploadSource
  window: UploadWindow
  /** False outside of the hours in which pictures may go up: asked before each segment. */
  mayUpload: () => boolean
  /** Not tried again before the next start: its bytes stay on the disk. */
  onSetAside: (error: AppError) => void
  /** Confirmed, but not an MP4 yet. */
  onStored: (segment: SegmentToUpload) => void
}

type Round = { sent: PendingSegment[]; errors: AppError[]; confirmed: number; broken: boolean }

/** Uploads segments in batches: addresses, files, manifest, then the store's own checksums (DESIGN.md, Upload). */
export class UploadPass {
  readonly #options: PassOptions
  readonly #aside = new Set<string>()
  readonly #refusals = new Map<string, number>()
  readonly #repaired = new Set<string>()
  /** Attempts in a row that ended without an answer. */
  #aborts = 0
  /** At the start and after a failure, what is pending may be in the store already: ask before sending. */
  #mayBeStored = true

  constructor(options: PassOptions) {
    this.#options = options
  }

  /** How many more than a batch to ask the ring for, since so many of the oldest are set aside. */
  get asideCount(): number {
    return this.#aside.size
  }

  /** One batch of the oldest. Answers how many were confirmed; throws what the link or the cloud refused. */
  async run(pending: PendingSegment[], signal: AbortSignal): Promise<number> {
    const batch = pending.filter((segment) => !this.#aside.has(refName(segment))).slice(0, uploadBatchMax)
    if (batch.length === 0) {
      this.#mayBeStored = false
      return 0
    }
    const asksFirst = this.#mayBeStored || batch.some(({ again }) => again)
    const known = asksFirst ? await this.#options.api.status(batch.map(asQuestion), signal) : []
    let confirmed = await this.#settleAll(batch, known)
    const wanted = batch
      .map((segment, i) => ({
        segment,
        stored: new Set(known[i]?.stored),
        status: known[i]?.status ?? 'missing',
      }))
      .filter((item) => item.status === 'missing')
    if (wanted.length === 0 || !this.#options.mayUpload()) return confirmed
    if (this.#aborts >= uploadAbortsMax) wanted.sort((a, b) => a.segment.sizeBytes - b.segment.sizeBytes)

    const round = await this.#sendAll(wanted, signal)
    confirmed += round.confirmed
    if (round.sent.length > 0) {
      const answers = await this.#options.api.status(round.sent.map(asQuestion), signal)
      confirmed += await this.#settleAll(round.sent, answers)
    }
    const [error] = round.errors
    if (!error) return confirmed
    this.#mayBeStored = true
    throw error
  }

  /** As many at once as the window allows. A failure of the link ends the round after those on their way. */
  async #sendAll(
    wanted: { segment: PendingSegment; stored: Known['stored'] }[],
    signal: AbortSignal,
  ): Promise<Round> {
    const segments = wanted.map((item) => asQuestion(item.segment))
    const targets = await this.#options.api.targets(segments, signal)
    const round: Round = { sent: [], errors: [], confirmed: 0, broken: false }
    const queue = wanted.map((item, i) => ({ ...item, targets: targets[i] as SegmentTargets }))
    const worker = async () => {
      while (!round.broken && !signal.aborted && this.#options.mayUpload()) {
        const item = queue.shift()
        if (!item) return
        await this.#sendOne(item.segment, item, round, signal)
      }
    }
    await Promise.all(Array.from({ length: this.#options.window.size }, worker))
    signal.throwIfAborted()
    return round
  }

  async #sendOne(segment: PendingSegment, known: Known, round: Round, signal: AbortSignal): Promise<void> {
    try {
      const outcome = await putSegment(this.#options, asQuestion(segment), known, signal)
      this.#aborts = 0
      this.#options.window.succeeded()
      if (outcome === 'sent') round.sent.push(segment)
      else round.confirmed += await this.#settle(segment, outcome)
    } catch (cause) {
      if (signal.aborted) return
      await this.#failed(segment, AppError.from(cause), round)
    }
  }

  async #failed(segment: PendingSegment, error: AppError, round: Round): Promise<void> {
    if (error.kind === 'NotFound' && !replyOf(error)) return // Recycled meanwhile: the ring keeps the gap.
    if (error.kind === 'DataLoss' && !replyOf(error)) {
      await this.#settle(segment, 'damaged')
      return
    }
    round.errors.push(error)
    if (replyOf(error)) this.#options.window.refused()
    else this.#aborts += 1
    if (error.terminal) this.#refuse(segment, error)
    else round.broken = true
  }

  /** The same answer to the same bytes, again and again: set aside, so that others get on. */
  #refuse(segment: PendingSegment, error: AppError): void {
    const count = (this.#refusals.get(refName(segment)) ?? 0) + 1
    this.#refusals.set(refName(segment), count)
    if (count >= uploadRefusalsMax) this.#setAside(segment, error)
  }

  #setAside(segment: PendingSegment, error: AppError): void {
    this.#refusals.delete(refName(segment))
    this.#aside.add(refName(segment))
    this.#options.onSetAside(error)
  }

  async #settleAll(segments: PendingSegment[], answers: SegmentStatus[]): Promise<number> {
    let confirmed = 0
    for (const [i, answer] of answers.entries()) {
      const segment = segments[i]
      if (segment) confirmed += await this.#settle(segment, answer.status)
    }
    return confirmed
  }

  async #settle(segment: PendingSegment, outcome: SegmentOutcome | UploadStatus): Promise<number> {
    if (outcome === 'missing' || outcome === 'sent') return 0
    if (outcome === 'damaged' && !this.#repaired.has(refName(segment))) {
      // What is still whole is listed again with its new sums; the rest is a gap of cause `damaged`.
      this.#repaired.add(refName(segment))
      await this.#options.source.repair(asRef(segment))
      return 0
    }
    if (outcome !== 'stored' && outcome !== 'muxed') {
      this.#setAside(segment, asideError(segment, outcome))
      return 0
    }
    this.#repaired.delete(refName(segment))
    await this.#options.source.markUploaded({ segments: [asRef(segment)] })
    this.#refusals.delete(refName(segment))
    if (outcome === 'stored') this.#options.onStored(asQuestion(segment))
    return 1
  }
}

/** The API's own shape: the ring's rows know more than the cloud is asked. */
function asQuestion({ stream, epoch, seq, files, again }: PendingSegment): SegmentToUpload {
  return { stream, epoch, seq, files, ...(again && { again }) }
}

function asRef({ stream, epoch, seq }: PendingSegment) {
  return { stream, epoch, seq }
}

const asideTexts = {
  damaged: {
    en: 'differs on this disk from what was recorded; it was not uploaded.',
    zh: '在本机磁盘上与录制内容不符，未上传。',
  },
  quarantined: {
    en: 'could not be read by the cloud; it is kept on this disk.',
    zh: '云端无法读取，本机副本已保留。',
  },
  mismatch: {
    en: 'has the name of something else in the cloud; it is kept on this disk.',
    zh: '与云端同名文件内容不同，本机副本已保留。',
  },
}

function asideError(segment: PendingSegment, outcome: keyof typeof asideTexts): AppError {
  const name = refName(segment)
  const text = asideTexts[outcome]
  return new AppError('DataLoss', `Segment ${name} ${text.en}`, { zh: `片段 ${name} ${text.zh}` })
}
