import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Log } from '../../shared/node/log.ts'

/** What a child tells the supervisor over IPC once everything listens. */
export type Ready = { ready: true; page?: string; port?: number }

export type ChildOptions = {
  name: string
  /** Path of the module, from the repository's root. */
  module: string
  args: string[]
  /** Options of Node itself. */
  nodeArgs?: string[]
  /** Beside the environment of this process. */
  env?: Record<string, string>
  log: Log
  onReady: (ready: Ready) => void
  /** Exit codes after which another start would only fail again: 2 wrong use, 3 already running. */
  onFatal: (code: number) => void
}

const backoffMs = { first: 500, max: 30_000, healthyAfter: 60_000 } // Half a second: a crash is repaired before a person sees it.
const stopMs = 8000 // `up` must be gone within 10 s of a signal.
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Keeps one process running: starts it again, with back-off, whenever it dies. */
export class Child implements AsyncDisposable {
  readonly #options: ChildOptions
  #process: ChildProcess | undefined
  #stopping = new AbortController()
  #loop: Promise<void>

  constructor(options: ChildOptions) {
    this.#options = options
    this.#loop = this.#run()
  }

  async #run(): Promise<void> {
    let backoff = backoffMs.first
    while (!this.#stopping.signal.aborted) {
      const startedAt = process.uptime()
      const code = await this.#once()
      if (this.#stopping.signal.aborted) return
      if (code === 2 || code === 3) return this.#options.onFatal(code)
      if ((process.uptime() - startedAt) * 1000 > backoffMs.healthyAfter) backoff = backoffMs.first
      this.#options.log.error(
        { exit: code, againInMs: backoff },
        `${this.#options.name} ended; starting it again`,
      )
      await sleep(backoff, undefined, { signal: this.#stopping.signal }).catch(() => {})
      backoff = Math.min(backoff * 2, backoffMs.max)
    }
  }

  async #once(): Promise<number> {
    const { module, args, nodeArgs = [], env, onReady } = this.#options
    const child = spawn(process.execPath, [...nodeArgs, `${root}${module}`, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
    })
    this.#process = child
    child.on('message', (message) => {
      if (typeof message === 'object' && message !== null && 'ready' in message) onReady(message as Ready)
    })
    const [code] = (await once(child, 'exit').catch(() => [1])) as [number | null]
    this.#process = undefined
    return code ?? 1
  }

  /** Asks by IPC, which every platform has; kills one that does not listen. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    const child = this.#process
    const timer = setTimeout(() => child?.kill('SIGKILL'), stopMs)
    child?.send({ stop: true }, () => {}) // A child that has just ended cannot be told.
    await this.#loop
    clearTimeout(timer)
  }
}
