import { stat } from 'node:fs/promises'
import { beatsyncResultBytesMax, beatsyncSoftMs } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'
import { runFfmpeg } from '../../../shared/node/ffmpeg.ts'
import { JobError } from '../reason.ts'
import type { Alignment } from './align.ts'
import { bgmTimeMs, type Cut } from './cut.ts'
import { endMovieAt } from './end-at.ts'
import { inputArgs, type MediaFile, readFacts, secondsArg, steady, type Tool } from './media-file.ts'
import type { MediaFacts } from './packets.ts'

export type Rendering = {
  dance: MediaFile
  bgm: MediaFile
  video: NonNullable<MediaFacts['video']>
  alignment: Alignment
  cut: Cut
  /** Where no key frame lies at the cut: encode the pictures again instead of hiding those before it. */
  exact: boolean
  path: string
  onProgress: (share: number) => void
}

const soundRate = 48_000
const stretchRate = 192_000 // In which one hertz is 5 ppm: the music then ends within 1 ms after 5 minutes.
const audibleDriftMs = 2 // Less drift over the whole piece is left as it is.
const offByMsMax = 500 // A picture of a camera of two a second; what is missing is more.

/**
 * Writes the MP4: the pictures of the cut as they are, the music under them. A copy can only begin at a key frame; the
 * pictures between it and the cut are in the file, and its edit list begins behind them.
 */
export async function render(task: Rendering, tool: Tool): Promise<{ sizeBytes: number }> {
  const { dance, bgm, cut, path } = task
  try {
    await runFfmpeg({
      bin: tool.bin,
      args: [
        ...['-y', ...inputArgs(dance, cut.fromMs), ...inputArgs(bgm)],
        ...['-map', '0:V:0', '-map', '1:a:0', '-sn', '-dn', '-t', secondsArg(cut.toMs - cut.fromMs)],
        ...[...videoArgs(task), ...audioArgs(task), '-movflags', '+faststart'],
        ...['-progress', 'pipe:1', '-stats_period', '0.25', '-fs', String(beatsyncResultBytesMax)],
        ...['-f', 'mp4', `file:${path}`],
      ],
      timeoutMs: beatsyncSoftMs,
      maxOutputBytes: beatsyncResultBytesMax,
      onOutput: (chunk) => tellProgress(chunk, task),
      signal: tool.signal,
    })
  } catch (cause) {
    const error = AppError.from(cause)
    throw error.kind === 'InvalidArgument' ? unwritable(error) : error
  }
  await endMovieAt(path, cut.toMs - cut.fromMs)
  await verify(task, tool)
  return { sizeBytes: (await stat(path)).size }
}

function videoArgs({ video, exact, cut }: Rendering): string[] {
  const pictureMs = (video.toMs - video.fromMs) / video.packets
  const beginsWithKey = video.keysMs.some((keyMs) => Math.abs(keyMs - cut.fromMs) <= pictureMs / 2)
  if (exact && !beginsWithKey)
    return ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '18', '-pix_fmt', 'yuv420p', '-threads:v', '1']
  return ['-c:v', 'copy', ...(video.codec === 'hevc' ? ['-tag:v', 'hvc1'] : [])]
}

/** By counting samples from the music's first one: seeking in an MP3 is a guess. */
function audioArgs({ alignment, cut }: Rendering): string[] {
  const durationMs = cut.toMs - cut.fromMs
  const speed = 1 + alignment.driftPpm * 1e-6
  const isStretched = Math.abs(speed - 1) * durationMs > audibleDriftMs
  const start = Math.max(0, bgmTimeMs(alignment, cut.fromMs))
  const filters = [
    steady,
    `atrim=start=${secondsArg(start)}`,
    'asetpts=PTS-STARTPTS',
    ...(isStretched ? [`aresample=${stretchRate}`, `asetrate=${Math.round(stretchRate * speed)}`] : []),
    `aresample=${soundRate}`,
    `atrim=end=${secondsArg(durationMs)}`,
  ]
  return ['-af', filters.join(','), '-ac', '2', '-c:a', 'aac', '-b:a', '192k']
}

function tellProgress(chunk: Buffer, { cut, onProgress }: Rendering): void {
  const microseconds = /out_time_us=(\d+)/.exec(chunk.toString('latin1'))?.[1]
  if (microseconds) onProgress(Math.min(1, Number(microseconds) / 1000 / (cut.toMs - cut.fromMs)))
}

/** What was written is read again: both tracks from 0 on, to the end of the cut (where the edit list ends the pictures). */
async function verify({ cut, path }: Rendering, tool: Tool): Promise<void> {
  const { video, audio } = await readFacts({ path, container: 'mov' }, tool)
  const wantedMs = cut.toMs - cut.fromMs
  const begins = [video, audio].every((track) => track && track.fromMs <= offByMsMax)
  const ends =
    video && video.toMs >= wantedMs - offByMsMax && audio && Math.abs(audio.toMs - wantedMs) <= offByMsMax
  if (begins && ends) return
  throw new JobError('Internal', 'PROCESSING_FAILED', 'The file that was made is not whole.', {
    cause: { wantedMs, video, audio },
    zh: '生成的文件不完整。',
  })
}

function unwritable(error: AppError): AppError {
  const words = String(error.cause)
  if (/File too large|No space left/i.test(words)) {
    return new JobError('ResourceExhausted', 'RESOURCE_LIMIT', 'There was not enough disk for the result.', {
      cause: error,
      zh: '磁盘空间不足，无法写入结果。',
    })
  }
  return new JobError('Internal', 'PROCESSING_FAILED', 'The result could not be written.', {
    cause: error,
    zh: '无法写入结果。',
  })
}
