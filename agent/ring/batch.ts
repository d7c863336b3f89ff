import { ringUnitCostBytes } from '../../shared/limits.ts'
import { adtsHeader } from '../../shared/media/aac.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { unitFlag } from '../../shared/media/index-record.ts'
import { Arena } from './arena.ts'
import type { Slot, ToWorker } from './messages.ts'

/**
 * The units of a few milliseconds on their way to the worker: copied once into shared memory, framed as they
 * will lie in the file (4-byte start codes, ADTS headers), many units for one message.
 */
export class Batch {
  readonly #arena = new Arena()
  #columns: number[] = []
  #cost = 0

  get empty(): boolean {
    return this.#columns.length === 0
  }

  /** What the unit will weigh in the queue. */
  static costOf(unit: AccessUnit): number {
    return unit.sizeBytes + ringUnitCostBytes
  }

  /** `header` goes before the bytes of an audio frame. Returns the size in the file. */
  add(
    slot: Slot,
    unit: AccessUnit,
    header: Uint8Array | undefined,
    duplicate: boolean,
    arrivalUs: number,
  ): number {
    const size = unit.sizeBytes + (header?.length ?? 0)
    const { chunk, into } = this.#arena.reserve(size)
    if (unit.track === 'video') copyVideo(unit, into)
    else copyAudio(unit, header, into)
    const track = unit.track === 'video' ? 0 : 1
    const { dtsMs, ptsMs } = unit
    this.#columns.push(
      slot,
      track,
      flagsOf(unit, duplicate),
      dtsMs,
      ptsMs,
      arrivalUs,
      chunk,
      into.byteOffset,
      size,
    )
    this.#cost += Batch.costOf(unit)
    return size
  }

  /** The message and what is to be transferred with it; the batch is empty again. */
  take(): { message: Extract<ToWorker, { type: 'batch' }>; transfer: ArrayBuffer[] } {
    const units = Float64Array.from(this.#columns)
    const message = { type: 'batch', chunks: this.#arena.send(), units, cost: this.#cost } as const
    this.#columns = []
    this.#cost = 0
    return { message, transfer: [units.buffer] }
  }

  /** The worker is done with the oldest message that was taken: its memory may be written again. */
  written(): void {
    this.#arena.release()
  }
}

function copyVideo(unit: AccessUnit, into: Uint8Array): void {
  let at = 0
  for (const nal of unit.nalUnits) {
    into[at] = 0
    into[at + 1] = 0
    into[at + 2] = 0
    into[at + 3] = 1
    into.set(nal, at + 4)
    at += 4 + nal.length
  }
}

function copyAudio(unit: AccessUnit, header: Uint8Array | undefined, into: Uint8Array): void {
  if (header) into.set(header)
  let at = header?.length ?? 0
  for (const part of unit.nalUnits) {
    into.set(part, at)
    at += part.length
  }
}

function flagsOf(unit: AccessUnit, duplicate: boolean): number {
  return (
    (unit.randomAccess ? unitFlag.randomAccess : 0) |
    (unit.idr ? unitFlag.idr : 0) |
    (duplicate ? unitFlag.duplicate : 0) |
    (unit.damaged ? unitFlag.damaged : 0)
  )
}

/** What stands before a raw frame in the file; undefined when this frame cannot be written. */
export function audioFraming(unit: AccessUnit): Uint8Array | undefined {
  if (unit.config.codec !== 'aac') return new Uint8Array()
  try {
    return adtsHeader(unit.config as AudioConfig, unit.sizeBytes)
  } catch {
    return undefined
  }
}
