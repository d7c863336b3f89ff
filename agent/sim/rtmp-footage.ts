import { readFile } from 'node:fs/promises'
import { AppError } from '../../shared/error.ts'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { FlvParser, type FlvTag } from '../../shared/media/flv.ts'
import { flvMetadata } from '../../shared/media/flv-metadata.ts'
import { flvPicture, flvVideoConfig } from '../../shared/media/flv-video.ts'
import { DecodeTimes } from '../../shared/media/reorder.ts'
import { loadFootage } from './footage.ts'

/** What a simulated encoder sends, in this order; times from 0. */
export type RtmpFootage = {
  tags: FlvTag[]
  /** From the first tag to the first of the next round. */
  durationMs: number
  /** What is wrong with the file, of which the rest is sent. */
  complaint?: string
}

const spacingMs = 40 // Between two rounds of a file of one tag.

/** The tags of an .flv as they are; anything else as `loadFootage` reads it. */
export async function loadRtmpFootage(file: string | undefined, fps?: number): Promise<RtmpFootage> {
  if (file === undefined || !/\.flv$/i.test(file)) return fromPictures(await loadFootage(file, fps))
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new AppError('NotFound', `The file ${file} cannot be read.`, {
      cause,
      zh: `无法读取文件 ${file}。`,
    })
  })
  const parser = new FlvParser()
  const footage = fromTags(parser.push(bytes))
  try {
    parser.end()
    return footage
  } catch (cause) {
    return { ...footage, complaint: AppError.from(cause).message }
  }
}

function fromTags(all: readonly FlvTag[]): RtmpFootage {
  const first = all.find(({ kind }) => kind !== 'script')
  if (!first) {
    throw new AppError('InvalidArgument', 'This file holds neither pictures nor sound.', {
      zh: '此文件既无画面也无声音。',
    })
  }
  const tags = all.map((tag) => ({ ...tag, timestampMs: Math.max(0, tag.timestampMs - first.timestampMs) }))
  const pictures = tags.filter(({ kind }) => kind === 'video')
  const lastMs = Math.max(...tags.map(({ timestampMs }) => timestampMs))
  const spacing = pictures.length > 1 ? lastMs / (pictures.length - 1) : spacingMs
  return { tags, durationMs: Math.max(1, Math.round(lastMs + spacing)) }
}

function fromPictures({ pictures, durationMs }: Awaited<ReturnType<typeof loadFootage>>): RtmpFootage {
  const parser = new VideoUnitParser('h264')
  const tags: FlvTag[] = []
  let decodeTimes: DecodeTimes | undefined
  let config: VideoConfig | undefined
  let zero: number | undefined
  const add = (kind: FlvTag['kind'], timestampMs: number, parts: readonly Uint8Array[]) =>
    tags.push({ kind, timestampMs, body: Buffer.concat(parts) })
  for (const { payload, ptsMs } of pictures) {
    const picture = parser.parse(payload)
    if (!picture) continue
    decodeTimes ??= new DecodeTimes(picture.config.reorderDepth)
    const times = decodeTimes.next(ptsMs)
    zero ??= times.dtsMs
    const at = times.dtsMs - zero
    if (!config) add('script', 0, [flvMetadata({ video: picture.config })])
    if (config !== picture.config) add('video', at, flvVideoConfig(picture.config))
    config = picture.config
    const unit = {
      ...picture,
      ...times,
      track: 'video',
      arrivalMs: 0,
      epoch: 0,
      timeSource: 'device',
    } as const
    add('video', at, flvPicture(unit))
  }
  return { tags, durationMs }
}
