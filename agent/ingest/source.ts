import type { AppError } from '../../shared/error.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'

/** Where a source gives what it received. Neither throws. */
export type SourceOutput = {
  /** The camera answered and says what it sends; units are to come. */
  connected(): void
  unit(unit: AccessUnit): void
  gap(gap: SourceGap): void
}

/** A camera that is fetched from: one interface for all of them. */
export type PulledSource = {
  /** `rtsp`, `http` …: the kind of the stream that it publishes. */
  readonly kind: string
  /** Its address without credentials. */
  readonly display: string
  /**
   * Connects once and gives units until it ends. Rejects with what ended it, in words without secrets; resolves when a
   * source came to its end. Aborted: stops and settles soon, either way.
   *
   * Units of two connections have different epochs.
   */
  connectOnce(options: { signal: AbortSignal; output: SourceOutput }): Promise<void>
  /** A JPEG of now that the camera makes itself; absent where it does not. */
  still?(): Promise<Uint8Array>
}

/**
 * `idle`: nobody wants it; `connecting`: until its first key frame, also when it is tried again; `live`;
 * `offline`: the last connection failed, and the next try comes later.
 */
export type SourceState = 'idle' | 'connecting' | 'live' | 'offline'

export type SourceStatus = {
  state: SourceState
  /** Wall ms since when. */
  since: number
  /** Connections that ended without being asked to, since the source was set. */
  failures: number
  /** Why it is offline, or was before this try; gone when it is live. */
  error?: AppError
}
