import { setTimeout as sleep } from 'node:timers/promises'

export type Collected = { rssMb: number; heapMb: number; buffersMb: number; handles: number }

const figures = `(() => {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return [rss / 1e6, heapUsed / 1e6, arrayBuffers / 1e6, process.getActiveResourcesInfo().length]
})()`

/**
 * A Node process seen through its own inspector, so that memory can be read behind a full collection: what is left
 * then and grows is a leak. It has to be started with `--inspect-port=0`; `said` is what it has written so far.
 */
export class Inspected implements Disposable {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (result: { result?: { value?: unknown } }) => void>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(String(data))
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    }
  }

  static async attach(pid: number, said: () => string): Promise<Inspected> {
    const before = said().length
    process.kill(pid, 'SIGUSR1')
    for (let tries = 0; tries < 100; tries += 1) {
      const url = /Debugger listening on (\S+)/.exec(said().slice(before))?.[1]
      if (url === undefined) {
        await sleep(50)
        continue
      }
      const socket = new WebSocket(url)
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      socket.onopen = resolve
      socket.onerror = reject
      await promise
      return new Inspected(socket)
    }
    throw new Error(`process ${pid} opens no inspector`)
  }

  async collect(): Promise<Collected> {
    for (let times = 0; times < 3; times += 1) await this.#call('HeapProfiler.collectGarbage')
    await sleep(500) // Freed pages go back to the system a little later.
    const answer = await this.#call('Runtime.evaluate', { expression: figures, returnByValue: true })
    const [rssMb = 0, heapMb = 0, buffersMb = 0, handles = 0] = (answer.result?.value ?? []) as number[]
    return { rssMb, heapMb, buffersMb, handles }
  }

  #call(method: string, params: object = {}): Promise<{ result?: { value?: unknown } }> {
    this.#lastId += 1
    const { promise, resolve } = Promise.withResolvers<{ result?: { value?: unknown } }>()
    this.#waiting.set(this.#lastId, resolve)
    this.#socket.send(JSON.stringify({ id: this.#lastId, method, params }))
    return promise
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}
