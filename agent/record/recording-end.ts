import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { recordingGapsMax, recordingSlackMs } from '../../shared/limits.ts'
import type { SegmentRow } from '../ring/types.ts'
import type { SegmentMark, SessionMark } from './claim.ts'

/** When the agent stood still while a recording was open, and why. */
export type Pause = { at: number; cause: 'crash' | 'source-lost' }

/** What the ring says about one stream of a recording that ends. Wall times in ms. */
export type Held = { segments: SegmentRow[]; gaps: Gap[] }

/**
 * The streams of a recording as they stand in its last revision.
 *
 * A session (a phone's) is whole segments, from its first picture to the end of its last one: its claim's ends are
 * arrival times, which the segments correct. A claim on a stream that runs anyway keeps the times that were asked for.
 * All streams have the `from` of the recording: t = 0 of every file of a group (DESIGN.md, export).
 */
export function endedStreams(
  recording: Recording,
  held: ReadonlyMap<string, Held>,
  options: { session: boolean; pauses: readonly Pause[]; marks: Readonly<Record<string, SessionMark>> },
): { from: number; to: number; streams: RecordingStream[] } {
  const ended = recording.streams.map((stream) => {
    const range = { from: stream.from, to: stream.to ?? stream.from }
    const { session, pauses, marks } = options
    const mark = session ? (marks[stream.name] ?? {}) : undefined
    return endedStream(stream, range, held.get(stream.name) ?? { segments: [], gaps: [] }, { mark, pauses })
  })
  const filmed = ended.filter((stream) => stream.segments.length > 0)
  const streams = options.session && filmed.length > 0 ? filmed : ended
  const from = Math.min(...streams.map((stream) => stream.from))
  const to = Math.max(from, ...streams.map((stream) => stream.to ?? from))
  return { from, to, streams: streams.map((stream) => ({ ...stream, from })) }
}

function endedStream(
  stream: RecordingStream,
  asked: { from: number; to: number },
  held: Held,
  { mark, pauses }: { mark: SessionMark | undefined; pauses: readonly Pause[] },
): RecordingStream {
  const segments = held.segments.filter((row) =>
    mark ? isBetween(row, mark) : row.to > asked.from && row.from < asked.to,
  )
  const { from, to } = mark ? corrected(asked, segments, held.gaps) : asked
  const missing = stream.gaps.flatMap((gap) => upToFirst(gap, segments))
  const known = [...missing, ...held.gaps].flatMap((gap) => clipped(gap, from, to))
  const gaps = joined([...known, ...pauseGaps(segments, known, { from, to }, pauses)])
  return {
    ...stream,
    from,
    to,
    segments: segments.map(({ epoch, seq }) => ({ epoch, seq })),
    gaps,
  }
}

/** What was not there when the claim was made ends where the first segment begins: that was an estimate then. */
function upToFirst(gap: Gap, [first]: readonly SegmentRow[]): Gap[] {
  if (!first || Math.abs(gap.to - first.from) > recordingSlackMs) return [gap]
  return first.from > gap.from ? [{ ...gap, to: first.from }] : []
}

function isBetween(row: SegmentRow, { after, through }: SessionMark): boolean {
  return (!after || order(row, after) > 0) && (!through || order(row, through) <= 0)
}

function order(a: SegmentMark, b: SegmentMark): number {
  return a.epoch - b.epoch || a.seq - b.seq
}

/**
 * Pictures that came and are in no segment stand in gaps, also before the first segment. An end far behind the last
 * segment is one that the agent did not live to see: the hole before it is a gap.
 */
function corrected(
  range: { from: number; to: number },
  segments: readonly SegmentRow[],
  gaps: readonly Gap[],
): { from: number; to: number } {
  const lost = gaps.filter(({ from, units = 0 }) => units > 0 && from >= range.from - recordingSlackMs)
  const first = segments[0]?.from ?? range.from
  const last = segments.at(-1)?.to ?? range.to
  return {
    from: Math.min(first, ...lost.map(({ from }) => from)),
    to: last >= range.to - recordingSlackMs ? last : range.to,
  }
}

/** The hole around each standstill of the agent, unless the ring has explained it already. */
function pauseGaps(
  segments: readonly SegmentRow[],
  known: readonly Gap[],
  { from, to }: { from: number; to: number },
  pauses: readonly Pause[],
): Gap[] {
  return pauses.flatMap(({ at, cause }) => {
    const before = segments.filter((row) => row.from < at).at(-1)?.to ?? from
    const after = segments.find((row) => row.from >= at)?.from ?? to
    const explained = known.some((gap) => gap.from <= before && gap.to >= after)
    return after > before && !explained ? [{ from: before, to: after, cause }] : []
  })
}

function clipped(gap: Gap, from: number, to: number): Gap[] {
  const start = Math.max(gap.from, from)
  const end = Math.min(gap.to, to)
  const touches = end > start || (gap.from === gap.to && gap.from >= from && gap.from < to)
  return touches ? [{ ...gap, from: start, to: end }] : []
}

/** Sorted, without repeats; past the bound the neighbours become one gap that covers both. */
function joined(gaps: readonly Gap[]): Gap[] {
  const sorted = gaps.toSorted((a, b) => a.from - b.from || a.to - b.to)
  const once = sorted.filter((gap, i) => {
    const before = sorted[i - 1]
    return !before || before.from !== gap.from || before.to !== gap.to || before.cause !== gap.cause
  })
  const perGap = Math.ceil(once.length / recordingGapsMax)
  if (perGap <= 1) return once
  return Array.from({ length: Math.ceil(once.length / perGap) }, (_, i) =>
    covering(once.slice(i * perGap, (i + 1) * perGap)),
  )
}

function covering(gaps: readonly Gap[]): Gap {
  const units = gaps.reduce((sum, gap) => sum + (gap.units ?? 0), 0)
  return {
    from: Math.min(...gaps.map((gap) => gap.from)),
    to: Math.max(...gaps.map((gap) => gap.to)),
    cause: gaps[0]?.cause ?? 'missing',
    ...(units > 0 ? { units } : {}),
  }
}
