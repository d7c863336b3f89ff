import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Alignment, Refusal } from './align.ts'

// In a function of AWS it lies beside the bundle, as a bundle of its own (infra/stack.ts).
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'mjs'
const script = new URL(`./align-worker.${extension}`, import.meta.url)

/** Aligns in a thread of its own: it takes seconds, in which the API has to answer and the lease to be renewed. */
export async function alignAside(
  dance: Float32Array,
  bgm: Float32Array,
  signal: AbortSignal,
): Promise<Alignment | Refusal> {
  signal.throwIfAborted()
  const worker = new Worker(script, { workerData: { dance, bgm } })
  try {
    const [found] = (await once(worker, 'message', { signal })) as [Alignment | Refusal]
    return found
  } catch (cause) {
    throw signal.aborted ? signal.reason : cause
  } finally {
    await worker.terminate()
  }
}
