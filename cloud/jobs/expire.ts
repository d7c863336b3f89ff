import { keys } from '../../shared/contract/segment.ts'
import { uploadKeepMs } from '../../shared/limits.ts'
import type { Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { withWorkKeys } from '../rows/job-state.ts'
import { timeKey, work } from '../rows/keys.ts'
import { isRebuilding } from '../rows/rebuild.ts'
import { type SegmentRow, segmentRow } from '../rows/segment.ts'
import { deleteOldVersions } from './delete-objects.ts'
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
  const { store, catalogue, clock } = ports
  const now = clock.nowMs()
  let deleted = 0
  for (;;) {
    // Each row leaves the partition when it is done, so the first page is always the next one.
    const page = await catalogue.query({ index: 'gsi2', pk: work.expire, to: timeKey(now), limit: 100 })
    if (page.rows.length === 0) return deleted
    for (const row of page.rows) {
      signal.throwIfAborted()
      const segment = segmentRow.parse(row)
      const isVerified =
        segment.media &&
        (await store.head(segment.media.key, { sizeOnly: true }))?.sizeBytes === segment.media.sizeBytes
      if (!isVerified) {
        await muxAgain(segment, ports)
        continue
      }
      for (const key of rawKeys(segment)) await store.delete(key)
      await changeRow(catalogue, segment, (before) => {
        const { gsi2pk: _pk, gsi2sk: _sk, ...rest } = before ?? segment
        return { ...rest, rawDeletedAt: now }
      })
      deleted += 1
    }
  }
}

/** Its MP4 is gone or cut short: the row must not say otherwise, and the raw files make a new one. */
async function muxAgain(segment: SegmentRow, { catalogue, queue, clock }: JobPorts): Promise<void> {
  const key = keys.raw(segment, 'json')
  await changeRow(catalogue, segment, (before) => {
    const { gsi2pk: _pk, gsi2sk: _sk, media: _media, ...rest } = before ?? segment
    if (segment.deletedAt !== undefined) return rest as Row
    return withWorkKeys({ ...(rest as Row), ...freshAttempts, status: 'PENDING', updatedAt: clock.nowMs() })
  })
  if (segment.deletedAt === undefined) await queue.send('mux', rawCreatedEvent(key, 0))
}

const freshAttempts = { attempts: 0, leaseUntil: 0, progress: 0 }

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
      for (const { key, lastModifiedMs } of page.keys) {
        signal.throwIfAborted()
        if (lastModifiedMs + uploadKeepMs > clock.nowMs()) continue
        await store.delete(key)
        deleted += 1
      }
      cursor = page.cursor
    } while (cursor !== undefined)
  }
  return deleted
}
