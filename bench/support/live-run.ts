import { setTimeout as sleep } from 'node:timers/promises'
import { FlvViewer } from './flv-viewer.ts'
import { PhoneCrowd } from './phone-crowd.ts'
import { mark, readMark } from './scaled-clip.ts'

type Stream = { phonePath: string; viewerPath: string }
type Options = {
  port: number
  token: string
  streams: readonly Stream[]
  pictures: readonly Uint8Array[]
  fps: number
}

const marksMax = 128 ** 4

/**
 * Phones and one viewer for each, in this process, so that both ends have one clock. The time of a picture runs from
 * before its write until the viewer has read its last byte; it holds this process's own turns too.
 */
export class LiveRun implements AsyncDisposable {
  readonly #sentMs = new Map<number, number>()
  readonly #stack = new AsyncDisposableStack()
  #next = 0
  #delaysMs: number[] = []

  static async start(options: Options): Promise<LiveRun> {
    const run = new LiveRun()
    const { port, token, streams, pictures, fps } = options
    const paths = streams.map(({ phonePath }) => phonePath)
    run.#stack.use(
      await PhoneCrowd.start({
        port,
        paths,
        pictures,
        fps,
        before: (_phone, payload) => run.#sends(payload),
      }),
    )
    await sleep(2000) // Streams exist from their first picture on.
    for (const { viewerPath } of streams) {
      const viewer = await FlvViewer.open({ port, path: viewerPath, token }, (body) => run.#got(body))
      run.#stack.use(viewer)
    }
    return run
  }

  /** Delays of the pictures that come from now on, until taken again. */
  take(): { delaysMs: number[]; missing: number } {
    const delaysMs = this.#delaysMs
    const oldestMs = performance.now() - 2000
    let missing = 0
    for (const sentMs of this.#sentMs.values()) if (sentMs < oldestMs) missing += 1
    this.#delaysMs = []
    this.#sentMs.clear()
    return { delaysMs, missing }
  }

  #sends(payload: Uint8Array): void {
    this.#next = (this.#next + 1) % marksMax
    mark(payload, this.#next)
    this.#sentMs.set(this.#next, performance.now())
  }

  #got(body: Uint8Array): void {
    const n = readMark(body)
    const sentMs = n === undefined ? undefined : this.#sentMs.get(n)
    if (n === undefined || sentMs === undefined) return
    this.#sentMs.delete(n)
    this.#delaysMs.push(performance.now() - sentMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
