import type { SegmentToUpload, UploadStatus } from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import type { Pace } from './bandwidth.ts'
import type { CloudApi, SegmentTargets } from './cloud-api.ts'
import type { CloudClient } from './cloud-client.ts'
import { type OpenBody, putFile, readPieces } from './put-file.ts'
import type { SegmentRef } from './source.ts'
import { StoreDenied } from './store-denial.ts'

type Ext = SegmentToUpload['files'][number]['ext']

export type SegmentUpload = {
  client: CloudClient
  api: CloudApi
  pace: Pace
  read: (segment: SegmentRef, ext: string, offset: number, length: number) => Promise<Uint8Array>
  /** The store has taken a file. */
  onTaken: () => void
}

/** What is known of a segment in the store before the attempt. */
export type Known = { targets: SegmentTargets; stored: ReadonlySet<Ext> }

/** `sent`: all files were taken, ask `status`; the others are answers already. */
export type SegmentOutcome = 'sent' | 'damaged' | Exclude<UploadStatus, 'missing'>

/**
 * Sends the files of one segment, the manifest last: it is the commit mark, and wakes the mux.
 * Throws what is worth another attempt.
 */
export async function putSegment(
  upload: SegmentUpload,
  segment: SegmentToUpload,
  known: Known,
  signal: AbortSignal,
): Promise<SegmentOutcome> {
  let { targets } = known
  let stored = known.stored
  let renewed = false
  const files = [...segment.files].sort((a, b) => Number(a.ext === 'json') - Number(b.ext === 'json'))

  for (let next = 0; next < files.length; ) {
    const file = files[next]
    if (!file) break
    if (stored.has(file.ext)) {
      next += 1
      continue
    }
    const outcome = await putFile({
      client: upload.client,
      target: targetOf(targets, file.ext),
      file,
      body: bodyOf(upload, segment, file),
      pace: upload.pace,
      signal,
    })
    if (outcome === 'damaged') return 'damaged'
    if (outcome === 'stored') {
      upload.onTaken()
      next += 1
    }
    if (outcome === 'expired') {
      if (renewed) throw new StoreDenied()
      renewed = true
      targets = await first(upload.api.targets([segment], signal))
    }
    if (outcome === 'taken') {
      const answer = await first(upload.api.status([segment], signal))
      if (answer.status !== 'missing') return answer.status
      stored = new Set(answer.stored)
      if (!stored.has(file.ext))
        throw new AppError('Aborted', 'Another upload of the same segment is on its way.')
    }
  }
  return 'sent'
}

function bodyOf(upload: SegmentUpload, segment: SegmentRef, file: { ext: Ext; sizeBytes: number }): OpenBody {
  const read = (offset: number, length: number) => upload.read(segment, file.ext, offset, length)
  return () => readPieces(read, file, upload.pace.chunkBytes)
}

function targetOf(targets: SegmentTargets, ext: Ext) {
  const target = targets.files.find((file) => file.ext === ext)
  if (target) return target
  throw new AppError('Unavailable', `The cloud gave no upload address for the file .${ext}.`)
}

async function first<T>(answers: Promise<T[]>): Promise<T> {
  const [answer] = await answers
  if (answer) return answer
  throw new AppError('Unavailable', 'The cloud answered with an empty list.')
}
