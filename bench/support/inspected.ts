import { setTimeout as sleep } from 'node:timers/promises'

/** `threadsMb`: the heaps of its worker threads. */
export type Collected = {
  rssMb: number
  heapMb: number
  threadsMb: number
  buffersMb: number
  handles: number
}

const figures = `(() => {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return [rss / 1e6, heapUsed / 1e6, arrayBuffers / 1e6, process.getActiveResourcesInfo().length]
})()`

type Answer = { result?: { value?: unknown }; usedSize?: number }
type Said = {
  id?: number
  result: Answer
  method?: string
  params: { sessionId: string; message: string }
}

/**
 * A Node process seen through its own inspector, so that memory can be read behind a full collection of each of its
 * threads: what is left then and grows is a leak. It has to be started with `--inspect-port=0`; `said` is what it has
 * written so far.
 */
export class Inspected implements Disposable {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (result: Answer) => void>()
  /** Sessions of worker threads that run. */
  readonly #threads = new Set<string>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)))
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
      const inspected = new Inspected(socket)
      await inspected.#call('NodeWorker.enable', { waitForDebuggerOnStart: false })
      return inspected
    }
    throw new Error(`process ${pid} opens no inspector`)
  }

  async collect(): Promise<Collected> {
    for (const thread of ['', ...this.#threads]) {
      for (let times = 0; times < 3; times += 1) await this.#call('HeapProfiler.collectGarbage', {}, thread)
    }
    await sleep(500) // Freed pages go back to the system a little later.
    let threadsMb = 0
    for (const thread of this.#threads)
      threadsMb += ((await this.#call('Runtime.getHeapUsage', {}, thread)).usedSize ?? 0) / 1e6
    const answer = await this.#call('Runtime.evaluate', { expression: figures, returnByValue: true })
    const [rssMb = 0, heapMb = 0, buffersMb = 0, handles = 0] = (answer.result?.value ?? []) as number[]
    return { rssMb, heapMb, threadsMb, buffersMb, handles }
  }

  #receive({ id, result, method, params }: Said): void {
    if (method === 'NodeWorker.attachedToWorker') this.#threads.add(params.sessionId)
    else if (method === 'NodeWorker.detachedFromWorker') this.#threads.delete(params.sessionId)
    else if (method === 'NodeWorker.receivedMessageFromWorker') this.#receive(JSON.parse(params.message))
    if (id === undefined) return
    this.#waiting.get(id)?.(result)
    this.#waiting.delete(id)
  }

  /** To a worker thread its words travel as a message inside of ours. */
  #call(method: string, params: object, thread = ''): Promise<Answer> {
    this.#lastId += 1
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#waiting.set(this.#lastId, resolve)
    const words = JSON.stringify({ id: this.#lastId, method, params })
    if (thread === '') this.#socket.send(words)
    else void this.#call('NodeWorker.sendMessageToWorker', { sessionId: thread, message: words })
    return promise
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}
