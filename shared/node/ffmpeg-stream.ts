import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../error.ts'
import { ffmpegComplaintMax } from '../limits.ts'
import { spawnFfmpeg } from './ffmpeg-child.ts'

export type FfmpegStream = {
  /** From `findFfmpeg`. */
  bin: string
  /** Input is `pipe:0`, output `pipe:1`. */
  args: readonly string[]
  input: AsyncIterable<Uint8Array>
  /** Seconds of CPU. */
  cpuS: number
  signal: AbortSignal
}

/**
 * Runs FFmpeg between two streams and gives its stdout as it comes; neither is read further ahead than the pipes hold.
 * However it is left, the child is killed. Throws what the input threw; `InvalidArgument` when FFmpeg ended badly.
 */
export async function* streamFfmpeg({
  bin,
  args,
  input,
  cpuS,
  signal,
}: FfmpegStream): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  const child = spawnFfmpeg({ bin, args, cpuS, fileBytesMax: 0 })
  const kill = () => child.kill()
  signal.addEventListener('abort', kill)
  let inputError: { cause: unknown } | undefined
  const watched = watch(input, (cause) => {
    inputError = { cause }
    kill()
  })
  // It may stop reading when it has seen enough; what it made of it, its exit code tells.
  const fed = pipeline(Readable.from(watched), child.stdin).catch(() => undefined)
  child.exited.catch(() => undefined) // Awaited below; stdout may end first.
  try {
    for await (const bytes of child.stdout) yield bytes as Buffer
    const code = await child.exited
    signal.throwIfAborted()
    if (inputError) throw inputError.cause
    if (code !== 0) {
      throw new AppError('InvalidArgument', 'FFmpeg could not read the sound.', {
        cause: child.complaint().slice(-ffmpegComplaintMax) || `code ${code}`,
      })
    }
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
    await fed
  }
}

async function* watch(
  input: AsyncIterable<Uint8Array>,
  onError: (cause: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* input
  } catch (cause) {
    onError(cause)
  }
}
