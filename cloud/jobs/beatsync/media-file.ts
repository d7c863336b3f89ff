import { open } from 'node:fs/promises'
import {
  beatsyncDurationMsMax,
  beatsyncPacketsBytesMax,
  beatsyncPixelsMax,
  beatsyncReadTimeoutMs,
} from '../../../shared/cloud-limits.ts'
import type { AppError } from '../../../shared/error.ts'
import { runFfmpeg } from '../../../shared/node/ffmpeg.ts'
import { JobError } from '../reason.ts'
import { alignRate } from './align.ts'
import { type Container, containerHeadBytes, containerOf, holdsVideo } from './container.ts'
import { type MediaFacts, parsePackets } from './packets.ts'

/** A file on this machine whose first bytes name its format. */
export type MediaFile = { path: string; container: Container }

export type Tool = { bin: string; signal: AbortSignal }

const scriptSeconds = (ms: number) => (ms / 1000).toFixed(6)

/** The input of an FFmpeg run: its demuxer is told, so that a playlist in disguise is never followed. */
export function inputArgs({ path, container }: MediaFile, fromMs = 0): string[] {
  return [...(fromMs > 0 ? ['-ss', scriptSeconds(fromMs)] : []), '-f', container, '-i', `file:${path}`]
}

export const secondsArg = scriptSeconds

export async function openMediaFile(path: string): Promise<MediaFile> {
  await using file = await open(path)
  const head = Buffer.alloc(containerHeadBytes)
  const { bytesRead } = await file.read(head, 0, head.length, 0)
  const container = containerOf(head.subarray(0, bytesRead))
  if (!container)
    throw invalid(
      'A file is neither a video nor a sound of a format that is taken.',
      '文件既不是支持的视频也不是支持的音频。',
    )
  return { path, container }
}

const wholeArgs = ['-probesize', '5M', '-analyzeduration', '5M']

/** Streams and the times of all packets. Refuses what is longer than the limit, having read no more of it. */
export async function readFacts(file: MediaFile, { bin, signal }: Tool): Promise<MediaFacts> {
  const limit = ['-t', scriptSeconds(beatsyncDurationMsMax + 1000)]
  const text = await runFfmpeg({
    bin,
    args: [
      ...[...wholeArgs, ...limit, ...inputArgs(file)],
      ...['-map', '0:V:0?', '-map', '0:a:0?', '-c', 'copy', '-f', 'framecrc', 'pipe:1'],
    ],
    timeoutMs: beatsyncReadTimeoutMs,
    maxOutputBytes: beatsyncPacketsBytesMax,
    signal,
  })
  const facts = parsePackets(text.toString('latin1'))
  const toMs = Math.max(facts.video?.toMs ?? 0, facts.audio?.toMs ?? 0)
  if (toMs > beatsyncDurationMsMax) throw tooLong()
  if (!facts.audio) throw invalid('A file has no sound.', '文件没有声音。')
  return facts
}

/** For the dance: pictures that an MP4 can hold as they are. */
export function checkPictures(file: MediaFile, { video }: MediaFacts): NonNullable<MediaFacts['video']> {
  if (!holdsVideo(file.container) || !video)
    throw invalid('The dance file has no pictures.', '舞蹈文件没有画面。')
  if (!copied.has(video.codec)) {
    throw invalid(
      `An MP4 cannot hold ${video.codec} video as it is: convert the dance video to H.264 first.`,
      `MP4 无法直接容纳 ${video.codec} 视频，请先转换为 H.264。`,
    )
  }
  if (video.width * video.height > beatsyncPixelsMax)
    throw invalid('The pictures are too large.', '画面尺寸过大。')
  return video
}

const copied: ReadonlySet<string> = new Set(['h264', 'hevc', 'mpeg4', 'av1', 'vp9', 'mjpeg'])

/** One channel at 8 kHz, its first sample at the file's first moment, gaps filled with silence. */
export async function readSound(file: MediaFile, { bin, signal }: Tool): Promise<Float32Array> {
  const duration = ['-t', scriptSeconds(beatsyncDurationMsMax)]
  const bytes = await runFfmpeg({
    bin,
    args: [
      ...[...wholeArgs, ...inputArgs(file), '-map', '0:a:0', '-vn', '-sn', '-dn', ...duration],
      ...['-af', `${steady},aresample=${alignRate},aformat=channel_layouts=mono`],
      ...['-c:a', 'pcm_f32le', '-f', 'f32le', 'pipe:1'],
    ],
    timeoutMs: beatsyncReadTimeoutMs,
    maxOutputBytes: (beatsyncDurationMsMax / 1000 + 1) * alignRate * Float32Array.BYTES_PER_ELEMENT,
    signal,
  })
  const samples = new Float32Array(Math.floor(bytes.length / Float32Array.BYTES_PER_ELEMENT))
  new Uint8Array(samples.buffer).set(bytes.subarray(0, samples.byteLength))
  // A file may hold numbers that are none: they would spread over the whole spectrum.
  return samples.map((value) =>
    Number.isFinite(value) ? Math.max(-fullScaleMax, Math.min(fullScaleMax, value)) : 0,
  )
}

const fullScaleMax = 8 // Sound in floating point may go beyond 1, but not without end.

/** Fills and trims where the stamps leave the count of samples by more than 0.1 s, and at the beginning. */
export const steady = 'aresample=async=1:first_pts=0'

export function invalid(en: string, zh: string): AppError {
  return new JobError('InvalidArgument', 'INVALID_FORMAT', en, { zh })
}

function tooLong(): AppError {
  const minutes = Math.round(beatsyncDurationMsMax / 60_000)
  return new JobError('InvalidArgument', 'FILE_TOO_LARGE', `A file is longer than ${minutes} minutes.`, {
    zh: `文件超过 ${minutes} 分钟。`,
  })
}
