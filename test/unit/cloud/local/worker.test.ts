import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { noteOldVersion } from '../../../../cloud/jobs/delete-objects.ts'
import type { Handler } from '../../../../cloud/jobs/handlers.ts'
import { LocalQueue } from '../../../../cloud/local/queue.ts'
import { startWorker, type WorkerOptions } from '../../../../cloud/local/worker.ts'
import type { QueueName } from '../../../../cloud/ports.ts'
import { AppError } from '../../../../shared/error.ts'
import { expireEveryMs, exportKeepMs } from '../../../../shared/limits.ts'
import { type JobsRig, openJobsRig } from '../../../support/jobs-rig.ts'

type Failure = Parameters<WorkerOptions['onError']>[0]

function start(rig: JobsRig, handlers: Partial<Record<QueueName, Handler>>) {
  const failures: Failure[] = []
  const ports = { ...rig.ports, queue: queueOf(rig) }
  const worker = startWorker({
    ports,
    handlers,
    clock: rig.clock,
    onError: (failure) => failures.push(failure),
  })
  return { worker, failures }
}

function queueOf({ cloud: { queue } }: JobsRig): LocalQueue {
  if (!(queue instanceof LocalQueue)) throw new Error('the worker is that of one PC')
  return queue
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  // Turns of the loop first, so that an idle machine loses no time; a busy one gets ten seconds.
  for (let n = 0; n < 11_000; n += 1) {
    if (await holds()) return
    await (n < 1000 ? turn() : sleep(1))
  }
  throw new Error('it never came to that')
}

test('begins at the send, without the clock moving', async () => {
  await using rig = await openJobsRig()
  const done: string[] = []
  const { worker } = start(rig, { mux: async (body) => void done.push(body) })
  await using _worker = worker
  await until(() => rig.clock.sleeping > 0)
  for (const body of ['a', 'b']) {
    await rig.cloud.queue.send('mux', body)
    await until(() => done.includes(body))
  }
  expect(await rig.cloud.queue.depth('mux')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
})

test('a failed message comes back later and later, a hopeless one lies dead at once', async () => {
  await using rig = await openJobsRig()
  const tries: number[] = []
  const { worker, failures } = start(rig, {
    mux: async () => {
      tries.push(rig.clock.nowMs())
      throw new AppError('Unavailable', 'not yet')
    },
    export: async () => {
      throw new AppError('DataLoss', 'never')
    },
  })
  await using _worker = worker
  await rig.cloud.queue.send('export', 'hopeless')
  await rig.cloud.queue.send('mux', 'failing')
  for (const seconds of [1, 2, 4]) {
    const isIdle = () => failures.length === tries.length + 1 && rig.clock.sleeping === 1
    await until(() => tries.length > 0 && isIdle())
    const before = tries.length
    rig.clock.advance(seconds * 1000)
    await until(() => tries.length > before)
  }
  const [first = 0] = tries
  expect(tries.map((at) => (at - first) / 1000)).toEqual([0, 1, 3, 7])
  expect(failures.find(({ queue }) => queue === 'export')).toMatchObject({ final: true, body: 'hopeless' })
  expect((await rig.cloud.queue.depth('export')).dead).toBe(1)
})

test('what someone waits for goes before thumbnails, which have their turn', async () => {
  await using rig = await openJobsRig()
  const order: string[] = []
  for (let n = 0; n < 20; n += 1) await rig.cloud.queue.send('mux', 'm')
  for (let n = 0; n < 3; n += 1) await rig.cloud.queue.send('thumbnail', 't')
  const note = async (body: string) => void order.push(body)
  const { worker } = start(rig, { mux: note, thumbnail: note })
  await using _worker = worker
  await until(() => order.length === 23)
  expect(order.join('')).toBe('mmmmmmmtmmmmmmmtmmmmmmt')
})

test('a stop ends the job at hand, and its message is there at the next start', async () => {
  await using rig = await openJobsRig()
  const begun = Promise.withResolvers<void>()
  const { worker, failures } = start(rig, {
    mux: (_body, _ports, signal) =>
      new Promise((_, reject) => {
        begun.resolve()
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  await rig.cloud.queue.send('mux', 'long')
  await begun.promise
  await worker[Symbol.asyncDispose]()
  expect(failures).toEqual([])
  expect(await rig.cloud.queue.receive('mux', { max: 1, visibilityS: 30 })).toMatchObject([{ body: 'long' }])
})

test('the message of a long job stays in hand', async () => {
  await using rig = await openJobsRig()
  const end = Promise.withResolvers<void>()
  let runs = 0
  const { worker } = start(rig, {
    mux: async () => {
      runs += 1
      await end.promise
    },
  })
  await using _worker = worker
  await rig.cloud.queue.send('mux', 'long')
  await until(() => runs === 1)
  for (let n = 0; n < 20; n += 1) {
    rig.clock.advance(30_000)
    await turn()
    expect(await rig.cloud.queue.receive('mux', { max: 1, visibilityS: 30 })).toEqual([])
  }
  end.resolve()
  await until(async () => (await rig.cloud.queue.depth('mux')).inFlight === 0)
  expect(runs).toBe(1)
})

test('a queue that cannot be read is tried once a second, not in a tight loop', async () => {
  await using rig = await openJobsRig()
  let reads = 0
  const queue = new Proxy(queueOf(rig), {
    get(target, name) {
      if (name !== 'receive') return Reflect.get(target, name).bind(target)
      return async () => {
        reads += 1
        throw new Error('the disk is full')
      }
    },
  })
  const failures: Failure[] = []
  const ports = { ...rig.ports, queue }
  await using _worker = startWorker({
    ...{ ports, clock: rig.clock, handlers: { mux: async () => {} } },
    onError: (failure) => failures.push(failure),
  })
  for (let n = 1; n <= 3; n += 1) {
    await until(() => rig.clock.sleeping === 1)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect([reads, failures.length]).toEqual([n, n])
    rig.clock.advance(1000)
    await until(() => reads > n)
  }
})

test('work that never ends does not keep what is over for ever', async () => {
  await using rig = await openJobsRig()
  const { store, queue, catalogue } = rig.ports
  const key = 'exports/take/v1/cam-1.mp4'
  await store.put(key, new Uint8Array(1), { sizeBytes: 1, contentType: 'video/mp4' })
  const isThere = async () => (await store.head(key)) !== undefined
  await noteOldVersion(catalogue, { recording: 'take', version: 1 }, rig.clock.nowMs())
  rig.clock.advance(exportKeepMs * 2)
  let jobs = 0
  await queue.send('mux', 'again')
  const { worker } = start(rig, {
    mux: async () => {
      jobs += 1
      rig.clock.advance(expireEveryMs / 4)
      if (jobs < 100 && (await isThere())) await queue.send('mux', 'again')
    },
  })
  await using _worker = worker
  await until(async () => !(await isThere()))
  expect(jobs).toBeLessThan(10)
})
