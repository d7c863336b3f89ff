import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../../test/support/modules.ts'
import { freePort } from '../../test/support/program.ts'

const ticksPerSecond = 100 // USER_HZ of Linux on every architecture that Node runs on.

export type ProcessFigures = { cpuS: number; rssMb: number; peakRssMb: number }

/** CPU (all threads, user and system) and memory of a process, from /proc. */
export async function figuresOf(pid: number): Promise<ProcessFigures> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ])
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // Fields 3 and on: proc(5).
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    rssMb: (kb('VmRSS') * 1024) / 1e6,
    peakRssMb: (kb('VmHWM') * 1024) / 1e6,
  }
}

/** A program under measurement: started on a directory and a port of its own, ended and removed by disposal. */
export class ServerProcess implements AsyncDisposable {
  readonly directory: string
  readonly port: number
  readonly pid: number
  readonly #process: ChildProcess

  private constructor(directory: string, port: number, child: ChildProcess) {
    this.directory = directory
    this.port = port
    this.pid = child.pid ?? 0
    this.#process = child
  }

  static async start(
    program: string,
    args: (place: { directory: string; port: number }) => string[],
    options: { env?: Record<string, string> } = {},
  ): Promise<ServerProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'edgereel-bench-'))
    const port = await freePort()
    const child = spawn(program, args({ directory, port }), {
      cwd: repository,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LANG: 'C', ...options.env },
    })
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-5000)
    })
    const server = new ServerProcess(directory, port, child)
    for (let tries = 0; !(await answers(port)); tries += 1) {
      if (child.exitCode !== null || tries > 400) throw new Error(`${program} did not start: ${said}`)
      await sleep(50)
    }
    return server
  }

  /** The agent alone, or with what is to be loaded before it. */
  static async agent(options: { imports?: string[]; env?: Record<string, string> } = {}) {
    const imports = (options.imports ?? []).flatMap((path) => ['--import', path])
    return await ServerProcess.start(
      process.execPath,
      ({ directory, port }) => {
        const config = join(directory, 'bench-config.yaml')
        writeFileSync(config, 'ring: { quota: 20GB }\n')
        const agent = [join(repository, 'agent/main.ts'), '--data', directory, '--port', String(port)]
        return [...imports, ...agent, '--config', config]
      },
      options,
    )
  }

  figures(): Promise<ProcessFigures> {
    return figuresOf(this.pid)
  }

  /** The agent's API, as its admin. */
  async api<Answer>(path: string, body?: unknown): Promise<Answer> {
    const token = (await readFile(join(this.directory, 'admin.token'), 'utf8')).trim()
    const response = await fetch(`http://127.0.0.1:${this.port}/agent/v1/${path}`, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Answer
  }

  /** The path at which a phone of this name is let in. */
  async phonePath(stream: string): Promise<string> {
    const { token } = await this.api<{ token: string }>('tokens', { name: stream, role: 'publisher', stream })
    return `/android-cam?token=${token}`
  }

  async adminToken(): Promise<string> {
    return (await readFile(join(this.directory, 'admin.token'), 'utf8')).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000)
      await exit
      clearTimeout(timer)
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

async function answers(port: number): Promise<boolean> {
  const probe = connect(port, '127.0.0.1')
  const opened = await Promise.race([
    once(probe, 'connect').then(() => true),
    once(probe, 'error').then(() => false),
  ]).catch(() => false)
  probe.destroy()
  return opened
}
