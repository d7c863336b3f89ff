import type { IndexRecords } from '../../shared/media/index-records.ts'
import type { ObjectStore } from '../ports.ts'
import type { SegmentRow } from '../rows/segment.ts'
import { CsvBuffer, IsoTime } from './csv-buffer.ts'
import type { Part } from './export-parts.ts'
import { readIndex, readManifest } from './segment-source.ts'

const columns = 'unit,part,pts_ms,pts_iso,from_start_ms,dts_ms,epoch,key,arrival_ms,damaged'

/**
 * The CSV of a stream: one line a shown picture (sound, where there is no picture), in decoding order.
 *
 *   unit           0, 1, 2 … over all parts
 *   pts_ms         wall ms since the Unix epoch, and the same as ISO 8601; `dts_ms` likewise
 *   from_start_ms  PTS − t = 0 of the part's file: what a player shows
 *   key            1: decoding can begin here
 *   arrival_ms     agent's wall clock when the unit came, with microseconds
 *   damaged        1: received damaged, and kept
 *
 * Each chunk is good until the next one is asked for. `tally` counts along.
 */
export async function* timestampsCsv(
  store: ObjectStore,
  parts: readonly Part[],
  tally: { units: number; damaged: number } = { units: 0, damaged: 0 },
): AsyncGenerator<Uint8Array> {
  const csv = new CsvBuffer().text(columns)
  csv.endLine()
  for (const part of parts) {
    for (const segment of part.segments) {
      const { records } = await readIndex(store, await readManifest(store, segment))
      const writeLine = lineWriter(csv, records, part, segment.epoch)
      for (const i of shownRecords(records, part, segment)) {
        csv.integer(tally.units).comma()
        tally.units += 1
        if (records.isDamaged(i)) tally.damaged += 1
        const full = writeLine(i)
        if (full) yield full
      }
    }
  }
  yield csv.take()
}

function* shownRecords(records: IndexRecords, part: Part, segment: SegmentRow): Generator<number> {
  const skip = new Set(segment.damagedRecords)
  const fromMs = part.from - part.offsetMs
  const untilMs = part.untilMs ?? Number.POSITIVE_INFINITY
  const isVideo = segment.video !== undefined
  for (let i = 0; i < records.length; i += 1) {
    const isOwn = records.isUnit(i) && records.isVideo(i) === isVideo && !records.isDuplicate(i)
    if (isOwn && !skip.has(i) && records.ptsMs(i) >= fromMs && records.ptsMs(i) < untilMs) yield i
  }
}

function lineWriter(csv: CsvBuffer, records: IndexRecords, part: Part, epoch: number) {
  const iso = new IsoTime()
  return (i: number): Uint8Array | undefined => {
    const ptsMs = records.ptsMs(i) + part.offsetMs
    csv.integer(part.number).comma().integer(ptsMs).comma()
    iso.write(csv, ptsMs)
    csv
      .comma()
      .integer(ptsMs - part.from)
      .comma()
    csv
      .integer(records.dtsMs(i) + part.offsetMs)
      .comma()
      .integer(epoch)
      .comma()
    csv.integer(records.isRandomAccess(i) ? 1 : 0).comma()
    const arrivalMs = Math.floor(records.arrivalUs(i) / 1000)
    csv
      .integer(arrivalMs)
      .text('.')
      .integer(records.arrivalUs(i) - arrivalMs * 1000, 3)
      .comma()
      .integer(records.isDamaged(i) ? 1 : 0)
    return csv.endLine()
  }
}
