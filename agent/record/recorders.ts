import type { WallOffset } from '../../shared/media/clock-offset.ts'
import { type RecorderOptions, type RecorderStats, type RingPolicy, StreamRecorder } from './recorder.ts'

type Wanted = { always: boolean; claimed: boolean; since: number }

/** The recorders of all streams, by name. One lives as long as the agent and
 * costs a kilobyte; a name comes from the configuration or from someone who was allowed in. */
export class Recorders implements AsyncDisposable {
  readonly #options: RecorderOptions
  readonly #recorders = new Map<string, StreamRecorder>()
  readonly #wanted = new Map<string, Wanted>()
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
    this.#want(stream, { always: policy === 'always' })
  }

  setClaimed(stream: string, claims: number): void {
    this.open(stream).setClaimed(claims)
    this.#want(stream, { claimed: claims > 0 })
    this.#onClaimed(stream, claims)
  }

  /** Told at every change of how many recordings want a stream: its camera may have to be fetched from. */
  onClaimed(tell: (stream: string, claims: number) => void): void {
    this.#onClaimed = tell
  }

  /** Streams that are to be recorded now, by a recording or always, and since when, in wall ms. */
  wanted(): { stream: string; since: number }[] {
    return Array.from(this.#wanted, ([stream, { since }]) => ({ stream, since }))
  }

  roundTrip(stream: string, rttMs: number): void {
    this.#recorders.get(stream)?.roundTrip(rttMs)
  }

  /** Before the first unit for which it holds. */
  setWallOffset(stream: string, offset: WallOffset | undefined): void {
    this.open(stream).setWallOffset(offset)
  }

  /** A stream of a name that is not used again, after its last recording has closed. */
  forget(stream: string): void {
    this.#recorders.delete(stream)
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

  #want(stream: string, change: Partial<Wanted>): void {
    const before = this.#wanted.get(stream) ?? {
      always: false,
      claimed: false,
      since: this.#options.clock.nowMs(),
    }
    const now = { ...before, ...change }
    if (now.always || now.claimed) this.#wanted.set(stream, now)
    else this.#wanted.delete(stream)
  }

  /** Seals everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#recorders.values()].map((recorder) => recorder.flushNow()))
  }
}
