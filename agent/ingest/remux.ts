import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../../shared/error.ts'
import { cameraConvertersMax, cameraFileBytesMax, ffmpegComplaintMax } from '../../shared/limits.ts'
import { spawnFfmpeg } from '../../shared/node/ffmpeg-child.ts'
import { makeTempDir } from '../../shared/node/temp-dir.ts'

/** Bytes that come, or a file that is there. */
export type RemuxInput = AsyncIterable<Uint8Array> | { path: string }

export type Remux = (input: RemuxInput, signal: AbortSignal) => AsyncIterable<Uint8Array>

// Playlists and the like are not among them: they name other files, also ours.
const containers = 'mov,matroska,mpegts,mpeg,flv,h264,hevc,avi,asf,nut,ogg'

const pipeArgs = [
  // Two seconds of a live stream are enough to see what it holds.
  ...['-protocol_whitelist', 'pipe', '-probesize', '1000000', '-analyzeduration', '2000000'],
]

const copyArgs = [
  // Times as they are; the first video and the first sound, untouched.
  ...['-map', '0:v:0?', '-map', '0:a:0?', '-c', 'copy', '-copyts', '-muxdelay', '0', '-muxpreload', '0'],
  ...['-avoid_negative_ts', 'make_non_negative', '-flush_packets', '1', '-f', 'mpegts', 'pipe:1'],
]

/** What is neither FLV nor MPEG-TS becomes MPEG-TS in an FFmpeg child; it reads bytes or a file, never an address. */
export function createRemux(findFfmpeg: () => Promise<string | undefined>): Remux {
  let running = 0
  return async function* remux(input, signal) {
    const bin = await findFfmpeg()
    if (bin === undefined) throw missingFfmpeg()
    if (running >= cameraConvertersMax) throw tooMany()
    running += 1
    try {
      yield* convert(bin, input, signal)
    } finally {
      running -= 1
    }
  }
}

async function* convert(bin: string, input: RemuxInput, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const from = 'path' in input ? `file:${input.path}` : 'pipe:0'
  const reading = 'path' in input ? [] : pipeArgs
  const args = [...reading, '-format_whitelist', containers, '-i', from, ...copyArgs]
  const child = spawnFfmpeg({ bin, args, fileBytesMax: 0 })
  const kill = () => child.kill()
  signal.addEventListener('abort', kill, { once: true })
  let inputFailure: unknown
  const fed = feed(input, child.stdin, signal).catch((error) => {
    inputFailure = error
    kill()
  })
  let bytes = 0
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length
      yield chunk
    }
    const code = await child.exited
    await fed
    signal.throwIfAborted()
    if (inputFailure) throw inputFailure
    if (code === null) throw crashed(child.complaint())
    if (code !== 0 || bytes === 0) throw unreadable(child.complaint() || `code ${code}`)
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
    child.exited.catch(() => undefined)
  }
}

async function feed(input: RemuxInput, stdin: NodeJS.WritableStream, signal: AbortSignal): Promise<void> {
  if ('path' in input) {
    stdin.end()
    return
  }
  const failed: unknown[] = []
  const watched = async function* () {
    try {
      yield* input
    } catch (error) {
      failed.push(error)
      throw error
    }
  }
  await pipeline(Readable.from(watched()), stdin, { signal }).catch(() => undefined) // FFmpeg may read no further.
  if (failed.length > 0) throw failed[0]
}

/** All of it in a temporary file, for what can only be read with its end at hand. */
export async function* remuxWhole(
  remux: Remux,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using dir = await makeTempDir('source')
  const path = join(dir.path, 'input')
  await pipeline(Readable.from(bounded(input)), createWriteStream(path, { mode: 0o600 }), { signal })
  yield* remux({ path }, signal)
}

async function* bounded(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of input) {
    bytes += chunk.length
    if (bytes > cameraFileBytesMax) {
      throw new AppError(
        'ResourceExhausted',
        'the file of this source is too large; give it as FLV or MPEG-TS',
        {
          zh: '该源文件过大，请改用 FLV 或 MPEG-TS。',
        },
      )
    }
    yield chunk
  }
}

function missingFfmpeg(): AppError {
  return new AppError(
    'FailedPrecondition',
    'this source is neither FLV nor MPEG-TS, and FFmpeg is not found: install it or set FFMPEG_BIN',
    { zh: '该源既不是 FLV 也不是 MPEG-TS，且未找到 FFmpeg：请安装或设置 FFMPEG_BIN。' },
  )
}

function tooMany(): AppError {
  return new AppError(
    'ResourceExhausted',
    'too many sources need FFmpeg at once; give FLV or MPEG-TS where you can',
    {
      zh: '同时需要 FFmpeg 的源过多，请尽量使用 FLV 或 MPEG-TS。',
    },
  )
}

function crashed(complaint: string): AppError {
  return new AppError('Unavailable', 'FFmpeg, which reads this source, crashed; it is tried again', {
    cause: complaint.slice(-ffmpegComplaintMax),
    zh: '读取该源的 FFmpeg 崩溃，将重试。',
  })
}

function unreadable(complaint: string): AppError {
  return new AppError(
    'InvalidArgument',
    'what this source sends is no video that can be read (H.264 or H.265)',
    {
      cause: complaint.slice(-ffmpegComplaintMax),
      zh: '该源的内容不是可读取的视频（H.264 或 H.265）。',
    },
  )
}
