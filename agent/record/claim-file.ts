import type { Recording } from '../../shared/contract/recording.ts'
import { recordingSaveRetryMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'

/** One recording and its file: revisions are written one after the other, each whole. */
export class ClaimFile {
  recording: Recording
  readonly #write: (recording: Recording) => Promise<void>
  #writes: Promise<unknown> = Promise.resolve()

  constructor(recording: Recording, write: (recording: Recording) => Promise<void>) {
    this.recording = recording
    this.#write = write
  }

  /** Durable when it resolves. */
  save(): Promise<void> {
    const { recording } = this
    const write = this.#writes.catch(() => undefined).then(() => this.#write(recording))
    this.#writes = write
    write.catch(() => undefined) // Whoever called sees it; the next revision is written all the same.
    return write
  }

  revise(change: Partial<Recording>): Promise<void> {
    this.recording = { ...this.recording, ...change, rev: this.recording.rev + 1 }
    return this.save()
  }

  /** After what is being written. */
  async written(): Promise<Recording> {
    await this.#writes
    return this.recording
  }

  /** Writes it again until the disk takes it. Rejects only when aborted. */
  async saveAtLast(clock: Clock, signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep(recordingSaveRetryMs, signal)
      const saved = await this.save().then(
        () => true,
        () => false,
      )
      if (saved) return
    }
  }
}
