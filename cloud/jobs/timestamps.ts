import type { ObjectStore } from '../ports.ts'
import type { Part } from './export-parts.ts'
import { readIndex, readManifest } from './segment-source.ts'

const columns = 'unit,part,pts_ms,pts_iso,from_start_ms,dts_ms,epoch,key,arrival_ms'

/**
 * The CSV of a stream: one line a shown picture (sound, where there is no picture), in decoding order.
 *
 *   unit           0, 1, 2 … over all parts
 *   pts_ms         wall ms since the Unix epoch, and the same as ISO 8601; `dts_ms` likewise
 *   from_start_ms  PTS − t = 0 of the part's file: what a player shows
 *   key            1: decoding can begin here
 *   arrival_ms     agent's wall clock when the unit came, with microseconds
 */
export async function* timestampsCsv(store: ObjectStore, parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${columns}\n`)
  let unit = 0
  for (const part of parts) {
    for (const segment of part.segments) {
      const lines: string[] = []
      for (const line of await segmentLines(store, part, segment)) lines.push(`${unit++},${line}\n`)
      yield Buffer.from(lines.join(''))
    }
  }
}

async function segmentLines(
  store: ObjectStore,
  part: Part,
  segment: Part['segments'][number],
): Promise<string[]> {
  const { records } = await readIndex(store, await readManifest(store, segment))
  const skip = new Set(segment.damagedRecords)
  const fromMs = part.from - part.offsetMs
  const untilMs = part.untilMs ?? Number.POSITIVE_INFINITY
  const isVideo = segment.video !== undefined
  const lines: string[] = []
  for (let i = 0; i < records.length; i += 1) {
    if (!records.isUnit(i) || records.isVideo(i) !== isVideo || records.isDuplicate(i) || skip.has(i))
      continue
    const ptsMs = records.ptsMs(i)
    if (ptsMs < fromMs || ptsMs >= untilMs) continue
    const pts = ptsMs + part.offsetMs
    const key = records.isRandomAccess(i) ? 1 : 0
    const arrival = (records.arrivalUs(i) / 1000).toFixed(3)
    lines.push(
      `${part.number},${pts},${new Date(pts).toISOString()},${pts - part.from},${records.dtsMs(i) + part.offsetMs},${segment.epoch},${key},${arrival}`,
    )
  }
  return lines
}
