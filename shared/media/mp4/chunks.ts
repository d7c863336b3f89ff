import { type MovieRead, ReadCursor } from './reads.ts'
import type { SampleTable } from './sample-table.ts'
import type { TrackTiming } from './timing.ts'

/** One second of each track in turn: a player that reads forward finds picture and sound together. */
const chunkMs = 1000

export type ChunkedTrack = { track: number; table: SampleTable; timing: TrackTiming }

/**
 * Samples `first` … `end` − 1 of one track, consecutive in the file. `of` is the place in the list of tracks,
 * `offset` counts from the first byte of the media.
 */
export type Chunk = { of: number; first: number; end: number; offset: number }

/** All chunks in file order. */
export function chunkTracks(tracks: readonly ChunkedTrack[]): Chunk[] {
  const chunks: Chunk[] = []
  const next = tracks.map(({ timing }) => timing.first)
  let offset = 0
  const startMs = Math.min(...tracks.map(({ table, timing }) => table.dtsMs(timing.first)))
  const windowOf = ({ table, timing }: ChunkedTrack, i: number) =>
    i < timing.end ? Math.floor((table.dtsMs(i) - startMs) / chunkMs) : Number.POSITIVE_INFINITY
  for (;;) {
    const window = Math.min(...tracks.map((track, of) => windowOf(track, next[of] ?? 0)))
    if (window === Number.POSITIVE_INFINITY) return chunks
    for (const [of, track] of tracks.entries()) {
      const first = next[of] ?? 0
      let end = first
      const start = offset
      for (; windowOf(track, end) <= window; end += 1) offset += track.table.sizeBytes(end)
      if (end > first) chunks.push({ of, first, end, offset: start })
      next[of] = end
    }
  }
}

/** What to read from the sources, in file order. */
export function* readChunks(tracks: readonly ChunkedTrack[], chunks: readonly Chunk[]): Generator<MovieRead> {
  const cursors = tracks.map(({ table, track, timing }) => new ReadCursor(table, track, timing.first))
  for (const { of, end } of chunks) {
    const cursor = cursors[of]
    if (cursor) yield* cursor.until(end)
  }
}
