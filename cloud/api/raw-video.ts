import { ReadableStream } from 'node:stream/web'
import { keys } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { readIndex, readManifest } from '../jobs/segment-source.ts'
import type { ObjectStore } from '../ports.ts'
import type { RecordingRows } from '../rows/recording.ts'
import type { SegmentRow } from '../rows/segment.ts'
import { fileTitle } from './recording-view.ts'

/**
 * The recording's pictures as they were received: the Annex B files of its segments one behind the other, whole
 * segments, without the copies with which a segment that was cut in mid-GOP begins. They are kept for a day after
 * their MP4 was verified.
 */
export function rawVideoAnswer(
  store: ObjectStore,
  rows: RecordingRows,
  segments: readonly SegmentRow[],
): Response {
  const pictures = segments.filter((row) => row.video)
  const [first] = pictures
  if (!first?.video || pictures.some((row) => row.rawDeletedAt !== undefined)) {
    throw new AppError('FailedPrecondition', 'The raw pictures are not kept any more; take the MP4.', {
      zh: '原始码流已不再保留，请下载 MP4。',
    })
  }
  const name = `${fileTitle(rows)}-${first.stream}.${first.video.codec}`.replaceAll(/[^A-Za-z0-9._-]/g, '_')
  return new Response(ReadableStream.from(rawBytes(store, pictures)) as unknown as BodyInit, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${name}"`,
    },
  })
}

async function* rawBytes(store: ObjectStore, segments: readonly SegmentRow[]): AsyncGenerator<Uint8Array> {
  let before: SegmentRow | undefined
  for (const row of segments) {
    const follows = before?.epoch === row.epoch && before.seq + 1 === row.seq
    const start = follows ? await ownStart(store, row) : 0
    yield* await store.get(keys.raw(row, row.video?.codec ?? 'h264'), { start })
    before = row
  }
}

/** Where the first picture lies that is not a copy of one in the segment before. */
async function ownStart(store: ObjectStore, row: SegmentRow): Promise<number> {
  const manifest = await readManifest(store, row)
  if (!manifest.video?.duplicates) return 0
  const { records } = await readIndex(store, manifest)
  for (let i = 0; i < records.length; i += 1) {
    if (records.isUnit(i) && records.isVideo(i) && !records.isDuplicate(i)) return records.offset(i)
  }
  return 0
}
