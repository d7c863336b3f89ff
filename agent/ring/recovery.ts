import { join } from 'node:path'
import {
  type Gap,
  isName,
  type Manifest,
  manifest as manifestSchema,
  segmentName,
} from '../../shared/contract/segment.ts'
import { deleteBytes, forget } from './delete-segment.ts'
import { type Layout, mediaExt, mediaExts, parseFileName, type SegmentPlace } from './names.ts'
import { readSalvaged } from './read-salvaged.ts'
import { recoverSegment } from './recover-segment.ts'
import type { RingDb, StoredSegment } from './ring-db.ts'
import type { RingFs } from './ring-fs.ts'
import { rowOf } from './row-of.ts'
import type { SealedFile } from './seal.ts'
import { sumOf, unlinkIfThere, writeDurably } from './write-durably.ts'

export type RecoveryReport = {
  /** Segments that were open when the last process died. */
  sealed: number
  /** Sealed segments that the index did not know. */
  adopted: number
  quarantined: { name: string; reason: string }[]
  lost: { stream: string; gap: Gap }[]
  /** Wall ms at which a stream ended that was being written when the process died. */
  tails: Map<string, number>
}

type Options = {
  fs: RingFs
  layout: Layout
  db: RingDb
  nowMs: number
  /** The index was lost: what the names say must be written into it again. */
  rebuild: boolean
}
type Context = Options & { report: RecoveryReport }

/** Makes names, files and rows agree, stream by stream (docs/ring.md, Recovery). May be killed and run again. */
export function recoverRing(options: Options): RecoveryReport {
  const report: RecoveryReport = { sealed: 0, adopted: 0, quarantined: [], lost: [], tails: new Map() }
  const context = { ...options, report }
  const { fs, layout, db } = options
  const streams = new Set(db.streams().map((stream) => stream.name))
  for (const entry of fs.list(layout.ring)) {
    if (entry.directory && isName(entry.name)) streams.add(entry.name)
    else if (!entry.name.startsWith('_'))
      quarantine(context, layout.ring, entry.name, 'not a file of the ring')
  }
  for (const stream of streams) recoverStream(context, stream)
  return report
}

function recoverStream(context: Context, stream: string): void {
  const { fs, layout, db } = context
  const files = new Map<string, { place: SegmentPlace; suffixes: Set<string> }>()
  for (const { name } of fs.list(layout.stream(stream))) {
    const parsed = parseFileName(name)
    if (!parsed) {
      quarantine(context, layout.stream(stream), name, 'not a file of the ring')
      continue
    }
    const key = keyOf(parsed)
    const known = files.get(key)
    if (known) known.suffixes.add(parsed.suffix)
    else files.set(key, { place: { stream, ...placeOnly(parsed) }, suffixes: new Set([parsed.suffix]) })
  }
  // Rows first: one whose deletion had begun is not to be mistaken for a segment that was lost.
  const rows = new Map(db.places(stream).map((row) => [keyOf(row), row]))
  for (const [key, row] of rows) {
    const suffixes = files.get(key)?.suffixes
    if (row.deleting) finishDeleting(context, row)
    else if (row.local && !suffixes?.has('json')) settleMissing(context, row, suffixes)
  }
  const recover = (sealed: boolean) => {
    for (const [key, { place, suffixes }] of files) {
      const row = rows.get(key)
      if (sealed === (suffixes.has('json') && !row)) recoverFiles(context, place, suffixes, row)
    }
  }
  db.transaction(() => recover(true)) // With one commit: after the loss of the index they are thousands.
  recover(false)
  noteBetween(context, stream)
}

/** It may also have died after one segment and before the first unit of the next, which it had. */
function noteBetween(context: Context, stream: string): void {
  const tail = context.db.takeContinued(stream)
  if (tail !== undefined) noteCrash(context, stream, tail)
}

function noteCrash({ db, report, nowMs }: Context, stream: string, to: number): void {
  const gap: Gap = { from: to, to: Math.max(to, nowMs), cause: 'crash' }
  db.putGap(stream, gap)
  report.lost.push({ stream, gap })
  report.tails.set(stream, Math.max(to, report.tails.get(stream) ?? to))
}

type Row = ReturnType<RingDb['places']>[number]

function finishDeleting({ fs, layout, db, report }: Context, row: Row): void {
  const segment = db.segment(row)
  if (!segment) return
  deleteBytes(fs, layout, row, row.uploaded ? 'gone' : 'del')
  settleGone(db, report, segment, 'recycled')
  if (!row.uploaded) forget(fs, layout, row, 'del')
}

/** A row that says the bytes are here, but no manifest is. */
function settleMissing({ db, report }: Context, row: Row, suffixes: Set<string> | undefined): void {
  const segment = db.segment(row)
  if (!segment) return
  if (suffixes?.has('gone')) db.setGone(row)
  else if (!suffixes || suffixes.has('del'))
    settleGone(db, report, segment, suffixes ? 'recycled' : 'disk-error')
  else db.removeSegment(row) // Its files are there without the manifest: recovery makes it again.
}

function settleGone(db: RingDb, report: RecoveryReport, segment: StoredSegment, cause: Gap['cause']): void {
  const { stream, from, to, units } = segment
  if (segment.uploaded) {
    db.setGone(segment)
    return
  }
  const gap: Gap = { from, to, cause, units }
  db.transaction(() => {
    db.removeSegment(segment)
    db.extendGap(stream, gap)
  })
  report.lost.push({ stream, gap })
}

function recoverFiles(
  context: Context,
  place: SegmentPlace,
  suffixes: Set<string>,
  row: Row | undefined,
): void {
  const { fs, layout } = context
  if (row?.deleting) return
  for (const suffix of ['json.tmp', 'idx.tmp']) {
    if (suffixes.has(suffix)) unlinkIfThere(fs, layout.segment(place, suffix))
  }
  if (suffixes.has('gone')) finishGone(context, place, row)
  else if (suffixes.has('del')) finishDel(context, place)
  else if (suffixes.has('json')) adopt(context, place, suffixes, row)
  else if (hasContent(suffixes)) recoverOpen(context, place, suffixes)
}

function finishGone({ fs, layout, db }: Context, place: SegmentPlace, row: Row | undefined): void {
  deleteBytes(fs, layout, place, 'gone')
  if (row) return
  const read = readManifest(fs, layout, place, 'gone')
  if (read) db.putSegment({ ...rowOf(read.manifest, read.files), uploaded: true, local: false })
  else unlinkIfThere(fs, layout.segment(place, 'gone'))
}

function finishDel({ fs, layout, db, report, rebuild }: Context, place: SegmentPlace): void {
  // Otherwise the gap was written together with the removal of the row.
  const read = !rebuild ? undefined : readManifest(fs, layout, place, 'del')
  if (read)
    settleGone(
      db,
      report,
      { ...rowOf(read.manifest, read.files), claimed: false, doubted: false, deleting: false },
      'recycled',
    )
  deleteBytes(fs, layout, place, 'del')
  forget(fs, layout, place, 'del')
}

/** Sealed. With a row all is well but names that a power cut took back; without, the row is made again. */
function adopt(context: Context, place: SegmentPlace, suffixes: Set<string>, row: Row | undefined): void {
  const { fs, layout, db, report } = context
  let renamed = false
  for (const ext of [...mediaExts, 'idx']) {
    if (!suffixes.has(`${ext}.part`)) continue
    if (suffixes.has(ext)) unlinkIfThere(fs, layout.segment(place, `${ext}.part`))
    else fs.rename(layout.segment(place, `${ext}.part`), layout.segment(place, ext))
    suffixes.delete(`${ext}.part`)
    suffixes.add(ext)
    renamed = true
  }
  if (renamed) fs.syncDirectory(layout.stream(place.stream))
  if (row) return
  const read = readManifest(fs, layout, place, 'json')
  if (read && filesMatch(fs, layout, read.manifest)) {
    db.transaction(() => {
      db.putSegment(rowOf(read.manifest, read.files))
      for (const gap of gapsOf(read.manifest)) db.putGap(place.stream, gap)
    })
    report.adopted += 1
    return
  }
  quarantine(
    context,
    layout.stream(place.stream),
    `${segmentName(place)}.json`,
    'the manifest does not match its files',
  )
  recoverOpen(context, place, suffixes)
}

function recoverOpen(context: Context, place: SegmentPlace, suffixes: Set<string>): void {
  const { fs, layout, db, report } = context
  const recovered = recoverSegment(fs, layout, place)
  if (recovered.outcome === 'quarantine') {
    for (const suffix of suffixes) {
      if (suffix.endsWith('tmp') || suffix === 'json') continue
      quarantine(context, layout.stream(place.stream), `${segmentName(place)}.${suffix}`, recovered.reason)
    }
    // When it was opened is in its name; what it held is not known, only that it was being written.
    noteCrash(context, place.stream, Math.max(place.epoch, db.endOf(place.stream) ?? 0))
    return
  }
  if (recovered.outcome === 'empty') return
  const { manifest, files } = recovered
  db.transaction(() => {
    db.putSegment(rowOf(manifest, files))
    for (const gap of gapsOf(manifest)) db.putGap(place.stream, gap)
  })
  report.sealed += 1
  noteCrash(context, place.stream, manifest.to)
}

function quarantine({ fs, layout, report }: Context, directory: string, name: string, reason: string): void {
  const target = `${directory === layout.ring ? '' : `${directory.slice(layout.ring.length + 1)}.`}${name}`
  fs.mkdir(layout.quarantine)
  writeDurably(fs, join(layout.quarantine, `${target}.reason`), Buffer.from(`${reason}\n`))
  fs.rename(join(directory, name), join(layout.quarantine, target))
  report.quarantined.push({ name: target, reason })
}

function readManifest(
  fs: RingFs,
  layout: Layout,
  place: SegmentPlace,
  suffix: 'json' | 'gone' | 'del',
): { manifest: Manifest; files: SealedFile[] } | undefined {
  const bytes = readSalvaged(fs, layout.segment(place, suffix))
  const manifest = parseManifest(bytes)
  if (manifest?.stream !== place.stream || manifest.epoch !== place.epoch || manifest.seq !== place.seq)
    return undefined
  const media: SealedFile[] = [manifest.video, manifest.audio].flatMap((track) => {
    const ext = track && mediaExt(track.codec as 'h264')
    return track && ext ? [{ ext, ...track.file }] : []
  })
  const { sizeBytes, sha256 } = manifest.index
  return { manifest, files: [...media, { ext: 'idx', sizeBytes, sha256 }, { ext: 'json', ...sumOf(bytes) }] }
}

export function parseManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    return manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString()))
  } catch {
    return undefined
  }
}

function filesMatch(fs: RingFs, layout: Layout, manifest: Manifest): boolean {
  const sizes = [manifest.video, manifest.audio].flatMap((track) =>
    track ? [[mediaExt(track.codec as 'h264'), track.file.sizeBytes] as const] : [],
  )
  for (const [ext, size] of [...sizes, ['idx', manifest.index.sizeBytes] as const]) {
    try {
      const fd = fs.open(layout.segment(manifest, ext ?? ''), 'read')
      const actual = fs.size(fd)
      fs.close(fd)
      if (actual !== size) return false
    } catch {
      return false
    }
  }
  return true
}

export function gapsOf(manifest: Manifest): Gap[] {
  return manifest.gapBefore ? [manifest.gapBefore, ...manifest.gaps] : manifest.gaps
}

function hasContent(suffixes: Set<string>): boolean {
  return [...suffixes].some((suffix) => !suffix.endsWith('tmp'))
}

function placeOnly({ epoch, seq }: { epoch: number; seq: number }) {
  return { epoch, seq }
}

function keyOf({ epoch, seq }: { epoch: number; seq: number }): string {
  return `${epoch}-${seq}`
}
