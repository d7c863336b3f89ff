import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalCloud } from '../../cloud/local/local-cloud.ts'
import type { Catalogue, ObjectStore, Queue } from '../../cloud/ports.ts'
import { FakeClock } from '../support/fake-clock.ts'

export type Implementation = AsyncDisposable & {
  store: ObjectStore
  catalogue: Catalogue
  queue: Queue
  /** Sends a request to an address that `presignPut` or `presignGet` gave. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Lets wall time pass; undefined where time cannot be made to pass. */
  pass: ((ms: number) => void) | undefined
}

/** Every implementation of `cloud/ports.ts`; the contract tests run on each. */
export const implementations: { name: string; open(): Promise<Implementation> }[] = [
  { name: 'local', open: openLocal },
]

async function openLocal(): Promise<Implementation> {
  const dir = await mkdtemp(join(tmpdir(), 'edgereel-contract-'))
  const clock = new FakeClock()
  const cloud = await openLocalCloud({ dir, clock })
  return {
    store: cloud.store,
    catalogue: cloud.catalogue,
    queue: cloud.queue,
    fetch: (url, init) => cloud.storeRoute(new Request(`http://local${url}`, init)),
    pass: (ms) => clock.advance(ms),
    [Symbol.asyncDispose]: async () => {
      await cloud[Symbol.asyncDispose]()
      await rm(dir, { recursive: true })
    },
  }
}
