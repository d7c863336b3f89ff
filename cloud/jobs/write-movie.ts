import type { MovieTrack } from '../../shared/media/mp4/movie.ts'
import { type MovieRead, toMovieBytes } from '../../shared/media/mp4/reads.ts'
import type { ObjectStore } from '../ports.ts'
import type { RangeReader } from './range-reader.ts'

/** One track's samples, and the reader of each of their sources. */
type Source = { tracks: readonly MovieTrack[]; readerOf(source: number, track: number): RangeReader }

/** The bytes of the media in file order; `check` compares each unit with its CRC on the way. */
export async function* mediaBytes(
  from: Source,
  reads: Iterable<MovieRead>,
  options: { check: boolean; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  for (const read of reads) {
    options.signal.throwIfAborted()
    const table = from.tracks[read.track]?.samples
    if (!table) continue
    const bytes = await from.readerOf(read.source, read.track).read(read.offset, read.sizeBytes)
    yield toMovieBytes(table, read, bytes, { check: options.check })
  }
}

/**
 * Stores what is the same each time it is made: when an object of this size is there, an earlier try was
 * killed after it, and nothing is written again.
 */
export async function putOnce(
  store: ObjectStore,
  key: string,
  object: { body: () => AsyncIterable<Uint8Array>; sizeBytes: number; contentType: string },
): Promise<{ sizeBytes: number; sha256: string }> {
  const { sizeBytes, contentType } = object
  const before = await store.head(key)
  if (before?.sizeBytes !== sizeBytes) await store.put(key, object.body(), { sizeBytes, contentType })
  const head = await store.head(key)
  return { sizeBytes, sha256: head?.sha256 ?? '' }
}
