import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { setPriority } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../error.ts'
import {
  ffmpegAllocBytesMax,
  ffmpegComplaintMax,
  ffmpegMemoryBytesMax,
  ffmpegStderrBytesMax,
} from '../limits.ts'

export type FfmpegRun = {
  /** From `findFfmpeg`. */
  bin: string
  /** Between the fixed ones and the end; an input is `pipe:0` or `file:/absolute`, never a URL. */
  args: readonly string[]
  /** For `pipe:0`. FFmpeg may stop reading early. */
  input?: AsyncIterable<Uint8Array> | Uint8Array
  timeoutMs: number
  maxOutputBytes: number
  signal: AbortSignal
}

// No terminal, no network, one thread (live comes first), no giant allocation because a header said so.
const fixedArgs = [
  ...['-nostdin', '-hide_banner', '-v', 'error', '-max_alloc', String(ffmpegAllocBytesMax)],
  ...['-protocol_whitelist', 'file,pipe', '-threads', '1'],
]

/**
 * Runs FFmpeg on bytes from outside and returns its stdout: no shell, own process group, limits on time,
 * memory and output. Whatever ends the run, the whole group is killed before this returns.
 * `DeadlineExceeded` after the timeout, `ResourceExhausted` for too much output, `InvalidArgument` when
 * FFmpeg refuses the input (the end of its stderr as cause).
 */
export async function runFfmpeg(run: FfmpegRun): Promise<Buffer> {
  run.signal.throwIfAborted()
  const [command, args] = limited(run)
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
  })
  const exited = Promise.withResolvers<number | null>()
  child.once('error', (cause) =>
    exited.reject(new AppError('Unavailable', 'FFmpeg could not be started.', { cause })),
  )
  child.once('close', (code) => exited.resolve(code))
  lowerPriority(child.pid)
  const stop = AbortSignal.any([run.signal, AbortSignal.timeout(run.timeoutMs)])
  const overflow = new AbortController()
  const kill = () => killGroup(child)
  for (const signal of [stop, overflow.signal]) signal.addEventListener('abort', kill)
  try {
    const stderr = collectTail(child.stderr, ffmpegStderrBytesMax)
    const stdout = collect(child.stdout, run.maxOutputBytes, () => overflow.abort())
    feed(child, run.input)
    const code = await exited.promise
    if (overflow.signal.aborted)
      throw new AppError('ResourceExhausted', 'FFmpeg gave more output than allowed.')
    if (run.signal.aborted) throw run.signal.reason
    if (stop.aborted) throw new AppError('DeadlineExceeded', 'FFmpeg took longer than allowed.')
    if (code !== 0) {
      throw new AppError('InvalidArgument', 'FFmpeg could not read the file.', {
        cause: stderr().slice(-ffmpegComplaintMax) || `code ${code}`,
      })
    }
    return stdout()
  } finally {
    for (const signal of [stop, overflow.signal]) signal.removeEventListener('abort', kill)
    kill()
  }
}

/** With prlimit where it is (Linux): memory, CPU seconds and the size of any file it writes. */
function limited(run: FfmpegRun): [command: string, args: string[]] {
  const args = [...fixedArgs, ...run.args]
  if (!hasPrlimit()) return [run.bin, args]
  const cpuS = Math.ceil(run.timeoutMs / 1000)
  const limits = [
    `--as=${ffmpegMemoryBytesMax}`,
    `--cpu=${cpuS}`,
    `--fsize=${run.maxOutputBytes}`,
    '--core=0',
  ]
  return [prlimitPath, [...limits, '--', run.bin, ...args]]
}

const prlimitPath = '/usr/bin/prlimit'
let prlimitFound: boolean | undefined

function hasPrlimit(): boolean {
  if (prlimitFound !== undefined) return prlimitFound
  try {
    accessSync(prlimitPath, constants.X_OK)
    prlimitFound = true
  } catch {
    prlimitFound = false
  }
  return prlimitFound
}

function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, 10)
  } catch {
    // It has ended already.
  }
}

/** The group, so that children of the child go too. SIGKILL: it holds nothing worth saving, and may be stopped. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody left in the group.
  }
}

function feed(child: ChildProcess, input: FfmpegRun['input']): void {
  const { stdin } = child
  if (!stdin) return
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

/** The last `max` bytes: a child that floods its stderr costs no more. */
function collectTail(stream: Readable, max: number): () => string {
  let tail = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-max)
  })
  return () => tail.toString()
}
