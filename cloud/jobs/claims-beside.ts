import { z } from 'zod'
import { claimsFreshMs } from '../../shared/cloud-limits.ts'
import { deleteHeardMs, unfinishedClaimsMax } from '../../shared/limits.ts'
import { type AgentRow, getAgent } from '../rows/access.ts'
import { listRecordings, type RecordingRow, recordingStreamRow } from '../rows/recording.ts'
import type { SegmentRow } from '../rows/segment.ts'
import type { JobPorts } from './job-ports.ts'

type Runs = [epoch: number, first: number, last: number][]

/** By stream, what recordings want of it: exact segments, or everything from a time on. */
type Claims = Map<string, { runs: Runs; fromMs: number }>

export type AgentClaims = { wants(segment: SegmentRow): boolean }

/**
 * What the recordings that are not deleted want of one agent's segments. Reads the heads of all recordings: so it is
 * asked once for many deletions, and again only when it is a minute old, as old as a heartbeat is.
 */
export class ClaimsBeside {
  readonly #ports: JobPorts
  readonly #known = new Map<string, { atMs: number; claims: Promise<Known> }>()

  constructor(ports: JobPorts) {
    this.#ports = ports
  }

  /**
   * For a deleted recording. `unknown`: its agent has not been heard since, so that it may have an open one which the
   * cloud does not know.
   */
  async of(deleted: RecordingRow): Promise<AgentClaims | 'unknown'> {
    const { told, heardAtMs, listed } = await this.#knownOf(deleted.agent)
    const nowMs = this.#ports.clock.nowMs()
    const deletedAt = deleted.deletedAt ?? nowMs
    if (heardAtMs >= deletedAt) return told === 'unknown' ? 'unknown' : wanting([listed, told])
    return nowMs >= deletedAt + deleteHeardMs ? wanting([listed]) : 'unknown'
  }

  #knownOf(agent: string): Promise<Known> {
    const nowMs = this.#ports.clock.monotonicMs()
    const known = this.#known.get(agent)
    if (known && nowMs - known.atMs < claimsFreshMs) return known.claims
    const claims = readClaims(agent, this.#ports)
    this.#known.set(agent, { atMs: nowMs, claims })
    return claims
  }
}

type Known = { heardAtMs: number; told: Claims | 'unknown'; listed: Claims }

async function readClaims(agent: string, { catalogue }: JobPorts): Promise<Known> {
  const row = await getAgent(catalogue, agent)
  const listed: Claims = new Map()
  let cursor: string | undefined
  do {
    const page = await listRecordings(catalogue, cursor === undefined ? {} : { cursor })
    for (const meta of page.recordings) if (meta.agent === agent) await addRecording(listed, meta, catalogue)
    cursor = page.cursor
  } while (cursor !== undefined)
  return { heardAtMs: row?.seenAt ?? 0, told: toldClaims(row), listed }
}

/** What those of `recordings` that are this agent's want, and the unfinished ones that it last told of. */
export async function claimsOfAgent(
  agent: string,
  recordings: readonly RecordingRow[],
  { catalogue }: Pick<JobPorts, 'catalogue'>,
): Promise<AgentClaims | 'unknown'> {
  const told = toldClaims(await getAgent(catalogue, agent))
  if (told === 'unknown') return 'unknown'
  const listed: Claims = new Map()
  for (const meta of recordings) if (meta.agent === agent) await addRecording(listed, meta, catalogue)
  return wanting([listed, told])
}

function wanting(all: readonly Claims[]): AgentClaims {
  return {
    wants: ({ stream, epoch, seq, to }) =>
      all.some((claims) => {
        const { fromMs = Number.POSITIVE_INFINITY, runs = [] } = claims.get(stream) ?? {}
        return to > fromMs || runs.some(([of, first, last]) => of === epoch && first <= seq && seq <= last)
      }),
  }
}

async function addRecording(
  claims: Claims,
  { state, pk, streamNames, from }: RecordingRow,
  catalogue: JobPorts['catalogue'],
): Promise<void> {
  if (state !== 'closed') return addOpen(claims, streamNames, from)
  for (const name of streamNames) {
    const row = await catalogue.get(pk, `STREAM#${name}`)
    if (row) claimOn(claims, name).runs.push(...recordingStreamRow.parse(row).runs)
  }
}

function addOpen(claims: Claims, names: readonly string[], fromMs: number): void {
  for (const name of names) {
    const claim = claimOn(claims, name)
    claim.fromMs = Math.min(claim.fromMs, fromMs)
  }
}

function claimOn(claims: Claims, stream: string) {
  const claim = claims.get(stream) ?? { runs: [], fromMs: Number.POSITIVE_INFINITY }
  claims.set(stream, claim)
  return claim
}

/** The part of a heartbeat's state that tells open recordings, and closed ones that are not stored yet. */
const heartbeatState = z.looseObject({
  agentState: z.looseObject({
    claims: z.array(z.looseObject({ from: z.number(), streams: z.array(z.string()) })).optional(),
  }),
})

function toldClaims(agent: AgentRow | undefined): Claims | 'unknown' {
  const state = heartbeatState.safeParse(agent?.state)
  const told = (state.success && state.data.agentState.claims) || []
  if (told.length > unfinishedClaimsMax) return 'unknown'
  const claims: Claims = new Map()
  for (const { from, streams } of told) addOpen(claims, streams, from)
  return claims
}
