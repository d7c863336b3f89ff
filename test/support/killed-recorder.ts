import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { openRing } from '../../agent/ring/ring.ts'
import type { Ring } from '../../agent/ring/types.ts'
import { parseIndex } from '../../shared/media/index.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { agent } from './storage-rig.ts'
import { readLabels } from './synthetic.ts'

export type Written = { n: number; atMs: number }

/** Runs `ring-child` on `dir` until `stop` has ended it; answers what it said was written. */
export async function recordUntil(
  dir: string,
  first: number,
  stop: (kill: () => void, told: readonly Written[]) => Promise<void>,
): Promise<Written[]> {
  const child = spawn(process.execPath, [resolve(import.meta.dirname, 'ring-child.ts'), dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const written: Written[] = []
  const ready = Promise.withResolvers<void>()
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    const [word, n, atMs] = line.split(' ')
    if (word === 'ready') ready.resolve()
    // The last line may be cut off by the kill.
    else if (atMs?.length === 13) written.push({ n: Number(n), atMs: Number(atMs) })
  })
  await Promise.race([
    ready.promise,
    exited.then(() => Promise.reject(new Error('the recorder did not start'))),
  ])
  await stop(() => child.kill('SIGKILL'), written)
  child.kill('SIGKILL')
  await exited
  return written
}

export function openHere(dir: string, whenFull: 'overwrite' | 'stop' = 'overwrite'): Promise<Ring> {
  const onFatal = (error: Error) => {
    throw error
  }
  return openRing({ dir, agent, quotaBytes: 1e9, whenFull, clock: systemClock, onFatal })
}

/** The numbers of all pictures in sealed segments, copies left out, in the order of the segments. */
export async function picturesIn(ring: Ring, stream: string): Promise<number[]> {
  const numbers: number[] = []
  for (const row of await ring.segments({ stream })) {
    const bytes = await ring.read(row, 'h264', 0, row.sizeBytes)
    const { records } = parseIndex(await ring.read(row, 'idx', 0, row.sizeBytes))
    for (let i = 0; i < records.length; i += 1) {
      if (!records.isUnit(i) || records.isDuplicate(i)) continue
      const end = records.offset(i) + records.sizeBytes(i)
      for (const label of readLabels(bytes.subarray(records.offset(i), end))) numbers.push(label.n)
    }
  }
  return numbers
}
