import { type RecorderOptions, type RecorderStats, type RingPolicy, StreamRecorder } from './recorder.ts'

/** The recorders of all streams, by name. One lives as long as the agent and
 * costs a kilobyte; a name comes from the configuration or from someone who was allowed in. */
export class Recorders implements AsyncDisposable {
  readonly #options: RecorderOptions
  readonly #recorders = new Map<string, StreamRecorder>()
  #onClaimed: (stream: string, claims: number) => void = () => undefined

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** The sink for the hub; the same one for the same name. */
  open(stream: string): StreamRecorder {
    const known = this.#recorders.get(stream)
    if (known) return known
    const recorder = new StreamRecorder(stream, this.#options)
    this.#recorders.set(stream, recorder)
    return recorder
  }

  setPolicy(stream: string, policy: RingPolicy): void {
    this.open(stream).setPolicy(policy)
  }

  setClaimed(stream: string, claims: number): void {
    this.open(stream).setClaimed(claims)
    this.#onClaimed(stream, claims)
  }

  /** Told at every change of how many recordings want a stream: its camera may have to be fetched from. */
  onClaimed(tell: (stream: string, claims: number) => void): void {
    this.#onClaimed = tell
  }

  roundTrip(stream: string, rttMs: number): void {
    this.#recorders.get(stream)?.roundTrip(rttMs)
  }

  /** Resolves when all that the stream gave until now is in sealed segments. `ended`: nothing more is to come. */
  async flush(stream: string, { ended }: { ended: boolean }): Promise<void> {
    const recorder = this.#recorders.get(stream)
    if (ended) await recorder?.flushNow()
    else await recorder?.flushAt(this.#options.clock.nowMs())
  }

  async flushAt(stream: string, wallMs: number): Promise<void> {
    await this.#recorders.get(stream)?.flushAt(wallMs)
  }

  openSince(stream: string): number | undefined {
    return this.#recorders.get(stream)?.openSinceMs
  }

  newest(stream: string): { epoch: number; seq: number } | undefined {
    return this.open(stream).newest
  }

  stats(stream: string): RecorderStats | undefined {
    return this.#recorders.get(stream)?.stats
  }

  /** Seals everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#recorders.values()].map((recorder) => recorder.flushNow()))
  }
}
