import { type Manifest, manifest } from '../../shared/contract/segment.ts'
import { indexBytesMax, jsonBodyBytesMax, ringReadBytesMax } from '../../shared/limits.ts'
import { type ParsedIndex, parseIndex } from '../../shared/media/index.ts'
import type { Ring, SegmentKey } from '../ring/types.ts'

/** Files of a sealed segment. `NotFound` when it has been recycled meanwhile. */
type Reader = Pick<Ring, 'read'>

export async function readIndex(ring: Reader, key: SegmentKey): Promise<ParsedIndex> {
  return parseIndex(await readRange(ring, key, 'idx', 0, indexBytesMax), { tolerateTail: true })
}

export async function readManifest(ring: Reader, key: SegmentKey): Promise<Manifest> {
  const text = await readRange(ring, key, 'json', 0, jsonBodyBytesMax)
  return manifest.parse(JSON.parse(Buffer.from(text).toString()))
}

/** Up to `length` bytes, in reads that the disk's thread answers between two writes. */
export async function readRange(
  ring: Reader,
  key: SegmentKey,
  ext: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (let done = 0; done < length; ) {
    const wanted = Math.min(length - done, ringReadBytesMax)
    const piece = await ring.read(key, ext, offset + done, wanted)
    pieces.push(piece)
    done += piece.length
    if (piece.length < wanted) break
  }
  return Buffer.concat(pieces)
}
