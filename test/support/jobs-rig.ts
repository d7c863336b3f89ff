import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Handler, handlers } from '../../cloud/jobs/handlers.ts'
import type { JobPorts } from '../../cloud/jobs/job-ports.ts'
import type { Deliver } from '../../cloud/local/queue.ts'
import type { ObjectStore, QueueName } from '../../cloud/ports.ts'
import { AppError } from '../../shared/error.ts'
import { cloudIsAws } from './emulators/aws-program.ts'
import { FakeClock } from './fake-clock.ts'
import { type JourneyCloud, openJourneyCloud } from './journey-cloud.ts'

export type JobsRig = AsyncDisposable & {
  cloud: JourneyCloud
  clock: FakeClock
  ports: JobPorts
  /** Does what lies in the queues until nothing is due, as the worker does, but without waiting. */
  drain(options?: {
    ports?: JobPorts
    queues?: readonly QueueName[]
    receivesMax?: number
  }): Promise<AppError[]>
  read(key: string): Promise<Buffer>
}

const memory = '/dev/shm' // Where syncs cost nothing: hundreds of these are opened.

// Thumbnails need FFmpeg: a test that wants them says so.
const visibleQueues: readonly QueueName[] = ['mux', 'export']

/** The cloud in a directory of its own, its clock standing still, its jobs done on demand. */
export async function openJobsRig(
  own: Partial<Record<QueueName, Handler>> = {},
  deliver?: Deliver,
): Promise<JobsRig> {
  const dir = await mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'edgereel-jobs-'))
  const clock = new FakeClock()
  if (cloudIsAws()) clock.setWall(Date.now()) // S3 judges signatures by its own.
  const cloud = await openJourneyCloud({ dir, clock, deliver })
  const ports: JobPorts = { store: cloud.store, catalogue: cloud.catalogue, queue: cloud.queue, clock }
  const all = { ...handlers, ...own }
  return {
    cloud,
    clock,
    ports,
    async drain({ ports: used = ports, queues = visibleQueues, receivesMax = 1000 } = {}) {
      const errors: AppError[] = []
      for (let n = 0; n < receivesMax; n += 1) {
        const done = await handleOne(cloud, all, used, queues)
        if (done === 'empty') break
        if (done) errors.push(done)
      }
      return errors
    },
    read: (key) => readAll(cloud.store, key),
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** One message of the first queue that has one; a failed one stays invisible for a minute, or is buried. */
async function handleOne(
  { queue }: JourneyCloud,
  all: Partial<Record<QueueName, Handler>>,
  ports: JobPorts,
  queues: readonly QueueName[],
): Promise<AppError | 'empty' | undefined> {
  for (const name of queues) {
    const [message] = await queue.receive(name, { max: 1, visibilityS: 60 })
    const handler = all[name]
    if (!message || !handler) continue
    try {
      await handler(message.body, ports, AbortSignal.timeout(60_000))
      await queue.remove(name, message.receipt)
      return undefined
    } catch (cause) {
      const error = AppError.from(cause)
      if (error.terminal) await queue.bury(name, message.receipt, message.body)
      return error
    }
  }
  return 'empty'
}

export async function readAll(store: ObjectStore, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await store.get(key)) chunks.push(chunk)
  return Buffer.concat(chunks)
}
