import { batchBuffersKept, batchBytes } from '../../shared/limits.ts'

const kept: Buffer[] = []

/**
 * A buffer of `batchBytes` for one direction of a transfer. New ones for each object would cost more in page
 * faults and garbage collection than the copying itself.
 */
export function takeBatchBuffer(): Buffer {
  return kept.pop() ?? Buffer.allocUnsafeSlow(batchBytes)
}

/** Only when no read and no write of it is under way any more. */
export function giveBatchBuffer(buffer: Buffer): void {
  if (kept.length < batchBuffersKept) kept.push(buffer)
}
