import { crc32 } from 'node:zlib'
import type { AudioHeader, SegmentHeader } from '../../shared/contract/segment-header.ts'
import { encodeIndexHeader } from '../../shared/media/index.ts'
import {
  encodeIndexRecord,
  type IndexGap,
  type IndexRecord,
  indexRecordBytes,
} from '../../shared/media/index-record.ts'
import { joinAnnexB } from '../../shared/media/nal.ts'
import { type Layout, type MediaExt, mediaExt } from './names.ts'
import { PartFile } from './part-file.ts'
import type { RingFs } from './ring-fs.ts'
import { SegmentSummary } from './segment-summary.ts'
import { unlinkIfThere } from './write-durably.ts'

/** One unit as it comes from the main thread: `bytes` with start codes or ADTS header. */
export type RawUnit = {
  track: 'video' | 'audio'
  flags: number
  bytes: Uint8Array
  dtsMs: number
  ptsMs: number
  arrivalUs: number
}

type Write = { file: PartFile; chunks: Uint8Array[]; end: number }

export type FileSum = { ext: MediaExt | 'idx'; sizeBytes: number; sha256: string }

/**
 * The files of an open segment. Invariants: an index record is written after the bytes that it vouches for, and
 * synced after them; a file's `size` ends behind whole units, so that `cutBack` after a failed write leaves
 * whole units only. Nothing is created before the first unit.
 */
export class SegmentFile {
  header: SegmentHeader
  summary = new SegmentSummary()
  records = 0
  /** Monotonic ms of the first write that is not yet synced. */
  dirtySinceMs: number | undefined
  dirtyBytes = 0
  readonly #fs: RingFs
  readonly #layout: Layout
  readonly #media = new Map<'video' | 'audio', PartFile>()
  #index: PartFile | undefined
  #indexHeaderBytes = 0
  #synced = { summary: new SegmentSummary(), records: 0 }
  #namesDirty = false

  constructor(fs: RingFs, layout: Layout, header: SegmentHeader) {
    this.#fs = fs
    this.#layout = layout
    this.header = header
  }

  get sizeBytes(): number {
    return this.#files().reduce((sum, file) => sum + file.size, 0)
  }

  /** All units or none. When it throws, bytes may lie behind `size`: call `cutBack`. */
  append(units: readonly RawUnit[], nowMs: number): void {
    const index = this.#openIndex()
    const records: IndexRecord[] = []
    const writes = new Map<'video' | 'audio', Write>()
    for (const unit of units) {
      const write = writes.get(unit.track) ?? this.#beginWrite(unit.track, records)
      writes.set(unit.track, write)
      records.push(recordOf(unit, write.end))
      write.chunks.push(unit.bytes)
      write.end += unit.bytes.length
    }
    for (const { file, chunks } of writes.values()) file.write(chunks)
    const encoded = encodeRecords(records)
    index.write([encoded])
    for (const { file, chunks } of writes.values()) file.accept(chunks)
    this.#acceptRecords(index, encoded, records, nowMs)
    this.dirtyBytes += units.reduce((sum, unit) => sum + unit.bytes.length, 0)
  }

  /** A gap inside of the segment: between what was written and what will be. */
  appendGap(gap: IndexGap, nowMs: number): void {
    const index = this.#openIndex()
    const encoded = encodeRecords([gap])
    index.write([encoded])
    this.#acceptRecords(index, encoded, [gap], nowMs)
  }

  /**
   * Sound begins in a segment that was opened without: an index with the new header takes the place of the old.
   * It is synced before the rename, so at any moment the index on the disk vouches for what the old one did.
   */
  addAudio(audio: AudioHeader): void {
    this.header = { ...this.header, audio }
    const old = this.#index
    if (!old) return
    this.sync()
    const records = new Uint8Array(old.size - this.#indexHeaderBytes)
    old.read(records, this.#indexHeaderBytes)
    const header = encodeIndexHeader(this.header)
    unlinkIfThere(this.#fs, this.#path('idx.tmp')) // Of an earlier try.
    const file = new PartFile(this.#fs, this.#path('idx.tmp'))
    try {
      file.write([header, records])
      file.accept([header, records])
      file.finish()
      file.covered()
      this.#fs.rename(file.path, old.path)
    } catch (error) {
      file.close()
      throw error
    }
    old.close()
    this.#index = file
    this.#indexHeaderBytes = header.length
    this.#namesDirty = true
    this.sync()
  }

  /** Data first, then the index that vouches for it, then the names of new files. */
  sync(): void {
    const files = this.#files().filter((file) => file.size !== file.syncedSize)
    for (const file of files) file.sync()
    if (this.#namesDirty) this.#fs.syncDirectory(this.#layout.stream(this.header.stream))
    this.#namesDirty = false
    for (const file of files) file.covered()
    this.#synced = { summary: this.summary.clone(), records: this.records }
    this.dirtySinceMs = undefined
    this.dirtyBytes = 0
  }

  cutBack(): void {
    for (const file of this.#files()) file.cutBack()
  }

  /** After a failed sync nothing that it was to cover can be trusted, even if a later sync says yes. */
  cutBackToSynced(): void {
    this.summary = this.#synced.summary.clone()
    this.records = this.#synced.records
    for (const file of this.#files()) file.cutBackToSynced()
    this.dirtySinceMs = undefined
    this.dirtyBytes = 0
  }

  /** Everything on the disk; what the manifest says of the files. */
  finish(): FileSum[] {
    const sums: FileSum[] = []
    for (const [track, file] of this.#media) {
      file.finish()
      sums.push({ ext: this.#ext(track), sizeBytes: file.size, sha256: file.sha256() })
    }
    const index = this.#index
    if (!index) return sums
    index.finish()
    for (const file of this.#files()) file.covered()
    return [...sums, { ext: 'idx', sizeBytes: index.size, sha256: index.sha256() }]
  }

  close(): void {
    for (const file of this.#files()) file.close()
  }

  /** Of a segment that holds no unit. */
  remove(): void {
    this.close()
    for (const file of this.#files()) unlinkIfThere(this.#fs, file.path)
  }

  #acceptRecords(index: PartFile, encoded: Uint8Array, records: readonly IndexRecord[], nowMs: number): void {
    index.accept([encoded])
    for (const record of records) this.summary.add(record)
    this.records += records.length
    this.dirtySinceMs ??= nowMs
  }

  /** Parameter sets go before the first picture, so that the file can be decoded on its own. */
  #beginWrite(track: 'video' | 'audio', records: IndexRecord[]): Write {
    const file = this.#openMedia(track)
    const sets = track === 'video' && file.size === 0 ? (this.header.video?.parameterSetsHex ?? []) : []
    if (sets.length === 0) return { file, chunks: [], end: file.size }
    const bytes = joinAnnexB(sets.map((set) => Buffer.from(set, 'hex')))
    const unit = { track, flags: 0, bytes, dtsMs: 0, ptsMs: 0, arrivalUs: 0 }
    records.push({ ...recordOf(unit, 0), kind: 'config' })
    return { file, chunks: [bytes], end: bytes.length }
  }

  #openIndex(): PartFile {
    const index = this.#index ?? this.#createIndex()
    if (index.size > 0) return index
    const header = encodeIndexHeader(this.header)
    index.write([header])
    index.accept([header])
    this.#indexHeaderBytes = header.length
    return index
  }

  #createIndex(): PartFile {
    const directory = this.#layout.stream(this.header.stream)
    if (this.#fs.mkdir(directory)) this.#fs.syncDirectory(this.#layout.ring)
    this.#index = new PartFile(this.#fs, this.#path('idx.part'))
    this.#namesDirty = true
    return this.#index
  }

  #openMedia(track: 'video' | 'audio'): PartFile {
    const open = this.#media.get(track)
    if (open) return open
    const file = new PartFile(this.#fs, this.#path(`${this.#ext(track)}.part`))
    this.#media.set(track, file)
    this.#namesDirty = true
    return file
  }

  #ext(track: 'video' | 'audio'): MediaExt {
    const ext = mediaExt(this.header[track]?.codec ?? 'h264')
    if (!ext) throw new TypeError(`no file for ${this.header[track]?.codec}`)
    return ext
  }

  #path(suffix: string): string {
    return this.#layout.segment(this.header, suffix)
  }

  #files(): PartFile[] {
    return this.#index ? [...this.#media.values(), this.#index] : [...this.#media.values()]
  }
}

function recordOf(unit: RawUnit, offset: number): Extract<IndexRecord, { kind: 'unit' | 'config' }> {
  const { track, flags, bytes, dtsMs, ptsMs, arrivalUs } = unit
  const sizeBytes = bytes.length
  return { kind: 'unit', track, flags, sizeBytes, offset, dtsMs, ptsMs, arrivalUs, crc: crc32(bytes) }
}

function encodeRecords(records: readonly IndexRecord[]): Uint8Array {
  const bytes = new Uint8Array(records.length * indexRecordBytes)
  for (const [i, record] of records.entries()) encodeIndexRecord(record, bytes, i * indexRecordBytes)
  return bytes
}
