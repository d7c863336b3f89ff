import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Emulator } from './process.ts'

/** The optional package `@dynoxide/linux-x64`; undefined on other machines. */
export function findDynoxide(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json')
    const path = join(dirname(manifest), 'dynoxide')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** DynamoDB in memory, on a free port of the loopback. */
export async function startDynoxide(program: string): Promise<Emulator> {
  const port = await freePort()
  const child = spawn(program, ['serve', '--port', String(port)], { stdio: 'ignore' })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const url = new URL(`http://127.0.0.1:${port}`)
  for (let tries = 0; !(await answers(url)); tries += 1) {
    if (tries > 200 || child.exitCode !== null) throw new Error('dynoxide does not start')
    await delay(25)
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', kill)
      kill()
      await once(child, 'exit')
    },
  }
}

const answers = (url: URL) =>
  fetch(url).then(
    () => true,
    () => false,
  )

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
