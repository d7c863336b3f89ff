import { keys, segmentFiles, segmentName } from '../../shared/contract/segment.ts'
import { deleteAgainMs, deletePatienceMs, tombstoneS } from '../../shared/limits.ts'
import type { Row } from '../ports.ts'
import { addAudit } from '../rows/access.ts'
import { changeRow } from '../rows/change-row.ts'
import { clampWallMs, timeKey, work, workKey } from '../rows/keys.ts'
import {
  changeRecording,
  getRecording,
  type RecordingRow,
  type RecordingRows,
  recordingRow,
  segmentIds,
} from '../rows/recording.ts'
import { type SegmentRow, segmentKey, segmentsById } from '../rows/segment.ts'
import { getTask } from '../rows/task.ts'
import { type AgentClaims, ClaimsBeside } from './claims-beside.ts'
import { deletePrefix } from './delete-objects.ts'
import { rangeOf } from './export-check.ts'
import type { JobPorts } from './job-ports.ts'

/**
 * Deletes what deleted recordings held, after their grace: exports, revisions, and every segment that no other
 * recording lists or, still open, may come to list, and whose stream does not keep everything anyway. The
 * recording's row stays: a revision that is sent again must not bring it back. Returns how many were done.
 */
export async function purge(ports: JobPorts, signal: AbortSignal): Promise<number> {
  const now = ports.clock.nowMs()
  const beside = new ClaimsBeside(ports)
  let done = 0
  for (;;) {
    const page = await ports.catalogue.query({ index: 'gsi2', pk: work.purge, to: timeKey(now), limit: 10 })
    if (page.rows.length === 0) return done
    for (const row of page.rows) {
      signal.throwIfAborted()
      const rows = await getRecording(ports.catalogue, recordingRow.parse(row).id)
      const claims = rows && (await beside.of(rows.meta))
      if (claims === 'unknown') await lookAgain(rows?.meta ?? recordingRow.parse(row), ports)
      else if (claims) await purgeRecording(rows, claims, ports, signal)
      done += 1
    }
  }
}

async function purgeRecording(
  rows: RecordingRows,
  claims: AgentClaims,
  ports: JobPorts,
  signal: AbortSignal,
): Promise<void> {
  const { store } = ports
  const { id, agent, rev } = rows.meta
  const count = { deleted: 0, kept: 0, awaited: (await isExporting(rows.meta, ports)) ? 1 : 0, bytes: 0 }
  for (const stream of rows.streams) {
    const ids = segmentIds(stream)
    const found = await segmentsById(ports.catalogue, {
      ...rangeOf(rows.meta, stream),
      ids,
      withDeleted: true,
    })
    for (const name of ids.map(segmentName)) {
      signal.throwIfAborted()
      const segment = found.get(name)
      if (!segment || segment.status === 'PENDING' || segment.status === 'PROCESSING') count.awaited += 1
      else if (segment.kept === 'always' || claims.wants(segment)) count.kept += 1
      else {
        count.bytes += await deleteSegment(segment, ports)
        count.deleted += 1
      }
    }
  }
  await deletePrefix(store, `exports/${id}/`)
  for (let old = 1; old <= rev; old += 1) await store.delete(keys.recording(agent, id, old))
  const what = `purge: ${count.deleted} segments deleted (${count.bytes} bytes), ${count.kept} kept, ${count.awaited} not there yet`
  await addAudit(ports.catalogue, { recording: id, atMs: ports.clock.nowMs(), who: 'cloud', what })
  if (count.awaited > 0) await lookAgain(rows.meta, ports)
  else await finish(rows.meta, ports)
}

/** What it has in hand it writes to the end. */
async function isExporting(meta: RecordingRow, { catalogue }: JobPorts): Promise<boolean> {
  const task = meta.export && (await getTask(catalogue, meta.export.task))
  return task?.status === 'PENDING' || task?.status === 'PROCESSING'
}

/** The row says so first: killed in between, nobody is shown what is half gone, and the next run goes on. */
export async function deleteSegment(
  segment: SegmentRow,
  { store, catalogue, clock }: JobPorts,
): Promise<number> {
  const now = clock.nowMs()
  await changeRow(catalogue, segmentKey(segment, segment.from), (row) =>
    row?.deletedAt === undefined ? tombstoneOf(segment, now) : undefined,
  )
  const own = [
    keys.media(segment),
    keys.damage(segment),
    keys.thumbnail(segment),
    ...segmentFiles.map((ext) => keys.raw(segment, ext)),
  ]
  let bytes = 0
  for (const key of own) {
    bytes += (await store.head(key, { sizeOnly: true }))?.sizeBytes ?? 0
    await store.delete(key)
  }
  return bytes
}

/** SUCCESS, so that its agent is content and an event that comes again has nothing to do. */
function tombstoneOf(segment: SegmentRow, now: number): Row {
  const { gsi2pk: _pk, gsi2sk: _sk, media: _media, thumbnail: _thumbnail, ...rest } = segment as Row
  const { damagedRecords: _damaged, ...kept } = rest
  const gone = { status: 'SUCCESS', gaps: [], deletedAt: now, ttl: Math.floor(now / 1000) + tombstoneS }
  return { ...(kept as Row), ...gone, updatedAt: now }
}

/** Tomorrow, for as long as something may still come. */
async function lookAgain(meta: RecordingRow, ports: JobPorts): Promise<void> {
  const now = ports.clock.nowMs()
  if (now >= (meta.deletedAt ?? now) + deletePatienceMs) await finish(meta, ports)
  else {
    const gsi2sk = workKey(clampWallMs(now + deleteAgainMs), meta.pk, meta.sk)
    await changeRecording(ports.catalogue, meta.id, (row) => ({ ...row, gsi2sk }))
  }
}

/** Out of all lists; what stays is that it was there. */
async function finish(meta: RecordingRow, { catalogue, clock }: JobPorts): Promise<void> {
  await changeRecording(catalogue, meta.id, (row) => {
    const { gsi1pk: _1, gsi1sk: _2, gsi2pk: _3, gsi2sk: _4, files: _files, ...rest } = row as Row
    return { ...(rest as Row), purgedAt: clock.nowMs() }
  })
}
