import {
  keyFrameWaitMs,
  viewerLagBytesMax,
  viewerLagMsMax,
  viewerStallMs,
  viewerWriteBytesMax,
} from '../../shared/limits.ts'
import { type Cursor, take } from './slab-log.ts'

/**
 * Why a viewer left; each is counted. `no-source`: whoever it waited for did not come; `closed`: somebody asked for it;
 * `worker`: the process that sent to it died.
 */
export type ViewerEnd =
  | 'ended'
  | 'gone'
  | 'stalled'
  | 'no-key-frame'
  | 'no-source'
  | 'time-limit'
  | 'shutdown'
  | 'closed'
  | 'worker'

/** The socket of one viewer. */
export type ViewerSocket = {
  /** True when the kernel took all of it at once; else `done` comes later, once Node holds none of the bytes. */
  write(chunks: readonly Uint8Array[], done: WriteDone): boolean
  /** Cleanly when the reason lets it; at once for `stalled` and `gone`. */
  end(reason: ViewerEnd): void
}

export type WriteDone = (error?: Error | null) => void

/** A place in the log at which a player can start. */
export type Mark = {
  readonly cursor: Readonly<Cursor>
  readonly arrivalMs: number
  /** Grows when the codec configuration changes. */
  readonly configVersion: number
  /** Header, metadata and codec configuration for one who starts here. */
  readonly prelude: Uint8Array
  /** The codec configuration alone, for one who skipped to here. */
  readonly configuration: Uint8Array
}

/** What a viewer needs of its feed. */
export type ViewerFeed = {
  /** The newest key frame in the log; undefined before the first and after a GOP outgrew the bounds. */
  readonly mark: Mark | undefined
  readonly position: number
  /** How much of it is meant to have left: what came after may wait for more. */
  readonly flushedPosition: number
  /** Monotonic ms. */
  now(): number
  onBytes(sizeBytes: number): void
  onSkip(sizeBytes: number): void
  /** Units that had to wait for the write before them were handed over. */
  onHanded(latencyMs: number): void
  /** The first key frame was handed over. */
  onJoined(tookMs: number): void
  onEnd(viewer: Viewer, reason: ViewerEnd): void
}

/**
 * One viewer's way through the log of its stream.
 *
 * Invariants: at most one write is in flight; behind the newest key frame it holds at most the budget of bytes and
 * seconds. Inside the newest GOP it may lag for free, since the feed holds that GOP anyway. Over the budget it
 * skips to the newest key frame; a write that takes longer than the stall limit ends it.
 */
export class Viewer {
  readonly #feed: ViewerFeed
  readonly #socket: ViewerSocket
  #cursor: Cursor | undefined
  #configVersion: number | undefined
  #inFlightSinceMs: number | undefined
  #caughtUpMs = 0
  #skippedMs = 0
  readonly #joinedMs: number
  /** Arrival of the oldest unit that waits for the write in flight. */
  #lateSinceMs: number | undefined
  #ended = false
  readonly #done: WriteDone = (error) => this.#written(error != null)

  constructor(feed: ViewerFeed, socket: ViewerSocket) {
    this.#feed = feed
    this.#socket = socket
    this.#joinedMs = feed.now()
  }

  /** Whether it was given a first key frame. */
  get started(): boolean {
    return this.#configVersion !== undefined
  }

  /** There may be something new in the log, of which the oldest came then. True when a running viewer was handed it. */
  flush(nowMs: number, arrivalMs: number): boolean {
    if (this.#ended) return false
    if (this.#inFlightSinceMs === undefined) return this.#send(nowMs) || this.#waitsTooLong(nowMs)
    this.#lateSinceMs ??= arrivalMs
    if (nowMs - this.#inFlightSinceMs > viewerStallMs) this.end('stalled')
    else this.#keepBudget(nowMs)
    return false
  }

  end(reason: ViewerEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#cursor = undefined
    this.#feed.onEnd(this, reason)
    this.#socket.end(reason)
  }

  #send(nowMs: number): boolean {
    const runs = this.#cursor !== undefined
    const isNew = !this.started
    const head = this.#join(nowMs)
    const cursor = this.#cursor
    if (!cursor || (!head && cursor.position === this.#feed.position)) return false
    this.#write(cursor, head, nowMs)
    while (this.#inFlightSinceMs === undefined && cursor.position < this.#feed.position) {
      this.#write(cursor, undefined, nowMs)
    }
    if (isNew) this.#feed.onJoined(this.#feed.now() - this.#joinedMs)
    return runs
  }

  /** One that skipped, in a stream that gives no key frame any more: players do better to begin anew. False. */
  #waitsTooLong(nowMs: number): false {
    const waits = !this.#cursor && this.started
    if (waits && nowMs - this.#skippedMs > keyFrameWaitMs) this.end('no-key-frame')
    return false
  }

  #write(cursor: Cursor, head: Uint8Array | undefined, nowMs: number): void {
    const before = cursor.position
    const chunks = take(cursor, viewerWriteBytesMax)
    if (cursor.position === this.#feed.position) this.#caughtUpMs = nowMs
    this.#feed.onBytes(cursor.position - before + (head?.length ?? 0))
    const isTaken = this.#socket.write(head ? [head, ...chunks] : chunks, this.#done)
    this.#inFlightSinceMs = isTaken ? undefined : nowMs
  }

  #written(failed: boolean): void {
    this.#inFlightSinceMs = undefined
    if (this.#ended) return
    const lateSinceMs = this.#lateSinceMs
    this.#lateSinceMs = undefined
    if (failed) this.end('gone')
    else this.#goOn(lateSinceMs)
  }

  #goOn(lateSinceMs: number | undefined): void {
    if (this.#cursor && this.#cursor.position >= this.#feed.flushedPosition) return
    const handed = this.#send(this.#feed.now())
    if (handed && lateSinceMs !== undefined) this.#feed.onHanded(this.#feed.now() - lateSinceMs)
  }

  /** Gives a viewer without a place the newest key frame. Returns what must go before it. */
  #join(nowMs: number): Uint8Array | undefined {
    const { mark } = this.#feed
    if (this.#cursor || !mark) return undefined
    const seen = this.#configVersion
    this.#cursor = { ...mark.cursor }
    this.#configVersion = mark.configVersion
    this.#caughtUpMs = nowMs
    if (seen === undefined) return mark.prelude
    return seen === mark.configVersion ? undefined : mark.configuration
  }

  #keepBudget(nowMs: number): void {
    if (!this.#cursor) return
    const { mark } = this.#feed
    const target = mark?.cursor.position ?? this.#feed.position
    if (target <= this.#cursor.position) return
    const lagBytes = this.#feed.position - this.#cursor.position
    if (lagBytes <= viewerLagBytesMax && nowMs - this.#caughtUpMs <= viewerLagMsMax) return
    this.#feed.onSkip(target - this.#cursor.position)
    this.#skippedMs = nowMs
    this.#cursor = undefined // The next write joins at the newest key frame, whichever that is by then.
  }
}
