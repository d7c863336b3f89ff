import { expireParallel } from '../../shared/cloud-limits.ts'
import { keys } from '../../shared/contract/segment.ts'
import { uploadKeepMs } from '../../shared/limits.ts'
import type { Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { withWorkKeys } from '../rows/job-state.ts'
import { timeKey, work } from '../rows/keys.ts'
import { isRebuilding } from '../rows/rebuild.ts'
import { type SegmentRow, segmentRow } from '../rows/segment.ts'
import { deleteOldVersions } from './delete-objects.ts'
import { inParallel } from './in-parallel.ts'
import type { JobPorts } from './job-ports.ts'
import { purge } from './purge.ts'
import { rawCreatedEvent } from './raw-event.ts'
import { retain } from './retention.ts'
import { sendAgain } from './send-again.ts'

const temporaryPrefixes = ['tmp/', 'uploads/', 'results/']

/**
 * Deletes the raw files of segments whose MP4 was verified a day ago, and what lies under temporary prefixes
 * for as long. Manifest and index stay: they hold the times, and a catalogue can be rebuilt from them. Then what
 * is older than the archive keeps, what deleted recordings held, and the files of old versions of exports.
 * First, what was lost on its way to a queue is sent for again. Run it as often as you like; killed anywhere, the next
 * run goes on.
 */
export async function expire(
  ports: JobPorts,
  signal: AbortSignal,
  { keepMs }: { keepMs?: number | undefined } = {},
): Promise<{ segments: number; objects: number; sentAgain: number }> {
  const sentAgain = await sendAgain(ports, signal)
  const segments = await expireRaw(ports, signal)
  if (!(await isRebuilding(ports.catalogue))) {
    if (keepMs !== undefined) await retain(ports, keepMs, signal)
    await purge(ports, signal)
  }
  const old = await deleteOldVersions(ports, signal)
  return { segments, objects: old + (await expireTemporary(ports, signal)), sentAgain }
}

async function expireRaw(ports: JobPorts, signal: AbortSignal): Promise<number> {
  const { catalogue, clock } = ports
  const due = { index: 'gsi2' as const, pk: work.expire, to: timeKey(clock.nowMs()), limit: 100 }
  let deleted = 0
  let cursor: string | undefined
  do {
    // By the cursor: an index lags, so what is done may still stand on its first page.
    const page = await catalogue.query({ ...due, ...(cursor !== undefined && { cursor }) })
    await inParallel(page.rows, expireParallel, async (row) => {
      signal.throwIfAborted()
      if (await expireSegment(segmentRow.parse(row), ports)) deleted += 1
    })
    cursor = page.cursor
  } while (cursor !== undefined)
  return deleted
}

/**
 * Whether its raw files are gone now. A row that another run has done with is left as it is. Of an MP4 that is gone or
 * cut short the row must not say that it is there: the raw files make a new one.
 */
async function expireSegment(segment: SegmentRow, ports: JobPorts): Promise<boolean> {
  const { store, catalogue, clock, queue } = ports
  const { media } = segment
  const isVerified =
    media !== undefined && (await store.head(media.key, { sizeOnly: true }))?.sizeBytes === media.sizeBytes
  if (isVerified) for (const key of rawKeys(segment)) await store.delete(key)
  let again = false
  await changeRow(catalogue, segment, (before) => {
    again = false
    if (before?.gsi2pk !== work.expire) return undefined
    again = !isVerified
    const { gsi2pk: _pk, gsi2sk: _sk, ...rest } = before
    return isVerified ? { ...rest, rawDeletedAt: clock.nowMs() } : unmuxed(rest as Row, clock.nowMs())
  })
  if (again) await queue.send('mux', rawCreatedEvent(keys.raw(segment, 'json'), 0))
  return isVerified
}

function unmuxed({ media: _media, ...row }: Row, now: number): Row {
  const fresh = { status: 'PENDING', attempts: 0, leaseUntil: 0, progress: 0, updatedAt: now }
  return withWorkKeys({ ...(row as Row), ...fresh })
}

/** Pictures, and sound that is in the MP4. G.711 has only its raw file. */
function rawKeys(segment: SegmentRow): string[] {
  const video = segment.video ? [keys.raw(segment, segment.video.codec)] : []
  const audio = segment.audio?.codec === 'aac' && segment.media?.audio ? [keys.raw(segment, 'aac')] : []
  return [...video, ...audio]
}

async function expireTemporary({ store, clock }: JobPorts, signal: AbortSignal): Promise<number> {
  let deleted = 0
  for (const prefix of temporaryPrefixes) {
    let cursor: string | undefined
    do {
      const page = await store.list(prefix, cursor)
      const old = page.keys.filter(({ lastModifiedMs }) => lastModifiedMs + uploadKeepMs <= clock.nowMs())
      await inParallel(old, expireParallel, async ({ key }) => {
        signal.throwIfAborted()
        await store.delete(key)
        deleted += 1
      })
      cursor = page.cursor
    } while (cursor !== undefined)
  }
  return deleted
}
