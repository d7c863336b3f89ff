import { slabBytes, slabBytesMin, slabMessages } from '../../shared/limits.ts'

/** A piece of the log. Bytes below `used` never change again, so a socket may hold views of them for as long as it likes. */
export type Slab = { readonly bytes: Buffer; used: number; next: Slab | undefined; view: View | undefined }

type View = { from: number; to: number; chunks: readonly Buffer[] }

/** A reader's place. Holding one keeps the slabs behind it alive; nothing else does. */
export type Cursor = { slab: Slab; offset: number; position: number }

/**
 * What is sent to all viewers of a stream, written once.
 *
 * A list of slabs, linked forwards only: what no cursor can reach any more is the garbage collector's. Never a
 * circular buffer: Node keeps pointers to unsent bytes. A message lies in one slab, so any slab's end is a message's.
 */
export class SlabLog {
  readonly #slabBytes: number
  readonly #leastBytes: number
  #slab: Slab
  #position = 0

  constructor(size = slabBytes) {
    this.#slabBytes = size
    this.#leastBytes = Math.min(size, slabBytesMin)
    this.#slab = newSlab(this.#leastBytes)
  }

  /** Bytes ever written. */
  get position(): number {
    return this.#position
  }

  end(): Cursor {
    return { slab: this.#slab, offset: this.#slab.used, position: this.#position }
  }

  /** Room for one message, which the caller fills before anyone is flushed. */
  reserve(sizeBytes: number): Buffer {
    if (this.#slab.bytes.length - this.#slab.used < sizeBytes) {
      const next = newSlab(
        Math.max(Math.min(slabMessages * sizeBytes, this.#slabBytes), this.#leastBytes, sizeBytes),
      )
      this.#slab.next = next
      this.#slab = next
    }
    const start = this.#slab.used
    this.#slab.used += sizeBytes
    this.#position += sizeBytes
    return this.#slab.bytes.subarray(start, start + sizeBytes)
  }
}

/** Views of everything from the cursor on, whole slabs, at most `sizeMax` bytes unless the first slab alone is more. */
export function take(cursor: Cursor, sizeMax: number): readonly Buffer[] {
  if (!cursor.slab.next) return takeRest(cursor)
  const chunks: Buffer[] = []
  let taken = 0
  for (;;) {
    const { slab, offset } = cursor
    const size = slab.used - offset
    if (taken > 0 && taken + size > sizeMax) return chunks
    if (size > 0) chunks.push(slab.bytes.subarray(offset, slab.used))
    taken += size
    cursor.offset = slab.used
    cursor.position += size
    if (!slab.next) return chunks
    cursor.slab = slab.next
    cursor.offset = 0
  }
}

// Nearly all readers stand at the same place: they share the view as well.
function takeRest(cursor: Cursor): readonly Buffer[] {
  const { slab, offset: from } = cursor
  const to = slab.used
  if (slab.view?.from !== from || slab.view.to !== to) {
    slab.view = { from, to, chunks: to > from ? [slab.bytes.subarray(from, to)] : [] }
  }
  cursor.offset = to
  cursor.position += to - from
  return slab.view.chunks
}

function newSlab(size: number): Slab {
  return { bytes: Buffer.allocUnsafeSlow(size), used: 0, next: undefined, view: undefined }
}
