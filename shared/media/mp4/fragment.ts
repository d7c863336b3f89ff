import type { CodecConfig } from '../access-unit.ts'
import { box, flatten, fullBox, join, partsBytes, text, u32, u64 } from './box.ts'
import type { MovieRead, ReadCursor } from './reads.ts'
import type { SampleTable } from './sample-table.ts'
import type { TrackTiming } from './timing.ts'

export type Fragment = {
  /** `moof` and the head of `mdat`; behind it the bytes of `reads`, each through `toMovieBytes`. */
  header: Uint8Array
  reads: MovieRead[]
  /** Byte range; `offset` counts from the first fragment. */
  offset: number
  sizeBytes: number
  /** The samples of each track, in file order; `offset` counts from the first fragment. */
  runs: { track: number; first: number; end: number; offset: number }[]
  /** It begins with a random access point. */
  sync: boolean
}

/** One track on its way through the fragments: `next` sample, its `mediaTime`, and where its bytes are. */
export type FragmentTrack = {
  track: number
  id: number
  config: CodecConfig
  table: SampleTable
  timing: TrackTiming
  cursor: ReadCursor
  next: number
  /** Media time of sample `next`, in the track's timescale. */
  mediaTime: number
}

// Sample flags (ISO/IEC 14496-12, 8.8.3.1): depends on none; depends on others and is no sync sample.
const syncFlags = 0x02000000
const deltaFlags = 0x01010000

const tfhdFlags = { defaultSampleFlags: 0x20, baseIsMoof: 0x020000 }
const trunFlags = { dataOffset: 1, firstSampleFlags: 4, duration: 0x100, size: 0x200, composition: 0x800 }

/** Takes from each track its samples up to `ends`, and moves the tracks on. */
export function buildFragment(options: {
  sequence: number
  tracks: readonly FragmentTrack[]
  ends: readonly number[]
  offset: number
  sync: boolean
}): Fragment {
  const { tracks, ends, offset } = options
  const reads: MovieRead[] = []
  const trafs: { box: Uint8Array[]; dataOffset: Uint8Array; bytes: number }[] = []
  const runs: Fragment['runs'] = []
  for (const [i, track] of tracks.entries()) {
    const end = ends[i] ?? track.next
    if (end <= track.next) continue
    runs.push({ track: track.track, first: track.next, end, offset: 0 })
    trafs.push(trackFragment(track, end))
    reads.push(...track.cursor.until(end))
  }
  const moof = box('moof', fullBox('mfhd', 0, 0, u32(options.sequence)), ...trafs.map((traf) => traf.box))
  const moofBytes = partsBytes(moof)
  let at = moofBytes + 8
  for (const [i, { dataOffset, bytes }] of trafs.entries()) {
    dataOffset.set(u32(at))
    const run = runs[i]
    if (run) run.offset = offset + at
    at += bytes
  }
  const header = join(moof, u32(at - moofBytes), text('mdat'))
  return { header, reads, offset, sizeBytes: at, runs, sync: options.sync }
}

/** A `traf` of the samples up to `end`; its data offset is filled in when the size of the `moof` is known. */
function trackFragment(
  track: FragmentTrack,
  end: number,
): { box: Uint8Array[]; dataOffset: Uint8Array; bytes: number } {
  const { table, timing, next: first } = track
  const isVideo = track.config.track === 'video'
  const columns = isVideo ? 3 : 2
  const view = new DataView(new ArrayBuffer((end - first) * columns * 4))
  let bytes = 0
  let at = 0
  const decodeTime = track.mediaTime
  for (let i = first; i < end; i += 1, at += columns * 4) {
    const duration = timing.durations[i] ?? 0
    view.setUint32(at, duration)
    view.setUint32(at + 4, table.sizeBytes(i))
    if (isVideo) view.setUint32(at + 8, table.compositionMs(i) + timing.shiftMs)
    bytes += table.sizeBytes(i)
    track.mediaTime += duration
  }
  track.next = end
  const dataOffset = u32(0)
  const { dataOffset: offsetFlag, firstSampleFlags, duration, size, composition } = trunFlags
  const flags = offsetFlag | firstSampleFlags | duration | size | (isVideo ? composition : 0)
  const traf = box(
    'traf',
    fullBox(
      'tfhd',
      0,
      tfhdFlags.baseIsMoof | tfhdFlags.defaultSampleFlags,
      u32(track.id, isVideo ? deltaFlags : syncFlags),
    ),
    fullBox('tfdt', 1, 0, u64(decodeTime)),
    fullBox(
      'trun',
      0,
      flags,
      u32(end - first),
      dataOffset,
      u32(table.isSync(first) ? syncFlags : deltaFlags),
      new Uint8Array(view.buffer),
    ),
  )
  return { box: flatten(traf), dataOffset, bytes }
}
