import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../error.ts'
import { ffmpegComplaintMax } from '../limits.ts'
import { type FfmpegChild, spawnFfmpeg } from './ffmpeg-child.ts'

export type FfmpegRun = {
  /** From `findFfmpeg`. */
  bin: string
  /** Between the fixed ones and the end; an input is `pipe:0` or `file:/absolute`, never a URL. */
  args: readonly string[]
  /** For `pipe:0`. FFmpeg may stop reading early. */
  input?: AsyncIterable<Uint8Array> | Uint8Array
  timeoutMs: number
  maxOutputBytes: number
  /** Each piece of stdout as it comes, besides. */
  onOutput?: (chunk: Buffer) => void
  signal: AbortSignal
}

const outOfMemory = 'Cannot allocate memory' // Its words for ENOMEM: of the limits, or of the machine.

/**
 * Runs FFmpeg on bytes from outside and returns its stdout: no shell, own process group, limits on time,
 * memory and output. Whatever ends the run, the whole group is killed before this returns.
 * `DeadlineExceeded` after the timeout, `ResourceExhausted` for too much output or memory, `InvalidArgument` when
 * FFmpeg refuses the input (the end of its stderr as cause), `Internal` when a signal ended it (a crash, or the system
 * was out of memory): that may be worth another try.
 */
export async function runFfmpeg(run: FfmpegRun): Promise<Buffer> {
  run.signal.throwIfAborted()
  const { bin, args, timeoutMs, maxOutputBytes } = run
  const child = spawnFfmpeg({ bin, args, cpuS: Math.ceil(timeoutMs / 1000), fileBytesMax: maxOutputBytes })
  const stop = AbortSignal.any([run.signal, AbortSignal.timeout(timeoutMs)])
  const overflow = new AbortController()
  const kill = () => child.kill()
  for (const signal of [stop, overflow.signal]) signal.addEventListener('abort', kill)
  try {
    const stdout = collect(child.stdout, maxOutputBytes, () => overflow.abort())
    if (run.onOutput) child.stdout.on('data', run.onOutput)
    feed(child, run.input)
    const code = await child.exited
    if (overflow.signal.aborted)
      throw new AppError('ResourceExhausted', 'FFmpeg gave more output than allowed.')
    if (run.signal.aborted) throw run.signal.reason
    if (stop.aborted) throw new AppError('DeadlineExceeded', 'FFmpeg took longer than allowed.')
    if (code === null) throw crashed(child.complaint())
    if (code !== 0 && child.complaint().includes(outOfMemory)) {
      throw new AppError('ResourceExhausted', 'FFmpeg had not enough memory.', { cause: child.complaint() })
    }
    if (code !== 0) {
      throw new AppError('InvalidArgument', 'FFmpeg could not read the file.', {
        cause: child.complaint().slice(-ffmpegComplaintMax) || `code ${code}`,
      })
    }
    return stdout()
  } finally {
    for (const signal of [stop, overflow.signal]) signal.removeEventListener('abort', kill)
    kill()
  }
}

function crashed(complaint: string): AppError {
  return new AppError('Internal', 'FFmpeg crashed, or the system ended it: is there enough memory?', {
    cause: complaint.slice(-ffmpegComplaintMax),
    zh: 'FFmpeg 崩溃或被系统终止：内存是否充足？',
  })
}

function feed({ stdin }: FfmpegChild, input: FfmpegRun['input']): void {
  if (input === undefined) stdin.end()
  // It may stop reading when it has seen enough; what it made of it, its exit code tells.
  else pipeline(Readable.from(input instanceof Uint8Array ? [input] : input), stdin).catch(() => {})
}

function collect(stream: Readable, max: number, onOverflow: () => void): () => Buffer {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > max) onOverflow()
    else chunks.push(chunk)
  })
  return () => Buffer.concat(chunks)
}
