import { z } from 'zod'
import { segmentLookupSlackMs } from '../../shared/cloud-limits.ts'
import {
  gap,
  type Manifest,
  name,
  parseSegmentName,
  type SegmentId,
  segmentName,
} from '../../shared/contract/segment.ts'
import type { Catalogue, Row } from '../ports.ts'
import { changeRow } from './change-row.ts'
import { freshJob, jobState, withWorkKeys } from './job-state.ts'
import { clampWallMs, dayKey, dayMs, daysBetween, timeKey } from './keys.ts'

/**
 * A segment in the archive; its `status` is that of its mux (SUCCESS: `media` is there; FAILED: quarantined).
 *   pk `S#<agent>#<stream>#<day>`      sk `<start>#<epoch>-<seq>`
 *   gsi1pk `S#<agent>#<stream>`        gsi1sk `<epoch>-<seq>`
 */
export const segmentRow = jobState.extend({
  agent: name,
  stream: name,
  epoch: z.number().int(),
  seq: z.number().int(),
  /** Wall ms of the first shown picture and of the end of the last one. */
  from: z.number(),
  to: z.number(),
  wallOffsetMs: z.number(),
  wallBoundMs: z.number(),
  timeSource: z.enum(['device', 'arrival']),
  continues: z.boolean(),
  video: z
    .looseObject({
      codec: z.enum(['h264', 'h265']),
      codecString: z.string(),
      width: z.number(),
      height: z.number(),
      units: z.number(),
      sizeBytes: z.number(),
      /** Of `units`: received damaged and kept. */
      damaged: z.number().optional(),
    })
    .optional(),
  audio: z
    .looseObject({ codec: z.string(), codecString: z.string(), units: z.number(), sizeBytes: z.number() })
    .optional(),
  gapBefore: gap.optional(),
  /** The manifest's and those that the mux found (units whose bytes do not match their checksum). */
  gaps: z.array(gap),
  /**
   * The MP4. Its fragments begin behind `headerBytes`; `map` is the byte range for EXT-X-MAP. `continuous`: its
   * media times follow those of the segments of its epoch that are so, too. `durationMs` of what is shown;
   * `audio`: the sound is in it.
   */
  media: z
    .looseObject({
      key: z.string(),
      sizeBytes: z.number(),
      headerBytes: z.number(),
      map: z.object({ offset: z.number(), sizeBytes: z.number() }),
      continuous: z.boolean(),
      durationMs: z.number(),
      audio: z.boolean(),
    })
    .optional(),
  /** Units that were left out because their bytes do not match their checksum. */
  damagedUnits: z.number().int().optional(),
  /** Their places in the index: with them the layout of the MP4 can be computed again. */
  damagedRecords: z.array(z.number().int()).optional(),
  /** Hash of the codec configuration of pictures and sound: segments with the same one fit into one file. */
  config: z.string().optional(),
  /** Object key of the JPEG, when there is one. */
  thumbnail: z.string().optional(),
  /** Why there is none. */
  thumbnailNote: z.string().optional(),
  /** Wall ms when the raw pictures were deleted (their MP4 stays). */
  rawDeletedAt: z.number().optional(),
  /** As in the manifest. */
  kept: z.literal('always').optional(),
  /** Wall ms when it was deleted: nothing of it is there, and the row goes in a month. */
  deletedAt: z.number().optional(),
})
export type SegmentRow = z.infer<typeof segmentRow>

export function segmentKey(id: SegmentId, from: number): { pk: string; sk: string } {
  const start = clampWallMs(from)
  return {
    pk: `S#${id.agent}#${id.stream}#${dayKey(start)}`,
    sk: `${timeKey(start)}#${segmentName(id)}`,
  }
}

/** The row of a segment that has just arrived and is not muxed yet. */
export function newSegmentRow(manifest: Manifest, nowMs: number): SegmentRow & Row {
  const { agent, stream, epoch, seq, from, to, video, audio } = manifest
  return withWorkKeys({
    ...segmentKey(manifest, from),
    version: 0,
    gsi1pk: `S#${agent}#${stream}`,
    gsi1sk: segmentName(manifest),
    ...freshJob(nowMs),
    agent,
    stream,
    epoch,
    seq,
    from,
    to,
    wallOffsetMs: manifest.wallOffsetMs,
    wallBoundMs: manifest.wallBoundMs,
    timeSource: manifest.timeSource,
    continues: manifest.continues,
    ...(video && {
      video: {
        codec: video.codec,
        codecString: video.codecString,
        width: video.width,
        height: video.height,
        units: video.units,
        sizeBytes: video.file.sizeBytes,
        ...(video.damaged !== undefined && { damaged: video.damaged }),
      },
    }),
    ...(audio && {
      audio: {
        codec: audio.codec,
        codecString: audio.codecString,
        units: audio.units,
        sizeBytes: audio.file.sizeBytes,
      },
    }),
    ...(manifest.kept && { kept: manifest.kept }),
    ...(manifest.gapBefore && { gapBefore: manifest.gapBefore }),
    gaps: manifest.gaps,
  })
}

/** A stream's partition of one UTC day. */
export type SegmentDay = { agent: string; stream: string; from: number; to: number }

const segmentDays = 'SDAYS' // pk; sk `<day>#<agent>#<stream>`: what retention goes through, oldest first.
const dayRowKey = (agent: string, stream: string, fromMs: number) => ({
  pk: segmentDays,
  sk: `${dayKey(clampWallMs(fromMs))}#${agent}#${stream}`,
})

/** To be called before the first row of a stream's day is written. */
export async function noteSegmentDay(catalogue: Catalogue, of: SegmentId & { from: number }): Promise<void> {
  const key = dayRowKey(of.agent, of.stream, of.from)
  await changeRow(catalogue, key, (before) => (before ? undefined : key))
}

/** Days that are over before `wallMs`, oldest first. */
export async function* segmentDaysBefore(catalogue: Catalogue, wallMs: number): AsyncGenerator<SegmentDay> {
  let cursor: string | undefined
  do {
    const page = await catalogue.query({
      ...{ pk: segmentDays, to: dayKey(clampWallMs(wallMs)) },
      ...(cursor !== undefined && { cursor }),
    })
    for (const { sk } of page.rows) {
      const [day = '', agent = '', stream = ''] = sk.split('#')
      const from = Date.parse(day)
      yield { agent, stream, from, to: from + dayMs }
    }
    cursor = page.cursor
  } while (cursor !== undefined)
}

export async function forgetSegmentDay(catalogue: Catalogue, day: SegmentDay): Promise<void> {
  const { pk, sk } = dayRowKey(day.agent, day.stream, day.from)
  await catalogue.delete(pk, sk)
}

/** By its exact key; `from` is the manifest's. */
export async function getSegment(
  catalogue: Catalogue,
  id: SegmentId,
  from: number,
): Promise<SegmentRow | undefined> {
  const { pk, sk } = segmentKey(id, from)
  const row = await catalogue.get(pk, sk)
  return row && segmentRow.parse(row)
}

/** By its id alone, through GSI1: on AWS the answer may be a second old. */
export async function findSegment(catalogue: Catalogue, id: SegmentId): Promise<SegmentRow | undefined> {
  const sk = segmentName(id)
  const { rows } = await catalogue.query({
    index: 'gsi1',
    pk: `S#${id.agent}#${id.stream}`,
    from: sk,
    to: sk,
  })
  return rows[0] && segmentRow.parse(rows[0])
}

type StreamRange = { agent: string; stream: string; from: number; to: number; withDeleted?: boolean }

/** Segments of a stream that overlap [from, to), oldest first; deleted ones only when they are asked for. */
export async function* segmentsBetween(catalogue: Catalogue, range: StreamRange): AsyncGenerator<SegmentRow> {
  const first = clampWallMs(range.from - segmentLookupSlackMs)
  const last = clampWallMs(range.to)
  for (const day of daysBetween(first, last)) {
    const bounds = { from: timeKey(first), to: `${timeKey(last)}~` }
    for await (const row of allRows(catalogue, `S#${range.agent}#${range.stream}#${day}`, bounds)) {
      const segment = segmentRow.parse(row)
      if (segment.deletedAt !== undefined && !range.withDeleted) continue
      if (segment.from < range.to && segment.to > range.from) yield segment
    }
  }
}

async function* allRows(
  catalogue: Catalogue,
  pk: string,
  bounds: { index?: 'gsi1'; from: string; to: string },
) {
  let cursor: string | undefined
  do {
    const page = await catalogue.query({ pk, ...bounds, ...(cursor !== undefined && { cursor }) })
    yield* page.rows
    cursor = page.cursor
  } while (cursor !== undefined)
}

/**
 * The rows of exact segment ids, by name. The days around the range are asked first (consistent at once);
 * what is not there (a wall clock that was set in between) through GSI1.
 */
export async function segmentsById(
  catalogue: Catalogue,
  range: StreamRange & { ids: readonly { epoch: number; seq: number }[] },
): Promise<Map<string, SegmentRow>> {
  const wanted = new Set(range.ids.map(segmentName))
  const found = new Map<string, SegmentRow>()
  const slack = segmentLookupSlackMs
  const around = { ...range, from: range.from - slack, to: range.to + slack }
  for await (const row of segmentsBetween(catalogue, around)) {
    const key = segmentName(row)
    if (wanted.has(key)) found.set(key, row)
  }
  for (const { first, last } of neighbours([...wanted].filter((key) => !found.has(key)).sort())) {
    const pk = `S#${range.agent}#${range.stream}`
    for await (const row of allRows(catalogue, pk, { index: 'gsi1', from: first, to: last })) {
      const segment = segmentRow.parse(row)
      if (segment.deletedAt === undefined || range.withDeleted) found.set(segmentName(segment), segment)
    }
  }
  return found
}

/** Names whose numbers follow each other, as ranges: an hour that is not there is one question, not sixty. */
function neighbours(names: readonly string[]): { first: string; last: string }[] {
  const ranges: { first: string; last: string }[] = []
  for (const name of names) {
    const before = ranges.at(-1)
    if (before && nameAfter(before.last) === name) before.last = name
    else ranges.push({ first: name, last: name })
  }
  return ranges
}

/** Undefined where the next number has one digit more: it does not sort behind. */
function nameAfter(name: string): string | undefined {
  const id = parseSegmentName(name)
  const next = id && segmentName({ epoch: id.epoch, seq: id.seq + 1 })
  return next?.length === name.length ? next : undefined
}
