import type { z } from 'zod'
import {
  deletingMsMax,
  rawFileBytesMax,
  rawJsonBytesMax,
  requeueAfterMs,
  uploadUrlS,
} from '../../shared/cloud-limits.ts'
import { keys, type SegmentId, soundFiles } from '../../shared/contract/segment.ts'
import type {
  recordingsRequest,
  recordingsResponse,
  SegmentToUpload,
  segmentsResponse,
  statusResponse,
  UploadStatus,
  UploadTarget,
} from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import { rawCreatedEvent } from '../jobs/raw-event.ts'
import type { ObjectHead } from '../ports.ts'
import { getRecording } from '../rows/recording.ts'
import { findSegment, getSegment, type SegmentRow } from '../rows/segment.ts'
import type { ApiPorts } from './route.ts'

type File = SegmentToUpload['files'][number]
type Targets = z.infer<typeof segmentsResponse>['segments'][number]
type Status = z.infer<typeof statusResponse>['segments'][number]
type Revision = z.infer<typeof recordingsRequest>['recordings'][number]
type RevisionAnswer = z.infer<typeof recordingsResponse>['recordings'][number]

/** One address a file: exactly this key, length and checksum, and only while nothing has the key. */
export async function segmentTargets(
  ports: ApiPorts,
  agent: string,
  segment: SegmentToUpload,
): Promise<Targets> {
  const id = { ...idOf(segment), agent }
  const files = segment.files.map(async (file) => {
    const target = await presign(ports, keys.raw(id, file.ext), file, file.ext === 'json')
    return { ext: file.ext, ...target }
  })
  return { ...idOf(segment), files: await Promise.all(files) }
}

async function presign(
  { store }: ApiPorts,
  key: string,
  file: { sizeBytes: number; sha256: string },
  json: boolean,
): Promise<UploadTarget> {
  const bytesMax = json ? rawJsonBytesMax : rawFileBytesMax
  if (file.sizeBytes > bytesMax) {
    throw new AppError('InvalidArgument', `${key}: ${file.sizeBytes} bytes, at most ${bytesMax} are taken.`, {
      zh: `${key}：${file.sizeBytes} 字节，超过上限 ${bytesMax}。`,
    })
  }
  const { sizeBytes, sha256 } = file
  const contentType = json ? 'application/json' : 'application/octet-stream'
  return { key, ...(await store.presignPut({ key, sizeBytes, sha256, contentType, expiresS: uploadUrlS })) }
}

/** `stored`: the checksum that the store itself computed is the agent's, for each file. */
export async function segmentStatus(
  ports: ApiPorts,
  agent: string,
  segment: SegmentToUpload,
): Promise<Status> {
  const id = { ...idOf(segment), agent }
  const answer = (status: UploadStatus, stored: File['ext'][] = []): Status => ({
    ...idOf(segment),
    status,
    stored,
  })
  const heads = await Promise.all(
    segment.files.map(async (file) => ({ file, head: await ports.store.head(keys.raw(id, file.ext)) })),
  )
  if (heads.some(({ file, head }) => head && !isSame(file, head))) return answer('mismatch')
  const found = await findSegment(ports.catalogue, id)
  const row = found?.deletedAt !== undefined && segment.again ? await forgetDeleted(ports, found) : found
  // Nothing is sent that is already there: so the agent asks again until the deletion is through.
  if (row?.deletedAt !== undefined && segment.again)
    return answer(
      'missing',
      segment.files.map(({ ext }) => ext),
    )
  if (row?.status === 'FAILED') return answer('quarantined')
  // Its raw objects may be deleted by now: the job that did it had verified the MP4.
  if (row?.status === 'SUCCESS') return answer(fits(row, segment) ? 'muxed' : 'mismatch')
  const stored = heads.filter(({ head }) => head).map(({ file }) => file.ext)
  if (stored.length < segment.files.length) return answer('missing', stored)
  const manifest = heads.find(({ file }) => file.ext === 'json')
  if (!manifest?.head) return answer('missing', stored)
  await wakeAgain(ports, keys.raw(id, 'json'), manifest.head)
  return answer('stored', stored)
}

/** From then on it is a segment that never came. The row as it is while something of it may still be deleted. */
async function forgetDeleted(
  { catalogue, clock }: ApiPorts,
  found: SegmentRow,
): Promise<SegmentRow | undefined> {
  const row = await getSegment(catalogue, found, found.from) // `found` is an index's, and may be of a second ago.
  if (row?.deletedAt === undefined || clock.nowMs() < row.deletedAt + deletingMsMax) return row
  await catalogue.delete(row.pk, row.sk, row.version)
  return undefined
}

function isSame(file: { sizeBytes: number; sha256: string }, head: ObjectHead): boolean {
  return head.sizeBytes === file.sizeBytes && head.sha256 === file.sha256
}

/** The row does not keep checksums; two different segments of one name and these same sizes do not happen. */
function fits(row: SegmentRow, segment: SegmentToUpload): boolean {
  const size = (exts: readonly File['ext'][]) =>
    segment.files.find((file) => exts.includes(file.ext))?.sizeBytes
  const same = (asked: number | undefined, kept: number | undefined) => asked === undefined || asked === kept
  return same(size(['h264', 'h265']), row.video?.sizeBytes) && same(size(soundFiles), row.audio?.sizeBytes)
}

/** A notification that was lost, or a job that nobody finished: told again, a mux twice is a mux once. */
async function wakeAgain({ queue, clock }: ApiPorts, key: string, head: ObjectHead): Promise<void> {
  if (clock.nowMs() - head.lastModifiedMs < requeueAfterMs) return
  await queue.send('mux', rawCreatedEvent(key, head.sizeBytes))
}

export async function recordingAnswer(
  ports: ApiPorts,
  agent: string,
  revision: Revision,
): Promise<RevisionAnswer> {
  const { id, rev } = revision
  const known = await getRecording(ports.catalogue, id)
  if (known && known.meta.agent !== agent) return { id, rev, status: 'mismatch' }
  if (known?.meta.deletedAt !== undefined && known.meta.rev >= rev) return { id, rev, status: 'stored' }
  const key = keys.recording(agent, id, rev)
  const head = await ports.store.head(key)
  if (!head) return { id, rev, status: 'missing', target: await presign(ports, key, revision, true) }
  if (!isSame(revision, head)) return { id, rev, status: 'mismatch' }
  if (!known || known.meta.rev < rev) await wakeAgain(ports, key, head)
  return { id, rev, status: 'stored' }
}

function idOf({ stream, epoch, seq }: SegmentToUpload): Omit<SegmentId, 'agent'> {
  return { stream, epoch, seq }
}
