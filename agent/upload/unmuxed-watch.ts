import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import { unmuxedAskMs, unmuxedWatchMax, uploadBatchMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CloudApi } from './cloud-api.ts'
import { refName } from './source.ts'

/**
 * Segments that the store has confirmed and that are no MP4 yet. To ask for their status is what queues
 * one again whose notification was lost: there is no sweeper in the cloud.
 */
export class UnmuxedWatch {
  readonly #clock: Clock
  readonly #onQuarantined: (error: AppError) => void
  readonly #waiting = new Map<string, { segment: SegmentToUpload; askAtMs: number }>()

  constructor(clock: Clock, onQuarantined: (error: AppError) => void) {
    this.#clock = clock
    this.#onQuarantined = onQuarantined
  }

  add(segment: SegmentToUpload): void {
    if (this.#waiting.size >= unmuxedWatchMax) return
    this.#waiting.set(refName(segment), { segment, askAtMs: this.#clock.monotonicMs() + unmuxedAskMs })
  }

  async ask(api: CloudApi, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    const due = [...this.#waiting.values()].filter((item) => item.askAtMs <= nowMs).slice(0, uploadBatchMax)
    if (due.length === 0) return
    const answers = await api.status(
      due.map((item) => item.segment),
      signal,
    )
    for (const [i, item] of due.entries()) {
      const status = answers[i]?.status
      item.askAtMs = nowMs + unmuxedAskMs
      if (status === 'stored') continue
      const name = refName(item.segment)
      this.#waiting.delete(name)
      if (status === 'muxed') continue
      const words =
        status === 'quarantined' ? 'could not be read by the cloud.' : 'is no longer in the cloud.'
      const zh = status === 'quarantined' ? '云端无法读取。' : '已不在云端。'
      this.#onQuarantined(new AppError('DataLoss', `Segment ${name} ${words}`, { zh: `片段 ${name} ${zh}` }))
    }
  }
}
