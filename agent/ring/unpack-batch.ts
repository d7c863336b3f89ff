import { type Slot, type ToWorker, unitColumns } from './messages.ts'
import type { RawUnit } from './segment-file.ts'

/** The units of a message, by segment, in their order. */
export function unitsOfBatch(batch: Extract<ToWorker, { type: 'batch' }>): Map<Slot, RawUnit[]> {
  const bySlot = new Map<Slot, RawUnit[]>()
  const { units, chunks } = batch
  for (let at = 0; at < units.length; at += unitColumns) {
    const [slot = 0, track, flags = 0, dtsMs = 0, ptsMs = 0, arrivalUs = 0, chunk = 0, offset = 0, size = 0] =
      units.subarray(at, at + unitColumns)
    const bytes = new Uint8Array(chunks[chunk] ?? new SharedArrayBuffer(0), offset, size)
    const unit: RawUnit = { track: track === 0 ? 'video' : 'audio', flags, bytes, dtsMs, ptsMs, arrivalUs }
    const own = bySlot.get(slot)
    if (own) own.push(unit)
    else bySlot.set(slot, [unit])
  }
  return bySlot
}
