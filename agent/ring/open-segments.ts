import type { Gap } from '../../shared/contract/segment.ts'
import type { AudioHeader, SegmentHeader } from '../../shared/contract/segment-header.ts'
import { syncEveryBytes, syncEveryMs } from '../../shared/limits.ts'
import type { IndexGap } from '../../shared/media/index-record.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { causeOf, type DiskState } from './disk-state.ts'
import type { Emit, Slot } from './messages.ts'
import type { Layout } from './names.ts'
import type { Quota } from './quota.ts'
import { gapsOf } from './recovery.ts'
import type { RingDb } from './ring-db.ts'
import type { RingFs } from './ring-fs.ts'
import { rowOf } from './row-of.ts'
import { Sealing } from './seal.ts'
import { type RawUnit, SegmentFile } from './segment-file.ts'
import type { SegmentEnd, WriteFailure } from './types.ts'

/** How often the worker looks; a sync is at most this late. */
export const tickMs = 50

type Open = {
  file: SegmentFile
  gaps: Gap[]
  wallOffsetMs: number
  failed: boolean
  /** Bytes of this segment that the quota counts. */
  counted: number
}
type Waiting = { slot: Slot; open: Open; sealing: Sealing }
type Parts = {
  fs: RingFs
  layout: Layout
  db: RingDb
  quota: Quota
  disk: DiskState
  clock: Clock
  emit: Emit
}

/** The segments that are being written, and those that wait to be sealed because the disk refused. */
export class OpenSegments {
  readonly #parts: Parts
  readonly #open = new Map<Slot, Open>()
  #sealings: Waiting[] = []

  constructor(parts: Parts) {
    this.#parts = parts
  }

  open(slot: Slot, header: SegmentHeader, gaps: readonly Gap[]): void {
    const file = new SegmentFile(this.#parts.fs, this.#parts.layout, header)
    const { wallOffsetMs } = header
    this.#open.set(slot, { file, gaps: [...gaps], wallOffsetMs, failed: false, counted: 0 })
  }

  append(slot: Slot, units: readonly RawUnit[]): void {
    const bytes = units.reduce((sum, unit) => sum + unit.bytes.length, 0)
    this.#change(slot, bytes, (file, nowMs) => file.append(units, nowMs))
  }

  gap(slot: Slot, gap: IndexGap): void {
    this.#change(slot, 0, (file, nowMs) => file.appendGap(gap, nowMs))
    const open = this.#open.get(slot)
    if (!open) return
    const wall = (ms: number) => Math.round(ms + open.wallOffsetMs)
    const units = gap.units === undefined ? {} : { units: gap.units }
    open.gaps.push({ from: wall(gap.fromMs), to: wall(gap.toMs), cause: gap.cause, ...units })
  }

  addAudio(slot: Slot, audio: AudioHeader): void {
    this.#change(slot, 0, (file) => file.addAudio(audio))
  }

  seal(slot: Slot, end: SegmentEnd): void {
    const open = this.#open.get(slot)
    if (!open) return
    this.#open.delete(slot)
    this.#sealings.push({ slot, open, sealing: new Sealing(open.file, open.gaps, end) })
    this.#runSealings()
  }

  /** With the estimate of the time at which they were opened: the process ends. */
  sealAll(): void {
    for (const [slot, { file }] of this.#open) {
      const { wallOffsetMs, wallBoundMs } = file.header
      this.seal(slot, { reason: 'shutdown', wallOffsetMs, wallBoundMs })
    }
  }

  /** Syncs what is due. */
  sync(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const [slot, open] of this.#open) {
      const { dirtySinceMs, dirtyBytes } = open.file
      if (dirtySinceMs === undefined) continue
      const due = dirtyBytes >= syncEveryBytes || nowMs - dirtySinceMs >= syncEveryMs - tickMs
      if (due) this.#sync(slot, open)
    }
  }

  retrySealings(): void {
    if (this.#sealings.length > 0) this.#runSealings()
  }

  #change(slot: Slot, bytes: number, change: (file: SegmentFile, nowMs: number) => void): void {
    const open = this.#open.get(slot)
    if (!open || open.failed) return
    const cause = this.#try(open, bytes, change)
    if (cause) this.#fail(slot, open, cause)
    this.#count(open)
  }

  /** One second try after something was deleted: a full disk costs no picture while the policy can free space. */
  #try(
    open: Open,
    bytes: number,
    change: (file: SegmentFile, nowMs: number) => void,
  ): WriteFailure['cause'] | undefined {
    const { disk, quota, clock } = this.#parts
    if (disk.blocked) return disk.blocked
    for (let tries = 1; ; tries += 1) {
      try {
        const shortage = quota.makeRoom(bytes)
        if (!shortage) {
          change(open.file, clock.monotonicMs())
          return undefined
        }
        disk.block('disk-full', shortage.words)
        return 'disk-full'
      } catch (error) {
        if (!cutBack(open.file) || !isFull(error) || tries > 1 || !tryRecycle(quota))
          return disk.blockFor(error)
      }
    }
  }

  #sync(slot: Slot, open: Open): void {
    try {
      open.file.sync()
    } catch (error) {
      // Pages that failed to reach the disk are marked clean: only what was synced before is known to be there.
      ignoreErrors(() => open.file.cutBackToSynced())
      this.#fail(slot, open, this.#parts.disk.blockFor(error))
      this.#count(open)
    }
  }

  #fail(slot: Slot, open: Open, cause: WriteFailure['cause']): void {
    const { units: written, toMs } = open.file.summary
    open.failed = true
    const keptToMs = written > 0 ? toMs : undefined
    this.#parts.emit({ type: 'failed', slot, failure: { cause, written, keptToMs } })
  }

  #runSealings(): void {
    const waiting: Waiting[] = []
    for (const item of this.#sealings) {
      try {
        this.#seal(item)
      } catch (error) {
        this.#parts.disk.blockFor(error)
        waiting.push(item)
      }
    }
    this.#sealings = waiting
  }

  #seal({ slot, open, sealing }: Waiting): void {
    const { fs, layout, db, quota, emit } = this.#parts
    const { stream } = sealing.file.header
    const sealed = sealing.run(fs, layout)
    db.transaction(() => {
      if (sealed) db.putSegment(rowOf(sealed.manifest, sealed.files))
      for (const gap of sealed ? gapsOf(sealed.manifest) : sealing.gaps) db.putGap(stream, gap)
    })
    quota.usedBytes -= open.counted
    if (sealed) {
      quota.usedBytes += rowOf(sealed.manifest, sealed.files).sizeBytes
      quota.segments += 1
    }
    emit({ type: 'sealed', slot, manifest: sealed?.manifest })
  }

  #count(open: Open): void {
    this.#parts.quota.usedBytes += open.file.sizeBytes - open.counted
    open.counted = open.file.sizeBytes
  }
}

function isFull(error: unknown): boolean {
  return causeOf(error) === 'disk-full'
}

/** Whether the file holds whole units only again. */
function cutBack(file: SegmentFile): boolean {
  return ignoreErrors(() => file.cutBack())
}

function tryRecycle(quota: Quota): boolean {
  let freed = false
  return (
    ignoreErrors(() => {
      freed = quota.recycleOne()
    }) && freed
  )
}

/** On a disk that already failed: recovery cuts what cannot be cut now. */
function ignoreErrors(work: () => void): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
