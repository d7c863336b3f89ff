import { fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { pipeFrame } from './pipe-frames.ts'
import type { FromWorker, PipeMessage, ToWorker } from './worker-messages.ts'

/** A process that only sends, as the agent sees it. */
export type WorkerProcess = {
  readonly pid: number
  /** What waits on the pipe. */
  readonly backlogBytes: number
  send(message: ToWorker, socket?: Socket): void
  write(message: PipeMessage): void
  onMessage(listener: (message: FromWorker) => void): void
  /** Once, whatever was the cause. */
  onExit(listener: (why: string) => void): void
  kill(): void
}

/** Beside its neighbours, as source or as a bundle. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const program = new URL(`../viewer-worker/main.${extension}`, import.meta.url)

export function forkWorker(): WorkerProcess {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'] as const
  const child = fork(program, [], {
    serialization: 'advanced',
    stdio: [...stdio],
    execArgv: ['--max-semi-space-size=4'],
  })
  const pipe = child.stdio[4] as Writable
  pipe.on('error', () => undefined) // It died: `exit` follows.
  let isCorked = false
  const uncork = () => {
    isCorked = false
    pipe.uncork()
  }
  return {
    pid: child.pid ?? 0,
    get backlogBytes() {
      return pipe.writableLength
    },
    send: (message, socket) => {
      if (child.connected) child.send(message, socket, {}, () => undefined) // A failure is a death, of which `exit` tells.
    },
    write: (message) => {
      // What was read together leaves in one call to the kernel.
      if (!isCorked) {
        isCorked = true
        pipe.cork()
        queueMicrotask(uncork)
      }
      for (const part of pipeFrame(message)) pipe.write(part)
    },
    onMessage: (listener) => void child.on('message', (message) => listener(message as FromWorker)),
    onExit: (listener) => {
      child.once('error', (error) => listener(error.message))
      child.once('exit', (code, signal) => listener(signal ?? `code ${code}`))
    },
    kill: () => void child.kill('SIGKILL'),
  }
}
