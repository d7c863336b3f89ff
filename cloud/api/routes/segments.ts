import type { z } from 'zod'
import { segmentsRangeMsMax } from '../../../shared/cloud-limits.ts'
import { gapsPage, type SegmentItem, segmentsPage, segmentsQuery } from '../../../shared/contract/api.ts'
import { type Gap, segmentName } from '../../../shared/contract/segment.ts'
import { AppError } from '../../../shared/error.ts'
import type { Catalogue } from '../../ports.ts'
import { listAgents } from '../../rows/access.ts'
import { type SegmentRow, segmentsBetween } from '../../rows/segment.ts'
import { mayRead } from '../caller.ts'
import { ofWhole } from '../count-within.ts'
import { segmentState } from '../recording-view.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

type RangeQuery = z.output<typeof segmentsQuery>

/** What the archive holds of a stream, recorded as a recording or not. */
export function segmentRoutes({ catalogue }: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/segments',
      summary: 'Segments of a stream that overlap [from, to), newest first',
      access: mayRead,
      query: segmentsQuery,
      answer: segmentsPage,
      async handle({ query }) {
        const { rows, cursor } = await pageOf(catalogue, query)
        return { segments: rows.map(itemOf), ...(cursor !== undefined && { cursor }) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/gaps',
      summary: 'Known gaps of a stream that overlap [from, to), newest first',
      access: mayRead,
      query: segmentsQuery,
      answer: gapsPage,
      async handle({ query }) {
        const { rows, cursor } = await pageOf(catalogue, query)
        const gaps = rows.flatMap((row) => gapsWithin(row, query))
        return { gaps, ...(cursor !== undefined && { cursor }) }
      },
    }),
  ]
}

function itemOf(row: SegmentRow): SegmentItem {
  const { agent, stream, epoch, seq, from, to } = row
  const size = row.media ? { mp4Bytes: row.media.sizeBytes } : {}
  return { agent, stream, epoch, seq, from, to, units: ofWhole(row).units, state: segmentState(row), ...size }
}

function gapsWithin(row: SegmentRow, query: RangeQuery) {
  const own: Gap[] = [...row.gaps, ...(row.gapBefore ? [row.gapBefore] : [])]
  return own
    .filter((gap) => gap.to >= query.from && gap.from < query.to)
    .sort((a, b) => b.from - a.from)
    .map((gap) => ({ ...gap, agent: row.agent, stream: row.stream }))
}

const dayMs = 86_400_000

/** Day by day from the newest, so that a page costs what it shows. The cursor is the last row's place. */
async function pageOf(
  catalogue: Catalogue,
  query: RangeQuery,
): Promise<{ rows: SegmentRow[]; cursor?: string }> {
  if (query.to - query.from > segmentsRangeMsMax) {
    throw new AppError('InvalidArgument', `Ask for ${segmentsRangeMsMax / dayMs} days at most.`, {
      zh: `一次最多查询 ${segmentsRangeMsMax / dayMs} 天。`,
    })
  }
  const limit = query.limit ?? 100
  const agents =
    query.agent === undefined ? (await listAgents(catalogue)).map((row) => row.agent) : [query.agent]
  const rows: SegmentRow[] = []
  for (let end = query.to; end > query.from; end = dayStart(end)) {
    const day: SegmentRow[] = []
    for (const agent of agents) {
      const range = { agent, stream: query.stream, from: Math.max(dayStart(end), query.from), to: end }
      for await (const row of segmentsBetween(catalogue, range)) {
        const counted = row.from >= range.from || range.from === query.from // Else it is the day's before.
        if (counted && (query.cursor === undefined || placeOf(row) < query.cursor)) day.push(row)
      }
    }
    rows.push(...day.sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1)))
    if (rows.length < limit) continue
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return { rows: page, ...(last && { cursor: placeOf(last) }) }
  }
  return { rows }
}

/** The beginning of the day in which the millisecond before `end` lies. */
function dayStart(end: number): number {
  return Math.floor((end - 1) / dayMs) * dayMs
}

function placeOf(row: SegmentRow): string {
  return `${String(row.from).padStart(16, '0')} ${segmentName(row)} ${row.agent}`
}
