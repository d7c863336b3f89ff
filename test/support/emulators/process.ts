import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

export type Emulator = AsyncDisposable & { url: URL }

/** Waits until a child prints its address. It is killed with its disposal, and with this process. */
export async function listening(
  child: ChildProcess,
  output: Readable | null,
  address: RegExp,
): Promise<Emulator> {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  let text = ''
  const found = Promise.withResolvers<string>()
  output?.on('data', (chunk: Buffer) => {
    text += chunk
    const url = address.exec(text)?.[1]
    if (url) found.resolve(url)
  })
  child.once('error', found.reject)
  child.once('exit', () => found.reject(new Error(`${child.spawnfile} ended: ${text}`)))
  const url = new URL(await found.promise)
  return {
    url,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', kill)
      if (child.exitCode !== null || child.signalCode !== null) return
      kill()
      await once(child, 'exit')
    },
  }
}
