import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, test } from 'vitest'
import { openLocalCloud } from '../../cloud/local/local-cloud.ts'
import type { Catalogue, ObjectStore, Queue } from '../../cloud/ports.ts'
import { closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing, isRealAws } from '../support/emulators/aws-world.ts'
import { findMoto } from '../support/emulators/moto.ts'
import { FakeClock } from '../support/fake-clock.ts'

export type Implementation = AsyncDisposable & {
  store: ObjectStore
  catalogue: Catalogue
  queue: Queue
  /** Sends a request to an address that `presignPut` or `presignGet` gave. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Lets time pass for addresses and rows; undefined where it cannot be made to. */
  pass: ((ms: number) => void) | undefined
  /** False where an emulator is known not to list keys by bytes. */
  listsByBytes: boolean
  /** Lets time pass for messages; on AWS by waiting. */
  wait(ms: number): Promise<void>
}

const missing = awsMissing()
test.skipIf(missing === undefined)(`the contract on AWS: ${missing ?? 'runs'}`, () => {})
afterAll(closeAwsRigs)

/** Every implementation of `cloud/ports.ts`; the contract tests run on each. */
export const implementations: { name: string; open(): Promise<Implementation> }[] = [
  { name: 'local', open: openLocal },
  ...(missing === undefined ? [{ name: isRealAws ? 'AWS' : 'AWS, emulated', open: openAws }] : []),
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
    listsByBytes: true,
    wait: async (ms) => clock.advance(ms),
    [Symbol.asyncDispose]: async () => {
      await cloud[Symbol.asyncDispose]()
      await rm(dir, { recursive: true })
    },
  }
}

async function openAws(): Promise<Implementation> {
  const rig = await openAwsRig()
  const { store, catalogue, queue } = rig.cloud
  const pass = (ms: number) => {
    rig.world.aheadMs += ms
  }
  return {
    store,
    catalogue,
    queue,
    fetch: (url, init) => fetch(url, init),
    pass: isRealAws ? undefined : pass,
    listsByBytes: isRealAws || findMoto() !== undefined, // fauxqs sorts as in a dictionary.
    wait: async (ms) => void (await delay(ms)),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  }
}
