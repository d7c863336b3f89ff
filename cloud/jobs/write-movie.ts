import type { MovieTrack } from '../../shared/media/mp4/movie.ts'
import { type MovieRead, toMovieBytes } from '../../shared/media/mp4/reads.ts'
import { framingBytes, type SampleTable } from '../../shared/media/mp4/sample-table.ts'
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
    const reader = from.readerOf(read.source, read.track)
    for (let rest: MovieRead | undefined = read; rest; ) {
      const piece = pieceOf(table, rest, reader.availableAt(rest.offset))
      const bytes = await reader.read(piece.offset, piece.sizeBytes)
      yield toMovieBytes(table, piece, bytes, { check: options.check })
      rest = restOf(rest, piece)
    }
  }
}

/**
 * The first samples of a read that lie whole in what the reader holds, at least one: these are changed in
 * place and written from there. Only a sample over the border of two chunks is copied.
 */
function pieceOf(table: SampleTable, read: MovieRead, availableBytes: number): MovieRead {
  if (read.sizeBytes <= availableBytes) return read
  const framing = framingBytes(read.framing)
  let samples = 0
  let sizeBytes = 0
  while (samples < read.samples) {
    const next = table.sizeBytes(read.firstSample + samples) + framing
    if (samples > 0 && sizeBytes + next > availableBytes) break
    sizeBytes += next
    samples += 1
  }
  return { ...read, samples, sizeBytes }
}

function restOf(read: MovieRead, { samples, sizeBytes }: MovieRead): MovieRead | undefined {
  if (samples === read.samples) return undefined
  return {
    ...read,
    offset: read.offset + sizeBytes,
    sizeBytes: read.sizeBytes - sizeBytes,
    firstSample: read.firstSample + samples,
    samples: read.samples - samples,
  }
}

/**
 * Stores what is the same each time it is made: when an object of this size is there, an earlier try was
 * killed after it, and nothing is written again.
 */
export async function putOnce(
  store: ObjectStore,
  key: string,
  object: {
    body: () => AsyncIterable<Uint8Array>
    sizeBytes: number
    contentType: string
    unsummed?: boolean
    rarelyRead?: boolean
  },
): Promise<void> {
  const { body, ...options } = object
  const before = await store.head(key, { sizeOnly: true })
  if (before?.sizeBytes !== options.sizeBytes) await store.put(key, body(), options)
}
