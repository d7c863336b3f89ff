import { crc32 } from 'node:zlib'
import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { SegmentHeader } from '../../shared/contract/segment-header.ts'
import { encodeIndexHeader, parseIndex } from '../../shared/media/index.ts'
import {
  encodeIndexRecord,
  type IndexRecord,
  type IndexUnit,
  indexRecordBytes,
} from '../../shared/media/index-record.ts'
import { manifestOf } from './manifest.ts'
import { type Layout, type MediaExt, mediaExt, type SegmentPlace } from './names.ts'
import { sha256Of } from './part-file.ts'
import { readSalvaged } from './read-salvaged.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import type { SealedFile } from './seal.ts'
import type { FileSum } from './segment-file.ts'
import { SegmentSummary } from './segment-summary.ts'
import { unlinkIfThere, writeDurably } from './write-durably.ts'

/** Timeline → wall, if a manifest knew it better than the header. */
type WallOffset = { wallOffsetMs: number; wallBoundMs: number }

export type Recovered =
  | { outcome: 'sealed'; manifest: Manifest; files: SealedFile[] }
  /** Nothing had been written but names and the header. */
  | { outcome: 'empty' }
  | { outcome: 'quarantine'; reason: string }

/**
 * Seals a segment whose agent died. Kept is every unit whose record is whole and whose bytes have its checksum;
 * the media files are cut behind the last of them. A unit in the middle whose bytes are wrong loses its record
 * and becomes a gap. May be killed and run again at any point: `.json` comes last.
 */
export function recoverSegment(
  fs: RingFs,
  layout: Layout,
  place: SegmentPlace,
  known?: WallOffset,
): Recovered {
  const indexPath = findFile(fs, layout, place, 'idx')
  if (!indexPath) return { outcome: 'quarantine', reason: 'media without an index' }
  const bytes = readSalvaged(fs, indexPath)
  if (bytes.length === 0) return { outcome: 'quarantine', reason: 'the index is empty' }
  const parsed = parse(bytes)
  if (typeof parsed === 'string') return { outcome: 'quarantine', reason: parsed }
  const { records } = parsed
  const header = { ...parsed.header, ...known }
  if (header.epoch !== place.epoch || header.seq !== place.seq || header.stream !== place.stream) {
    return { outcome: 'quarantine', reason: 'the index is of another segment' }
  }
  const kept = checkUnits(fs, layout, header, records)
  if (kept.summary.units === 0) return removeEmpty(fs, layout, header)
  return seal(fs, layout, header, kept)
}

type Kept = {
  records: IndexRecord[]
  summary: SegmentSummary
  /** Ends of what is kept in each media file. */
  ends: Map<MediaExt, number>
  gaps: Gap[]
}

function parse(bytes: Uint8Array): { header: SegmentHeader; records: Iterable<IndexRecord> } | string {
  try {
    return parseIndex(bytes, { tolerateTail: true })
  } catch (error) {
    return error instanceof Error ? error.message : 'the index cannot be read'
  }
}

function checkUnits(fs: RingFs, layout: Layout, header: SegmentHeader, records: Iterable<IndexRecord>): Kept {
  const kept: Kept = { records: [], summary: new SegmentSummary(), ends: new Map(), gaps: [] }
  const wall = (ms: number) => Math.round(ms + header.wallOffsetMs)
  const contents = new Map<MediaExt, Uint8Array>()
  let damaged: IndexUnit[] = []
  for (const record of records) {
    if (record.kind === 'gap') {
      const units = record.units === undefined ? {} : { units: record.units }
      kept.gaps.push({ from: wall(record.fromMs), to: wall(record.toMs), cause: record.cause, ...units })
      kept.records.push(record)
      continue
    }
    const codec = header[record.track]?.codec
    const ext = codec && mediaExt(codec)
    if (!ext || !isWhole(record, load(fs, layout, header, ext, contents))) {
      damaged.push(record)
      continue
    }
    if (damaged.length > 0) kept.gaps.push(damagedGap(damaged, record, wall))
    damaged = []
    kept.records.push(record)
    kept.summary.add(record)
    kept.ends.set(ext, Math.max(kept.ends.get(ext) ?? 0, record.offset + record.sizeBytes))
  }
  return kept // What is damaged at the end is the torn tail: the gap of the crash covers it.
}

function load(
  fs: RingFs,
  layout: Layout,
  place: SegmentPlace,
  ext: MediaExt,
  contents: Map<MediaExt, Uint8Array>,
): Uint8Array {
  const known = contents.get(ext)
  if (known) return known
  const path = findFile(fs, layout, place, ext)
  const bytes = path ? readSalvaged(fs, path) : new Uint8Array()
  contents.set(ext, bytes)
  return bytes
}

function isWhole(unit: IndexUnit, file: Uint8Array): boolean {
  const end = unit.offset + unit.sizeBytes
  return end <= file.length && crc32(file.subarray(unit.offset, end)) === unit.crc
}

function damagedGap(units: readonly IndexUnit[], next: IndexUnit, wall: (ms: number) => number): Gap {
  const count = units.filter((unit) => unit.kind === 'unit').length
  return { from: wall(units[0]?.ptsMs ?? next.ptsMs), to: wall(next.ptsMs), cause: 'damaged', units: count }
}

function seal(fs: RingFs, layout: Layout, header: SegmentHeader, kept: Kept): Recovered {
  const sums: FileSum[] = []
  for (const [ext, end] of kept.ends) sums.push(finishMedia(fs, layout, header, ext, end))
  const index = writeIndex(fs, layout, header, kept.records)
  unlinkIfThere(fs, layout.segment(header, 'idx.part'))
  unlinkIfThere(fs, layout.segment(header, 'idx.tmp'))
  sums.push(index)
  const { wallOffsetMs, wallBoundMs } = header
  const manifest = manifestOf({
    header,
    summary: kept.summary,
    records: kept.records.length,
    files: sums,
    gaps: kept.gaps,
    end: { reason: 'crash', wallOffsetMs, wallBoundMs },
  })
  const json = writeDurably(fs, layout.segment(header, 'json'), Buffer.from(JSON.stringify(manifest)))
  return { outcome: 'sealed', manifest, files: [...sums, { ext: 'json', ...json }] }
}

/** Cut behind the last whole unit, durable, under its final name. */
function finishMedia(fs: RingFs, layout: Layout, header: SegmentHeader, ext: MediaExt, end: number): FileSum {
  const path = findFile(fs, layout, header, ext) ?? layout.segment(header, ext)
  const fd = fs.open(path, 'update')
  try {
    if (fs.size(fd) > end) fs.truncate(fd, end)
    fs.sync(fd)
    const sha256 = sha256Of(fs, fd, end)
    if (path !== layout.segment(header, ext)) fs.rename(path, layout.segment(header, ext))
    return { ext, sizeBytes: end, sha256 }
  } finally {
    fs.close(fd)
  }
}

/** Always written anew: a torn record and those of damaged units are then simply not in it. */
function writeIndex(
  fs: RingFs,
  layout: Layout,
  header: SegmentHeader,
  records: readonly IndexRecord[],
): FileSum {
  const head = encodeIndexHeader(header)
  const bytes = new Uint8Array(head.length + records.length * indexRecordBytes)
  bytes.set(head)
  for (const [i, record] of records.entries())
    encodeIndexRecord(record, bytes, head.length + i * indexRecordBytes)
  return { ext: 'idx', ...writeDurably(fs, layout.segment(header, 'idx'), bytes) }
}

function removeEmpty(fs: RingFs, layout: Layout, header: SegmentHeader): Recovered {
  for (const track of [header.video, header.audio]) {
    const ext = track && mediaExt(track.codec)
    if (ext) for (const suffix of [ext, `${ext}.part`]) unlinkIfThere(fs, layout.segment(header, suffix))
  }
  for (const suffix of ['idx', 'idx.part', 'idx.tmp']) unlinkIfThere(fs, layout.segment(header, suffix))
  return { outcome: 'empty' }
}

/** The open name first: beside a final one it is what the last try left. */
function findFile(
  fs: RingFs,
  layout: Layout,
  place: SegmentPlace,
  ext: MediaExt | 'idx',
): string | undefined {
  const names = ext === 'idx' ? [ext, `${ext}.part`] : [`${ext}.part`, ext]
  for (const suffix of names) {
    const path = layout.segment(place, suffix)
    try {
      fs.close(fs.open(path, 'read'))
      return path
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}
