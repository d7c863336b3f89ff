import { Worker } from 'node:worker_threads'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { FromWorker, ToWorker, WireError } from './messages.ts'
import { RingProxy } from './ring-proxy.ts'
import type { StorageOptions } from './storage.ts'
import type { Ring } from './types.ts'

/**
 * The ring as the main thread sees it: a proxy of the storage worker, which alone touches agent.db and the files
 * below ring/ and recordings/ (docs/ring.md).
 *
 * How the neighbours use it:
 * - record/recorder: `open` → `append` … → `seal`; never waits, never loses without being told.
 * - record/recordings (claims): `saveRecording` before a start is answered; to close, `recorder.flushAt(to)`, then
 *   `segments` and `gaps` of [from, to), then `saveRecording` of the closed revision.
 * - upload/uploader: `pendingUploads` → `read`/`readRecording` → the store confirms → `markUploaded`.
 */
export type RingOptions = StorageOptions & {
  clock: Clock
  /** The worker died: nothing can be recorded any more, the process should end and be started again. */
  onFatal(error: Error): void
  /** Instead of the worker's own file: tests give one with a file system that stalls or fails. */
  workerUrl?: URL
}

/** Beside this file, as source or as a bundle. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/**
 * Recovers first, then answers. `AlreadyExists` while another agent holds the directory, `FailedPrecondition` when
 * the ring in it is another agent's.
 */
export async function openRing(options: RingOptions): Promise<Ring> {
  const { dir, agent, quotaBytes, whenFull, clock, onFatal } = options
  const workerData: StorageOptions = { dir, agent, quotaBytes, whenFull }
  const url = options.workerUrl ?? new URL(`./storage-worker.${extension}`, import.meta.url)
  const worker = new Worker(url, { workerData })
  const ready = Promise.withResolvers<Extract<FromWorker, { type: 'ready' }>>()
  const exited = Promise.withResolvers<void>()
  const post = (message: ToWorker, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer)
  const proxy = new RingProxy({ agent: agent.name, quotaBytes, clock, post, exited: exited.promise })

  worker.on('message', (message: FromWorker) => {
    if (message.type === 'ready') ready.resolve(message)
    else if (message.type === 'refused') ready.reject(errorOf(message.error))
    proxy.receive(message)
  })
  const fail = (error: Error) => {
    ready.reject(error)
    proxy.fail(error)
    onFatal(error)
  }
  worker.on('error', (cause: Error) =>
    fail(new AppError('Internal', `the storage worker died: ${cause.message}`, { cause })),
  )
  worker.on('exit', () => exited.resolve())
  await ready.promise
  return proxy
}

function errorOf({ kind, message, zh }: WireError): AppError {
  return new AppError(kind, message, zh === undefined ? {} : { zh })
}
