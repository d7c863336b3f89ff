import { keys, segmentName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import {
  thumbnailBytesMax,
  thumbnailEveryMs,
  thumbnailInputBytesMax,
  thumbnailTimeoutMs,
} from '../../shared/limits.ts'
import { isWholeJpeg } from '../../shared/media/jpeg.ts'
import { runFfmpeg } from '../../shared/node/ffmpeg.ts'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import type { ObjectStore, Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { freshJob, withWorkKeys } from '../rows/job-state.ts'
import { getSegment, type SegmentRow, segmentKey, segmentsBetween } from '../rows/segment.ts'
import type { JobPorts } from './job-ports.ts'
import type { ThumbnailMessage } from './messages.ts'
import { runJob } from './run-job.ts'

type Find = () => Promise<string | undefined>

/**
 * A JPEG of the first picture of a segment that can be decoded and is not black. Where there is none, without FFmpeg
 * or since it failed, the segment's row says so.
 */
export async function makeThumbnail(
  message: ThumbnailMessage,
  ports: JobPorts,
  signal: AbortSignal,
  find: Find = findFfmpeg,
): Promise<void> {
  const segment = await getSegment(ports.catalogue, message, message.from)
  if (!segment?.media || !segment.video || segment.thumbnail !== undefined) return
  if (!message.needed && (await hasRecentOne(segment, ports))) return
  const bin = await find()
  if (bin === undefined) {
    await note(segment, ports, { thumbnailNote: 'FFmpeg was not found: there is no thumbnail.' })
    return
  }
  const { media } = segment
  const row = await runJob(ports, thumbnailKey(message), {
    create: () => newJobRow(message, ports.clock.nowMs()),
    signal,
    work: async (run) => ({
      thumbnail: await storeThumbnail({ ...message, media, bin }, ports.store, run.signal),
    }),
  }).catch(async (cause) => {
    const error = AppError.from(cause)
    // The MP4 does not depend on it; whoever wonders why there is no picture finds it here.
    if (error.terminal) {
      await note(segment, ports, { thumbnailNote: `There is no thumbnail: ${error.message}` })
    }
    throw error
  })
  await note(segment, ports, { thumbnail: row.thumbnail })
}

export const thumbnailKey = ({ agent, stream, epoch, seq }: ThumbnailMessage) => ({
  pk: `J#thumbnail#${agent}#${stream}`,
  sk: segmentName({ epoch, seq }),
})

const keepS = 30 * 86_400 // A message that comes again after a month only makes the same picture again.

function newJobRow(message: ThumbnailMessage, nowMs: number): Row {
  const ttl = Math.floor(nowMs / 1000) + keepS
  return withWorkKeys({ ...thumbnailKey(message), ...freshJob(nowMs), ttl, asked: message })
}

async function note(segment: SegmentRow, { catalogue }: JobPorts, facts: Partial<Row>): Promise<void> {
  const key = segmentKey(segment, segment.from)
  await changeRow(catalogue, key, (row) => row && ({ ...row, ...facts } as Row))
}

/** Since the message was sent, a neighbour may have got one. */
async function hasRecentOne({ agent, stream, from }: SegmentRow, { catalogue }: JobPorts): Promise<boolean> {
  const range = { agent, stream, from: from - thumbnailEveryMs, to: from }
  for await (const before of segmentsBetween(catalogue, range))
    if (before.thumbnail !== undefined) return true
  return false
}

type Source = ThumbnailMessage & { media: NonNullable<SegmentRow['media']>; bin: string }

async function storeThumbnail(source: Source, store: ObjectStore, signal: AbortSignal): Promise<string> {
  const key = keys.thumbnail(source)
  if (await store.head(key, { sizeOnly: true })) return key
  const jpeg = await firstPicture(source, store, signal)
  await store.put(key, jpeg, { sizeBytes: jpeg.length, contentType: 'image/jpeg' })
  return key
}

// Mean luma of black is 16 (or 0 in full range); a lit room at night is above 30.
const notBlack = 'signalstats,metadata=select:key=lavfi.signalstats.YAVG:value=24:function=greater'
const small = "scale='min(640,iw)':-2"

async function firstPicture(source: Source, store: ObjectStore, signal: AbortSignal): Promise<Buffer> {
  // In a dark room any picture is better than none.
  for (const filter of [`${notBlack},${small}`, small]) {
    const end = Math.min(source.media.sizeBytes, thumbnailInputBytesMax)
    const jpeg = await runFfmpeg({
      bin: source.bin,
      args: [
        ...['-probesize', '5M', '-analyzeduration', '5M', '-f', 'mp4', '-i', 'pipe:0', '-an', '-vf', filter],
        ...['-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '4', '-f', 'image2pipe', 'pipe:1'],
      ],
      input: await store.get(source.media.key, { start: 0, end }),
      timeoutMs: thumbnailTimeoutMs,
      maxOutputBytes: thumbnailBytesMax,
      signal,
    })
    if (isWholeJpeg(jpeg)) return jpeg
  }
  throw new AppError('InvalidArgument', 'No picture of the segment can be decoded.')
}
