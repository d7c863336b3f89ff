import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { type Alignment, align, type Refusal } from './align.ts'

const script = new URL('./align-worker.ts', import.meta.url)

/**
 * Aligns in a thread of its own: it takes seconds, in which the API has to answer and the lease to be renewed. Where
 * the code is one bundled file (a function of its own, with nothing else to do meanwhile) it is done here.
 */
export async function alignAside(
  dance: Float32Array,
  bgm: Float32Array,
  signal: AbortSignal,
): Promise<Alignment | Refusal> {
  if (!(await isThere(script))) return align(dance, bgm)
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

const isThere = (url: URL) =>
  access(url).then(
    () => true,
    () => false,
  )
