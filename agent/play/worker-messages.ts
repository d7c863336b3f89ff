import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { AccessUnit, CodecConfig } from '../../shared/media/access-unit.ts'
import type { ViewerEnd } from './viewer.ts'

/**
 * What the agent and a process that only sends say to each other.
 *
 * Two channels. Sockets travel over the process channel, one at a time, each confirmed: what concerns one viewer goes
 * there, in order behind its socket. Units must not wait for that: they have a pipe of their own.
 */

/** What a viewer asked for, once it was let in. */
export type HandedRequest =
  | {
      transport: 'http'
      /** The head of the answer, as it is to be written before the first bytes. */
      head: string
      requestId: string
    }
  | {
      transport: 'ws'
      method: string
      /** Those of the handshake. */
      headers: IncomingHttpHeaders
      /** What had come behind the head of the request. */
      readAhead: Uint8Array
    }

/** A viewer's socket, to be sent to from elsewhere. */
export type Handover = { socket: Socket; request: HandedRequest }

/** Over the process channel, to the worker. Viewers and streams are numbers, never used twice. */
export type ToWorker =
  | {
      type: 'hello'
      /** Monotonic ms of the agent less its `hrtime`: one time for both processes. */
      clockMs: number
      mergeMs: number
    }
  | {
      type: 'join'
      viewer: number
      stream: number
      /** Time 0 of the stream. */
      startedAtMs: number | undefined
      request: HandedRequest
    }
  | { type: 'close'; viewer: number }
  | { type: 'stop' }

/** Over the process channel, from the worker. */
export type FromWorker =
  | { type: 'ready' }
  /** It has the socket of a WebSocket, and waits for `go`: only then nobody else reads from it any more. */
  | { type: 'taken'; viewer: number }
  | { type: 'left'; viewer: number; reason: ViewerEnd }
  | { type: 'guard'; reason: 'idle' | 'rate' | 'not-reading' }
  | { type: 'figures'; figures: WorkerFigures }

/** Since the last ones. */
export type WorkerFigures = {
  bytes: number
  skips: number
  skippedBytes: number
  /** Milliseconds, and how often. */
  latency: [number, number][]
  join: [number, number][]
}

/** Over the pipe, to the worker, in order. Of a unit the configuration is sent once. */
export type PipeMessage =
  | {
      type: 'unit'
      stream: number
      startedAtMs: number | undefined
      unit: Omit<AccessUnit, 'config'>
      /** Only when it is another than that of the track's unit before. */
      config?: CodecConfig
    }
  /** The stream is over: its viewers leave. */
  | { type: 'end'; stream: number }
  /** Nobody watches it there any more. */
  | { type: 'drop'; stream: number }
  | { type: 'go'; viewer: number }
