import { join } from 'node:path'
import { parseSegmentName, type SegmentFile, segmentName, soundFiles } from '../../shared/contract/segment.ts'
import type { AudioCodec, VideoCodec } from '../../shared/media/access-unit.ts'

/**
 * Names below the data directory. The state of a segment is in its names (docs/ring.md):
 *
 *   <epoch>-<seq>.h264.part .aac.part .idx.part    open
 *   <epoch>-<seq>.h264 .aac .idx  and .json        sealed: the manifest is the commit mark
 *   <epoch>-<seq>.gone                             the manifest of a segment that is in the store and no longer here
 *   <epoch>-<seq>.del                              being deleted: finish it
 *
 * Names of streams never begin with `_`, so ours among them do.
 */
export type SegmentPlace = { stream: string; epoch: number; seq: number }

export type Layout = {
  database: string
  lock: string
  ring: string
  owner: string
  probe: string
  /** Bytes that are given up when a start finds none. */
  ballast: string
  quarantine: string
  recordings: string
  stream(name: string): string
  segment(place: SegmentPlace, suffix: string): string
  recording(id: string): string
}

export function layoutOf(dir: string): Layout {
  const ring = join(dir, 'ring')
  const recordings = join(dir, 'recordings')
  return {
    database: join(dir, 'agent.db'),
    lock: join(dir, 'agent.lock'),
    ring,
    owner: join(ring, '_agent.json'),
    probe: join(ring, '_probe'),
    ballast: join(ring, '_ballast'),
    quarantine: join(ring, '_quarantine'),
    recordings,
    stream: (name) => join(ring, name),
    segment: (place, suffix) => join(ring, place.stream, `${segmentName(place)}.${suffix}`),
    recording: (id) => join(recordings, `${id}.json`),
  }
}

export type MediaExt = Exclude<SegmentFile, 'idx' | 'json'>

/** Undefined for a codec that has no writer: it is shown live but not recorded. */
export function mediaExt(codec: VideoCodec | AudioCodec): MediaExt | undefined {
  return mediaExts.find((ext) => ext === codec)
}

export const mediaExts: readonly MediaExt[] = ['h264', 'h265', ...soundFiles]

/** `1763616224000-000001.h264.part` → its place and `h264.part`; undefined for a name that is not ours. */
export function parseFileName(name: string): { epoch: number; seq: number; suffix: string } | undefined {
  const dot = name.indexOf('.')
  if (dot < 0) return undefined
  const id = parseSegmentName(name.slice(0, dot))
  const suffix = name.slice(dot + 1)
  return id && knownSuffixes.has(suffix) ? { ...id, suffix } : undefined
}

const knownSuffixes: ReadonlySet<string> = new Set([
  ...[...mediaExts, 'idx'].flatMap((ext) => [ext, `${ext}.part`]),
  'idx.tmp',
  'json',
  'json.tmp',
  'gone',
  'del',
])
