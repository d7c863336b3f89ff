import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { agentName } from '../../agent/agent-name.ts'
import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import { type AwsProgram, cloudIsAws, startAwsProgram } from './emulators/aws-program.ts'
import { repository } from './modules.ts'

export type ProgramOptions = {
  /** Kept from an earlier run; absent: a new directory, removed at the end. */
  data?: string
  port?: number
  /** YAML of the configuration file. */
  config?: string
  args?: string[]
  /** Runs it in an environment of its own: `['prlimit', '--nofile=300']`. */
  wrapper?: string[]
  env?: Record<string, string>
}

const readyMs = 55_000 // Three Node processes: a second alone, half a minute on two cores that thirty others want.

/** The whole program as a user starts it, `edgereel up`, on a port and a directory of its own. */
export class Program implements AsyncDisposable {
  readonly data: string
  readonly port: number
  readonly #owned: boolean
  readonly #process: ChildProcess
  /** Undefined with the cloud on this machine. */
  readonly #cloud: AwsProgram | undefined
  #output = ''

  private constructor(
    data: string,
    port: number,
    owned: boolean,
    child: ChildProcess,
    cloud: AwsProgram | undefined,
  ) {
    this.data = data
    this.port = port
    this.#owned = owned
    this.#process = child
    this.#cloud = cloud
    const collect = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-200_000)
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
  }

  static async start(options: ProgramOptions = {}): Promise<Program> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'edgereel-')))
    const port = options.port ?? (await freePort())
    const cloud = cloudIsAws() ? await startAwsProgram(agentName()) : undefined
    const config = join(data, 'test-config.yaml')
    const yaml = cloud ? withCloud(options.config, cloud) : (options.config ?? '')
    await writeFile(config, yaml)
    const [command = process.execPath, ...before] = [...(options.wrapper ?? []), process.execPath]
    const child = spawn(
      command,
      [
        ...before,
        join(repository, 'agent/cli.ts'),
        'up',
        ...['--data', data, '--port', String(port)],
        ...(yaml === '' ? [] : ['--config', config]),
        ...(options.args ?? []),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        env: { ...process.env, LANG: 'C', ...options.env },
      },
    )
    const program = new Program(data, port, options.data === undefined, child, cloud)
    try {
      await program.until(() => /^ready /m.test(program.output), readyMs, 'ready')
      return program
    } catch (error) {
      await program[Symbol.asyncDispose]()
      throw error
    }
  }

  get output(): string {
    return this.#output
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Where people find the archive: here, or at the cloud on AWS. */
  get archiveUrl(): string {
    return this.#cloud?.url ?? `http://127.0.0.1:${this.port}`
  }

  async archiveToken(): Promise<string> {
    return this.#cloud?.adminToken ?? (await this.adminToken())
  }

  /** By which a client command finds the archive. */
  get archiveOptions(): string[] {
    const cloud = this.#cloud
    return cloud ? ['--api', cloud.url, '--token', cloud.adminToken] : ['--data', this.data]
  }

  async adminToken(): Promise<string> {
    return (await readFile(join(this.data, 'admin.token'), 'utf8')).trim()
  }

  /** Either API, as admin. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const isArchive = /^\/(v1|s)\//.test(path)
    const headers = {
      authorization: `Bearer ${await (isArchive ? this.archiveToken() : this.adminToken())}`,
      ...(init.body ? { 'content-type': 'application/json' } : {}),
    }
    return fetch(`${isArchive ? this.archiveUrl : `http://127.0.0.1:${this.port}`}${path}`, {
      ...init,
      headers: { ...headers, ...init.headers },
    })
  }

  async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.fetch(path, init)
    if (!response.ok)
      throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.json<T>(path, { method: 'POST', body: JSON.stringify(body) })
  }

  /** A token that lets a phone in as the stream of this name. */
  async publisherToken(stream: string): Promise<string> {
    const made = await this.post<{ token: string }>('/agent/v1/tokens', {
      name: stream,
      role: 'publisher',
      stream,
    })
    return made.token
  }

  phoneUrl(token: string): string {
    return `ws://127.0.0.1:${this.port}/android-cam?token=${token}`
  }

  async recordings(): Promise<RecordingItem[]> {
    return (await this.json<{ recordings: RecordingItem[] }>('/v1/recordings')).recordings
  }

  /** The recording once its MP4s can be downloaded. */
  async ready(id: string, timeoutMs = 30_000): Promise<RecordingDetail> {
    let detail: RecordingDetail | undefined
    const isReady = async () => {
      const response = await this.fetch(`/v1/recordings/${id}`)
      detail = response.ok ? ((await response.json()) as RecordingDetail) : undefined
      return detail?.state === 'ready'
    }
    await this.until(isReady, timeoutMs, `recording ${id} ready`)
    return detail as RecordingDetail
  }

  /** Polls; fails with the program's own words when the time is over or the program has ended. */
  async until(condition: () => boolean | Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs)
    while (!(await condition())) {
      if (signal.aborted || !this.running)
        throw new Error(`waited for ${what}; the program said:\n${this.#output.slice(-5000)}`)
      await sleep(50)
    }
  }

  /** SIGTERM, as Ctrl-C. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.running) {
      const exit = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      await exit
    }
    return this.#process.exitCode
  }

  /** SIGKILL to the supervisor and its children at once, as an out-of-memory killer or a power cut would. */
  async kill(): Promise<void> {
    const exit = this.running ? once(this.#process, 'exit') : Promise.resolve()
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // Already gone.
    }
    await exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.#cloud?.[Symbol.asyncDispose]()
    if (this.#owned) await rm(this.data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** A configuration that uploads there. */
function withCloud(config: string | undefined, { url, deviceToken }: AwsProgram): string {
  const own: unknown = config === undefined ? {} : parse(config)
  return stringify({ ...(own as object), cloud: { api: url, token: deviceToken } })
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
