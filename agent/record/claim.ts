import type { Recording, RecordingStream } from '../../shared/contract/recording.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { recordingStreamsMax } from '../../shared/limits.ts'

/** What a recording is asked to be. Times are the agent's wall ms. */
export type ClaimRequest = {
  streams: readonly string[]
  /** Makes the start idempotent: the same id again answers the recording that there is. */
  id?: string
  /** Absent: now. In the past as far as the ring reaches; in the future the claim is armed. */
  from?: number
  to?: number
  durationMs?: number
  title?: string
  labels?: readonly string[]
  /** A capture of phones: ends with them, and its ends are those of its pictures. */
  session?: boolean
  /** What the ring no longer holds of it, by stream. */
  missing?: Readonly<Record<string, Gap>>
}

/** Wall ms at which it is to end; undefined: when it is stopped. */
export function endOf({ to, durationMs }: ClaimRequest, from: number): number | undefined {
  return to ?? (durationMs === undefined ? undefined : from + durationMs)
}

const minute = 60_000
const year = 366 * 24 * 60 * minute

/** Revision 1 of a recording. Throws `InvalidArgument` for a request that means nothing. */
export function newClaim(
  request: ClaimRequest,
  about: { agent: string; id: string; nowMs: number },
): Recording {
  const names = [...new Set(request.streams)]
  if (names.length < 1 || names.length > recordingStreamsMax || !names.every(isName)) {
    throw wrong(
      `Name 1 to ${recordingStreamsMax} streams to record.`,
      `请指定 1 到 ${recordingStreamsMax} 个流。`,
    )
  }
  if (!isName(about.id)) throw wrong('This is not an id of a recording.', '录像编号无效。')
  const from = request.from ?? about.nowMs
  const to = endOf(request, from) ?? null
  if (to !== null && to <= from)
    throw wrong('A recording must end after it begins.', '结束时间必须晚于开始时间。')
  if (Math.abs(from - about.nowMs) > year || (to !== null && to - from > year)) {
    throw wrong('A recording begins and ends within a year from now.', '录像须在一年之内开始和结束。')
  }
  return {
    version: 1,
    id: about.id,
    agent: about.agent,
    rev: 1,
    state: from > about.nowMs ? 'armed' : 'open',
    ...(request.title === undefined ? {} : { title: request.title }),
    labels: [...(request.labels ?? [])],
    createdAt: about.nowMs,
    from,
    to: null,
    ...(to === null ? {} : { until: to }),
    ...(request.session ? { session: true } : {}),
    streams: names.map((name) => claimStream(name, from, request.missing?.[name])),
  }
}

export function claimStream(name: string, from: number, missing?: Gap): RecordingStream {
  return { name, from, to: null, segments: [], gaps: missing ? [missing] : [] }
}

/**
 * What the file of an open recording holds beside the contract's keys, so that it can be resumed:
 * when it is to end, whether it is a phones' session, and the standstills of the agent so far.
 */
export type ClaimNotes = {
  until?: number
  session?: boolean
  /** Set by an orderly stop of the agent. */
  pausedAt?: number
  pauses?: { at: number; cause: 'crash' | 'source-lost' }[]
  /** Of a session, by stream: between which segments of the ring its own lie. */
  marks?: Record<string, SessionMark>
}

export type SegmentMark = { epoch: number; seq: number }
/** `after`: the newest segment before the session began, none when absent; `through`: the newest when it ended. */
export type SessionMark = { after?: SegmentMark; through?: SegmentMark }

export function claimNotes(recording: Recording): ClaimNotes {
  const { until, session, pausedAt, pauses, marks } = recording as ClaimNotes
  return {
    ...(typeof until === 'number' ? { until } : {}),
    ...(session === true ? { session } : {}),
    ...(typeof pausedAt === 'number' ? { pausedAt } : {}),
    ...(typeof marks === 'object' && marks !== null ? { marks } : {}),
    ...(Array.isArray(pauses) ? { pauses: pauses.filter((pause) => typeof pause?.at === 'number') } : {}),
  }
}

/** The recording without the notes that only an open one needs. */
export function withoutNotes(recording: Recording): Recording {
  const { until: _until, pausedAt: _pausedAt, marks: _marks, ...rest } = recording
  return rest as Recording
}

/** A resumed claim: the agent was away, and the file of the recording says so before anything else happens. */
export function resumedClaim(recording: Recording, nowMs: number): Recording {
  const { pausedAt, pauses = [] } = claimNotes(recording)
  const { pausedAt: _, ...rest } = recording
  const pause = { at: nowMs, cause: pausedAt === undefined ? ('crash' as const) : ('source-lost' as const) }
  return { ...(rest as Recording), rev: recording.rev + 1, pauses: [...pauses.slice(-99), pause] }
}

function wrong(en: string, zh: string): AppError {
  return new AppError('InvalidArgument', en, { zh })
}
