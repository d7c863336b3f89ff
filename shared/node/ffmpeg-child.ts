import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { setPriority } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { AppError } from '../error.ts'
import { ffmpegAllocBytesMax, ffmpegMemoryBytesMax, ffmpegStderrBytesMax } from '../limits.ts'

export type FfmpegChildOptions = {
  /** From `findFfmpeg`. */
  bin: string
  /** Behind the fixed ones; an input is `pipe:0` or `file:/absolute`, never a URL. */
  args: readonly string[]
  /** Seconds of CPU; without it as long as it is let. */
  cpuS?: number
  /** Of any file that it writes. */
  fileBytesMax: number
}

export type FfmpegChild = {
  stdin: Writable
  stdout: Readable
  /** The end of what it complained of. */
  complaint(): string
  /** Its code, null when it was killed. Rejects, `Unavailable`, when it could not be started. */
  exited: Promise<number | null>
  /** The whole group, at once. */
  kill(): void
}

// No terminal, no network, one thread (live comes first), no giant allocation because a header said so.
const fixedArgs = [
  ...['-nostdin', '-hide_banner', '-v', 'error', '-max_alloc', String(ffmpegAllocBytesMax)],
  ...['-protocol_whitelist', 'file,pipe', '-threads', '1'],
]

/** FFmpeg with limits: no shell, no environment, its own process group, low priority, bounded memory. */
export function spawnFfmpeg(options: FfmpegChildOptions): FfmpegChild {
  const [command, args] = limited(options)
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
  child.stdin.on('error', () => undefined) // It may stop reading: its exit code tells what it made of it.
  lowerPriority(child.pid)
  const { stdin, stdout } = child
  const complaint = collectTail(child.stderr, ffmpegStderrBytesMax)
  return { stdin, stdout, complaint, exited: exited.promise, kill: () => killGroup(child) }
}

/** With prlimit where it is (Linux): memory, CPU seconds and the size of any file it writes. */
function limited({ bin, args, cpuS, fileBytesMax }: FfmpegChildOptions): [command: string, args: string[]] {
  const all = [...fixedArgs, ...args]
  if (!hasPrlimit()) return [bin, all]
  const cpu = cpuS === undefined ? [] : [`--cpu=${cpuS}`]
  const limits = [`--as=${ffmpegMemoryBytesMax}`, ...cpu, `--fsize=${fileBytesMax}`, '--core=0']
  return [prlimitPath, [...limits, '--', bin, ...all]]
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
function killGroup(child: ChildProcessByStdio<Writable, Readable, Readable>): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody left in the group.
  }
}

/** The last `max` bytes: a child that floods its stderr costs no more. */
function collectTail(stream: Readable, max: number): () => string {
  let tail = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-max)
  })
  return () => tail.toString()
}
