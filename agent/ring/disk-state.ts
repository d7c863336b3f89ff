import { ringAlarmMs, ringProbeMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Emit } from './messages.ts'
import type { Layout } from './names.ts'
import type { Quota } from './quota.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import type { WriteFailure } from './types.ts'
import { unlinkIfThere } from './write-durably.ts'

type Cause = WriteFailure['cause']

const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

export function causeOf(error: unknown): Cause {
  return fullCodes.has(errorCode(error) ?? '') ? 'disk-full' : 'disk-error'
}

/** Whether the disk takes anything now, and what is told about it. Asks a disk that refused again every second. */
export class DiskState {
  blocked: Cause | undefined
  readonly #fs: RingFs
  readonly #layout: Layout
  readonly #quota: Quota
  readonly #clock: Clock
  readonly #emit: Emit
  #words: string | undefined
  #alarm: string | undefined
  #overwrittenAtMs = Number.NEGATIVE_INFINITY
  #checkedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: { fs: RingFs; layout: Layout; quota: Quota; clock: Clock; emit: Emit }) {
    this.#fs = options.fs
    this.#layout = options.layout
    this.#quota = options.quota
    this.#clock = options.clock
    this.#emit = options.emit
  }

  block(cause: Cause, words: string): void {
    this.#words = words
    this.#checkedAtMs = this.#clock.monotonicMs()
    if (this.blocked !== cause) this.#emit({ type: 'blocked', cause })
    this.blocked = cause
    this.#tell()
  }

  blockFor(error: unknown): Cause {
    const cause = causeOf(error)
    this.block(cause, this.#wordsOf(error, cause))
    return cause
  }

  /** True once a second. */
  tick(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#checkedAtMs < ringProbeMs) return false
    this.#checkedAtMs = nowMs
    this.#check()
    this.#tell()
    return true
  }

  #check(): void {
    try {
      // Once it was full it must have room for a while, or recording would begin and end every second.
      const room = this.blocked ? this.#quota.margin : 0
      const shortage = this.#quota.makeSpace() ?? this.#quota.makeRoom(room)
      if (shortage) this.block('disk-full', shortage.words)
      else if (this.blocked) this.#probe()
    } catch (error) {
      this.blockFor(error)
    }
  }

  #probe(): void {
    unlinkIfThere(this.#fs, this.#layout.probe)
    const fd = this.#fs.open(this.#layout.probe, 'create')
    try {
      this.#fs.write(fd, [new Uint8Array(4096)], 0)
      this.#fs.sync(fd)
    } finally {
      this.#fs.close(fd)
      unlinkIfThere(this.#fs, this.#layout.probe)
    }
    this.blocked = undefined
    this.#words = undefined
    this.#emit({ type: 'blocked', cause: undefined })
  }

  #tell(): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#quota.overwritten > 0) this.#overwrittenAtMs = nowMs
    this.#quota.overwritten = 0
    const overwriting = nowMs - this.#overwrittenAtMs < ringAlarmMs
    const alarm =
      this.#words ??
      (overwriting ? 'the ring is full: recordings that are not uploaded are overwritten' : undefined)
    if (alarm === this.#alarm) return
    this.#alarm = alarm
    this.#emit({ type: 'alarm', alarm })
  }

  #wordsOf(error: unknown, cause: Cause): string {
    const code = errorCode(error)
    if (cause === 'disk-full') return this.#outOfInodes() ? 'disk full: inodes' : 'disk full'
    if (code === 'EROFS') return 'the disk is read-only'
    return `the disk failed: ${code ?? (error instanceof Error ? error.message : 'unknown error')}`
  }

  #outOfInodes(): boolean {
    try {
      return this.#fs.space(this.#layout.ring).freeInodes === 0
    } catch {
      return false
    }
  }
}
