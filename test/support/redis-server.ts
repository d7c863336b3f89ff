import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** A real redis-server of our own, on a port of its own, that keeps nothing. */
export class RedisServer implements AsyncDisposable {
  readonly port: number
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort())
    await server.up()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async up(): Promise<void> {
    const options = ['--port', String(this.port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1']
    this.#child = spawn('redis-server', options, { stdio: 'ignore' })
    for (let tries = 0; tries < 200; tries += 1) {
      if (await this.cli('PING').catch(() => undefined)) return
      await delay(25)
    }
    throw new Error('redis-server did not start')
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  stop(): void {
    this.#child?.kill('SIGSTOP')
  }

  go(): void {
    this.#child?.kill('SIGCONT')
  }

  async list(key = 'EXTERNAL_COMMAND'): Promise<string[]> {
    const answer = await this.cli('LRANGE', key, '0', '-1')
    return Array.isArray(answer) ? answer : []
  }

  /** One command over a connection of its own; enough of RESP for what is asked here. */
  async cli(...words: string[]): Promise<string | string[]> {
    const socket = connect(this.port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      socket.write(`*${words.length}\r\n${parts.join('')}`)
      let text = ''
      for await (const chunk of socket) {
        text += String(chunk)
        const value = readReply(text)
        if (value !== undefined) return value
      }
      throw new Error('no answer')
    } finally {
      socket.destroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.go()
    await this.kill()
  }
}

function readReply(text: string): string | string[] | undefined {
  if (!text.endsWith('\r\n')) return undefined
  const lines = text.split('\r\n')
  if (!text.startsWith('*')) return lines[0]?.slice(1)
  const count = Number(lines[0]?.slice(1))
  if (lines.length < 2 + count * 2) return undefined
  return Array.from({ length: count }, (_, i) => lines[2 + i * 2] ?? '')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
