import { z } from 'zod'
import { deleteHeardMs, unfinishedClaimsMax } from '../../shared/limits.ts'
import { type AgentRow, getAgent } from '../rows/access.ts'
import { getRecording, listRecordings, type RecordingRow, type RecordingRows } from '../rows/recording.ts'
import type { SegmentRow } from '../rows/segment.ts'
import type { JobPorts } from './job-ports.ts'

/** What other recordings want of the streams of one: exact segments, or everything from a time on. */
export type Claims = Map<string, { runs: [epoch: number, first: number, last: number][]; fromMs: number }>

/**
 * `unknown`: the agent has not been heard since the recording was deleted, so that it may have an open one
 * which the cloud does not know. Reads the heads of all recordings; a deletion is rare.
 */
export async function claimsBeside(
  { meta, streams }: RecordingRows,
  ports: JobPorts,
): Promise<Claims | 'unknown'> {
  const claims: Claims = new Map(
    streams.map(({ name }) => [name, { runs: [], fromMs: Number.POSITIVE_INFINITY }]),
  )
  const unfinished = unfinishedClaims(await getAgent(ports.catalogue, meta.agent), meta, ports.clock.nowMs())
  if (unfinished === 'unknown') return 'unknown'
  for (const { from, streams: names } of unfinished) addOpen(claims, names, from)
  let cursor: string | undefined
  do {
    const page = await listRecordings(ports.catalogue, cursor === undefined ? {} : { cursor })
    for (const other of page.recordings) await addRecording(claims, other, meta, ports)
    cursor = page.cursor
  } while (cursor !== undefined)
  return claims
}

export function wantsSegment(claims: Claims, { stream, epoch, seq, to }: SegmentRow): boolean {
  const claim = claims.get(stream)
  if (!claim) return false
  return (
    to > claim.fromMs || claim.runs.some(([of, first, last]) => of === epoch && first <= seq && seq <= last)
  )
}

async function addRecording(
  claims: Claims,
  other: RecordingRow,
  meta: RecordingRow,
  { catalogue }: JobPorts,
): Promise<void> {
  const shares = other.agent === meta.agent && other.streamNames.some((name) => claims.has(name))
  if (other.id !== meta.id && shares) await addClaims(claims, other, catalogue)
}

async function addClaims(claims: Claims, of: RecordingRow, catalogue: JobPorts['catalogue']): Promise<void> {
  if (of.state !== 'closed') {
    addOpen(claims, of.streamNames, of.from)
    return
  }
  const rows = await getRecording(catalogue, of.id)
  for (const { name, runs } of rows?.streams ?? []) claims.get(name)?.runs.push(...runs)
}

function addOpen(claims: Claims, names: readonly string[], fromMs: number): void {
  for (const name of names) {
    const claim = claims.get(name)
    if (claim) claim.fromMs = Math.min(claim.fromMs, fromMs)
  }
}

/** The part of a heartbeat's state that tells open recordings, and closed ones that are not stored yet. */
const heartbeatState = z.looseObject({
  agentState: z.looseObject({
    claims: z.array(z.looseObject({ from: z.number(), streams: z.array(z.string()) })).optional(),
  }),
})

function unfinishedClaims(agent: AgentRow | undefined, meta: RecordingRow, nowMs: number) {
  const deletedAt = meta.deletedAt ?? nowMs
  const heardAt = agent?.seenAt ?? 0
  if (heardAt < deletedAt) return nowMs >= deletedAt + deleteHeardMs ? [] : 'unknown'
  return toldClaims(agent)
}

function toldClaims(agent: AgentRow | undefined) {
  const state = heartbeatState.safeParse(agent?.state)
  const claims = (state.success && state.data.agentState.claims) || []
  return claims.length > unfinishedClaimsMax ? 'unknown' : claims
}

export type AgentClaims = { wants(segment: SegmentRow): boolean }

/** What those of `recordings` that are this agent's want, and the unfinished ones that it last told of. */
export async function claimsOfAgent(
  agent: string,
  recordings: readonly RecordingRow[],
  { catalogue }: Pick<JobPorts, 'catalogue'>,
): Promise<AgentClaims | 'unknown'> {
  const unfinished = toldClaims(await getAgent(catalogue, agent))
  if (unfinished === 'unknown') return 'unknown'
  const own = recordings.filter((meta) => meta.agent === agent)
  const names = [...own.map((meta) => meta.streamNames), ...unfinished.map((claim) => claim.streams)].flat()
  const claims: Claims = new Map(names.map((name) => [name, { runs: [], fromMs: Number.POSITIVE_INFINITY }]))
  for (const { from, streams } of unfinished) addOpen(claims, streams, from)
  for (const meta of own) await addClaims(claims, meta, catalogue)
  return { wants: (segment) => wantsSegment(claims, segment) }
}
