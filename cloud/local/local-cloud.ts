import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { rawCreatedEvent } from '../jobs/raw-event.ts'
import { releaseClaims } from '../jobs/run-job.ts'
import type { Catalogue, ObjectStore } from '../ports.ts'
import { work } from '../rows/keys.ts'
import { LocalCatalogue } from './catalogue.ts'
import { openDatabase } from './database.ts'
import { codeOf } from './disk-error.ts'
import { openFileStore } from './files.ts'
import { syncDirectory } from './object-file.ts'
import { type Deliver, LocalQueue } from './queue.ts'
import { storeRoute } from './store-route.ts'

export type LocalCloud = AsyncDisposable & {
  store: ObjectStore
  catalogue: Catalogue
  queue: LocalQueue
  /** Answers `/store/*`. */
  storeRoute(request: Request): Promise<Response>
}

export type LocalCloudOptions = {
  dir: string
  clock: Clock
  /** How messages of the queue arrive; absent: each once and at once. */
  deliver?: Deliver | undefined
}

/**
 * The cloud on one machine, below the data directory: `archive/` (objects), `cloud.db` (rows, messages),
 * `cloud.key` (signs its addresses; made at the first start, 0600). One process at a time.
 */
export async function openLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const { dir, clock } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const signingKey = await loadSigningKey(join(dir, 'cloud.key'))
  await using stack = new AsyncDisposableStack()
  const database = stack.adopt(openDatabase(join(dir, 'cloud.db')), (it) => it.close())
  const queue = new LocalQueue(database, clock, options.deliver)
  const store = await openFileStore({
    root: join(dir, 'archive'),
    database,
    clock,
    signingKey,
    created: {
      isTold: (key) => key.startsWith('raw/') && key.endsWith('.json'),
      tell: (key, sizeBytes) => queue.send('mux', rawCreatedEvent(key, sizeBytes)),
    },
  })
  const catalogue = new LocalCatalogue(database, clock)
  await releaseClaims({ catalogue }, work.open) // Of a killed process: nobody else can hold one.
  const closing = stack.move()
  return {
    store,
    queue,
    catalogue,
    storeRoute: storeRoute({ store, signingKey, clock }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

const signingKeyBytes = 32

async function loadSigningKey(path: string): Promise<Uint8Array> {
  const found = await readFile(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (found?.length === signingKeyBytes) return found
  if (found) throw new AppError('FailedPrecondition', `${path} is damaged: delete it, a new one is made.`)
  const key = randomBytes(signingKeyBytes)
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(key)
  await file.sync()
  await syncDirectory(join(path, '..'))
  return key
}
