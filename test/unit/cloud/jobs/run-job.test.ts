import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { resetJob, runJob } from '../../../../cloud/jobs/run-job.ts'
import { changeRow } from '../../../../cloud/rows/change-row.ts'
import { addTask, getTask, newTaskRow, taskKey } from '../../../../cloud/rows/task.ts'
import { AppError } from '../../../../shared/error.ts'
import { type JobsRig, openJobsRig } from '../../../support/jobs-rig.ts'

const key = taskKey('t')
const never = new AbortController().signal

async function withTask(): Promise<JobsRig> {
  const rig = await openJobsRig()
  await addTask(rig.ports.catalogue, newTaskRow({ id: 't', kind: 'export', input: {} }, rig.clock.nowMs()))
  return rig
}

const task = async (rig: JobsRig) => await getTask(rig.ports.catalogue, 't')
const fails = (kind: ConstructorParameters<typeof AppError>[0], message = 'no') => ({
  signal: never,
  work: () => Promise.reject(new AppError(kind, message)),
})

test('runs the work once and keeps what it answers', async () => {
  await using rig = await withTask()
  let runs = 0
  const job = { signal: never, work: async () => ({ result: { n: ++runs } }) }
  expect(await runJob(rig.ports, key, job)).toMatchObject({ status: 'SUCCESS', result: { n: 1 } })
  expect(await runJob(rig.ports, key, job)).toMatchObject({ status: 'SUCCESS', result: { n: 1 } })
  expect(await task(rig)).toMatchObject({ attempts: 1, progress: 100, leaseUntil: 0 })
  expect((await task(rig))?.gsi2pk).toBeUndefined()
})

test('tries three times, then fails for ever with the reason', async () => {
  await using rig = await withTask()
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await expect(runJob(rig.ports, key, fails('Unavailable'))).rejects.toMatchObject({ kind: 'Unavailable' })
    expect(await task(rig)).toMatchObject({ status: 'PENDING', attempts: attempt, message: 'no' })
  }
  await expect(runJob(rig.ports, key, fails('DeadlineExceeded'))).rejects.toThrow()
  expect(await task(rig)).toMatchObject({
    status: 'FAILED',
    reason: 'TIMEOUT',
    detail: 'no',
    gsi2pk: 'W#failed',
  })
  await expect(runJob(rig.ports, key, fails('Unavailable'))).rejects.toMatchObject({ terminal: true })
})

test.each([
  ['NotFound', 'FILE_NOT_FOUND'],
  ['DataLoss', 'INVALID_FORMAT'],
  ['InvalidArgument', 'INVALID_FORMAT'],
] as const)('a terminal %s fails at once as %s', async (kind, reason) => {
  await using rig = await withTask()
  await expect(runJob(rig.ports, key, fails(kind))).rejects.toMatchObject({ kind })
  expect(await task(rig)).toMatchObject({ status: 'FAILED', reason, attempts: 1 })
})

test('a reset gives the attempts back', async () => {
  await using rig = await withTask()
  await expect(runJob(rig.ports, key, fails('DataLoss'))).rejects.toThrow()
  expect(await resetJob(rig.ports, key)).toBe(true)
  expect(await resetJob(rig.ports, key)).toBe(false)
  expect(await task(rig)).toMatchObject({ status: 'PENDING', attempts: 0, gsi2pk: 'W#open' })
  expect((await task(rig))?.reason).toBeUndefined()
})

test('one of two at the same time does the work, the other is told to wait', async () => {
  await using rig = await withTask()
  let runs = 0
  const work = async () => {
    runs += 1
    await turn()
    return {}
  }
  const both = await Promise.allSettled([1, 2].map(() => runJob(rig.ports, key, { signal: never, work })))
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(runs).toBe(1)
})

test('a run that lost its lease cannot write over the one that took over', async () => {
  await using rig = await withTask()
  const slow = Promise.withResolvers<void>()
  const first = runJob(rig.ports, key, {
    signal: never,
    work: async () => {
      await slow.promise
      return { result: 'of the first' }
    },
  })
  await turn()
  // Its heartbeats have stopped (a frozen machine): the lease runs out and another takes over.
  await changeRow(rig.ports.catalogue, key, (row) => row && { ...row, leaseUntil: 1 })
  const second = await runJob(rig.ports, key, {
    signal: never,
    work: async () => ({ result: 'of the second' }),
  })
  slow.resolve()
  await expect(first).rejects.toMatchObject({ kind: 'Aborted' })
  expect(await task(rig)).toMatchObject({ result: 'of the second', attempts: 2, version: second.version })
})

test('the heartbeat keeps the lease while the work takes minutes, and a cancel ends it', async () => {
  await using rig = await withTask()
  let aborted: unknown
  const running = runJob(rig.ports, key, {
    signal: never,
    work: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = signal.reason
          reject(signal.reason)
        })
      }),
  })
  await turn()
  for (let n = 0; n < 10; n += 1) {
    rig.clock.advance(20_000)
    await turn()
    await expect(runJob(rig.ports, key, fails('Internal'))).rejects.toMatchObject({ kind: 'Aborted' })
  }
  await changeRow(rig.ports.catalogue, key, (row) => row && { ...row, cancelled: true })
  rig.clock.advance(20_000)
  await expect(running).rejects.toThrow('cancelled')
  expect(aborted).toMatchObject({ kind: 'FailedPrecondition' })
  expect(await task(rig)).toMatchObject({ status: 'FAILED', detail: 'The task was cancelled.' })
})

test('a stop does not use up an attempt', async () => {
  await using rig = await withTask()
  const stop = new AbortController()
  const work = async () => {
    stop.abort(new AppError('Cancelled', 'stopping'))
    return {}
  }
  await expect(runJob(rig.ports, key, { signal: stop.signal, work })).rejects.toMatchObject({
    kind: 'Cancelled',
  })
  expect(await task(rig)).toMatchObject({ status: 'PENDING', attempts: 0 })
})

test('a job whose runs are killed three times is given up', async () => {
  await using rig = await withTask()
  for (let n = 0; n < 3; n += 1) {
    void runJob(rig.ports, key, { signal: never, work: () => new Promise(() => {}) }).catch(() => {})
    await turn()
    await changeRow(rig.ports.catalogue, key, (row) => row && { ...row, leaseUntil: 1 })
  }
  await expect(runJob(rig.ports, key, fails('Internal'))).rejects.toMatchObject({ terminal: true })
  expect(await task(rig)).toMatchObject({ status: 'FAILED', reason: 'RESOURCE_LIMIT', attempts: 3 })
})

test('progress never falls, and is written once a second', async () => {
  await using rig = await withTask()
  const seen: unknown[] = []
  await runJob(rig.ports, key, {
    signal: never,
    work: async ({ progress }) => {
      for (const percent of [10, 20, 5, 50]) {
        await progress(percent, `at ${percent}`)
        const row = await task(rig)
        seen.push([row?.progress, row?.message])
        rig.clock.advance(600)
      }
      return {}
    },
  })
  expect(seen).toEqual([
    [10, 'at 10'],
    [10, 'at 10'],
    [10, 'at 5'],
    [10, 'at 5'],
  ])
})

test('a lease from a clock that was set back since does not block', async () => {
  await using rig = await withTask()
  await changeRow(
    rig.ports.catalogue,
    key,
    (row) => row && { ...row, leaseUntil: rig.clock.nowMs() + 3_600_000 },
  )
  expect(await runJob(rig.ports, key, { signal: never, work: async () => ({}) })).toMatchObject({
    status: 'SUCCESS',
  })
})

test('a task that is not known is refused', async () => {
  await using rig = await openJobsRig()
  await expect(runJob(rig.ports, key, fails('Internal'))).rejects.toMatchObject({ kind: 'NotFound' })
})

test('a time limit of the platform is a TIMEOUT', async () => {
  await using rig = await withTask()
  const signal = AbortSignal.abort(new DOMException('late', 'TimeoutError'))
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await expect(runJob(rig.ports, key, { signal, work: async () => ({}) })).rejects.toMatchObject({
      kind: 'DeadlineExceeded',
    })
  }
  expect(await task(rig)).toMatchObject({ status: 'FAILED', reason: 'TIMEOUT' })
})
