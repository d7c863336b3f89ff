import { deleteGraceMs, retentionParallel } from '../../shared/limits.ts'
import { addAudit } from '../rows/access.ts'
import { timeKey, work, workKey } from '../rows/keys.ts'
import { monthsUntil } from '../rows/months.ts'
import { changeRecording, type RecordingRow, recordingRow } from '../rows/recording.ts'
import { forgetSegmentDay, type SegmentDay, segmentDaysBefore, segmentsBetween } from '../rows/segment.ts'
import { type AgentClaims, claimsOfAgent } from './claims-beside.ts'
import { inParallel } from './in-parallel.ts'
import type { JobPorts } from './job-ports.ts'
import { deleteSegment } from './purge.ts'

/**
 * What ended before `now − keepMs` goes: recordings without a hold as if someone had deleted them, and segments
 * of whole days that no recording which stays wants (streams that upload everything). Reads only what is old: the
 * months and days up to then. Run it as often as you like; ended anywhere, the next run goes on.
 */
export async function retain(
  ports: JobPorts,
  keepMs: number,
  signal: AbortSignal,
): Promise<{ recordings: number; segments: number }> {
  const before = ports.clock.nowMs() - keepMs
  const staying: RecordingRow[] = []
  let recordings = 0
  for await (const meta of recordingsFrom(ports, before)) {
    signal.throwIfAborted()
    if (isOver(meta, before) && (await letGo(meta, before, ports))) recordings += 1
    else staying.push(meta)
  }
  let segments = 0
  const claimsOf = new Map<string, Promise<AgentClaims | 'unknown'>>()
  for await (const day of segmentDaysBefore(ports.catalogue, before)) {
    const claiming = claimsOf.get(day.agent) ?? claimsOfAgent(day.agent, staying, ports)
    claimsOf.set(day.agent, claiming)
    const claims = await claiming
    if (claims !== 'unknown') segments += await clearDay(day, before, claims, ports, signal)
  }
  return { recordings, segments }
}

/** Recordings that began before a time, oldest first, deleted ones left out. */
async function* recordingsFrom({ catalogue }: JobPorts, before: number): AsyncGenerator<RecordingRow> {
  for (const month of await monthsUntil(catalogue, 'R#', before)) {
    let cursor: string | undefined
    do {
      const page = await catalogue.query({
        ...{ index: 'gsi1', pk: `R#${month}`, to: timeKey(before) },
        ...(cursor !== undefined && { cursor }),
      })
      for (const row of page.rows) {
        const meta = recordingRow.parse(row)
        if (meta.deletedAt === undefined) yield meta
      }
      cursor = page.cursor
    } while (cursor !== undefined)
  }
}

function isOver({ state, hold, to }: RecordingRow, before: number): boolean {
  return state === 'closed' && !hold && to !== null && to < before
}

/** False when a hold or a new revision came meanwhile: then it stays. */
async function letGo({ id }: RecordingRow, before: number, { catalogue, clock }: JobPorts): Promise<boolean> {
  const now = clock.nowMs()
  let gone = false
  await changeRecording(catalogue, id, (row) => {
    gone = isOver(row, before) && row.deletedAt === undefined
    const gsi2sk = workKey(now + deleteGraceMs, row.pk, row.sk)
    return gone ? { ...row, deletedAt: now, gsi2pk: work.purge, gsi2sk } : undefined
  })
  if (gone) await addAudit(catalogue, { recording: id, atMs: now, who: 'retention', what: 'delete' })
  return gone
}

async function clearDay(
  day: SegmentDay,
  before: number,
  claims: AgentClaims,
  ports: JobPorts,
  signal: AbortSignal,
): Promise<number> {
  const old = []
  let kept = 0
  for await (const row of segmentsBetween(ports.catalogue, day)) {
    const isUnfinished = row.status === 'PENDING' || row.status === 'PROCESSING'
    if (row.to >= before || isUnfinished || claims.wants(row)) kept += 1
    else old.push(row)
  }
  await inParallel(old, retentionParallel, async (row) => {
    signal.throwIfAborted()
    await deleteSegment(row, ports)
  })
  if (kept === 0) await forgetSegmentDay(ports.catalogue, day)
  return old.length
}
