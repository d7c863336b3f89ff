import { setTimeout as sleep } from 'node:timers/promises'
import { MediaClient } from '../../test/support/grpc-client.ts'
import { FlvViewer } from './flv-viewer.ts'
import { PhoneCrowd } from './phone-crowd.ts'
import { mark, readMark } from './scaled-clip.ts'
import type { ServerProcess } from './server-process.ts'

export type ViewerKind = 'grpc' | 'flv'
type Options = {
  server: ServerProcess
  grpcPort: number
  streams: number
  viewer: ViewerKind
  pictures: readonly Uint8Array[]
  fps: number
}

const marksMax = 128 ** 4

/**
 * Phones and one client for each, in this process, so that both ends have one clock. The time of a picture runs from
 * before its write until the client has it, decoded: the way from the phone to the agent and this process's own turns
 * are in it, so the time from arrival is less.
 */
export class GrpcRun implements AsyncDisposable {
  readonly #sentMs = new Map<number, number>()
  readonly #stack = new AsyncDisposableStack()
  #next = 0
  #delaysMs: number[] = []

  static async start(options: Options): Promise<GrpcRun> {
    const run = new GrpcRun()
    const { server, streams, pictures, fps } = options
    const names = Array.from({ length: streams }, (_, i) => `cam-${i}`)
    const paths: string[] = []
    for (const name of names) paths.push(await server.phonePath(name))
    const before = (_phone: number, payload: Uint8Array) => run.#sends(payload)
    run.#stack.use(await PhoneCrowd.start({ port: server.port, paths, pictures, fps, before }))
    await sleep(2000) // Streams exist from their first picture on.
    await (options.viewer === 'grpc' ? run.#watchByGrpc(options, names) : run.#watchByFlv(options, names))
    return run
  }

  /** Delays of the pictures that come from now on, until taken again. */
  take(): number[] {
    const delaysMs = this.#delaysMs
    this.#delaysMs = []
    this.#sentMs.clear()
    return delaysMs
  }

  async #watchByGrpc({ server, grpcPort }: Options, names: readonly string[]): Promise<void> {
    const token = await server.adminToken()
    const client = this.#stack.use(await MediaClient.open(`127.0.0.1:${grpcPort}`, { token }))
    for (const name of names) {
      const call = client.open({ name }).on('data', ({ payload }) => this.#got(payload))
      this.#stack.defer(() => call.cancel())
    }
  }

  async #watchByFlv({ server }: Options, names: readonly string[]): Promise<void> {
    const { port } = server
    const token = await server.adminToken()
    for (const name of names) {
      const path = `/live/${name}.flv`
      this.#stack.use(await FlvViewer.open({ port, path, token }, (body) => this.#got(body)))
    }
  }

  #sends(payload: Uint8Array): void {
    this.#next = (this.#next + 1) % marksMax
    mark(payload, this.#next)
    this.#sentMs.set(this.#next, performance.now())
  }

  #got(picture: Uint8Array): void {
    const n = readMark(picture)
    const sentMs = n === undefined ? undefined : this.#sentMs.get(n)
    if (n === undefined || sentMs === undefined) return
    this.#sentMs.delete(n)
    this.#delaysMs.push(performance.now() - sentMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
