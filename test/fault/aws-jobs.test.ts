import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { segmentStatus } from '../../cloud/api/upload-answers.ts'
import { queueHandler } from '../../cloud/aws/lambda/queue-handler.ts'
import type { JobPorts } from '../../cloud/jobs/job-ports.ts'
import { rawCreatedEvent } from '../../cloud/jobs/raw-event.ts'
import { redrive } from '../../cloud/jobs/redrive.ts'
import { getRecording } from '../../cloud/rows/recording.ts'
import { findSegment } from '../../cloud/rows/segment.ts'
import { getTask } from '../../cloud/rows/task.ts'
import { keys } from '../../shared/contract/segment.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing } from '../support/emulators/aws-world.ts'
import { pollOnce } from '../support/emulators/lambda-queue.ts'
import { type Fault, faultyPorts } from '../support/faulty-ports.ts'
import { readAll } from '../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  sumOf,
  unitOf,
} from '../support/segment-fixture.ts'
import { readLabels, syntheticPicture, syntheticVideo } from '../support/synthetic.ts'

// RELIABILITY.md F1 to F5 on the AWS side: the functions that are deployed, over S3, SQS and DynamoDB.

const missing = awsMissing()
if (missing) console.log(`skipped: ${missing}`)
afterAll(closeAwsRigs)

const epoch = 1_700_000_000_000
const segments = [0, 1, 2].map((seq) => {
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(seq * 10 + i)))
  return sealSegment({ agent: 'lab', stream: 'cam', epoch, seq, units, video: syntheticVideo })
})
const queues = ['export', 'mux'] as const
const visibilityS = 2
const isNight = Number(process.env.EDGEREEL_KILLS ?? 0) >= 100
const every = isNight ? 3 : 47 // Calls of a port from one kill to the next.
const deaths: [Fault['when'], boolean][] = [
  ['after', true],
  ['before', true],
  ['after', false],
]

/** What Lambda does, until nothing has come for a second. The clock of leases runs ahead meanwhile. */
async function work(rig: AwsRig, ports: JobPorts = rig.cloud, quietPolls = 20): Promise<void> {
  for (let quiet = 0; quiet < quietPolls; quiet += 1) {
    for (const name of queues) {
      const did = await pollOnce(rig.cloud.queue, name, queueHandler(name, ports), visibilityS)
      if (did) quiet = 0
    }
    await delay(50)
  }
}

/** Lease and visibility of what was killed are over. */
async function settle(rig: AwsRig): Promise<void> {
  for (let n = 0; n < 3; n += 1) {
    rig.world.aheadMs += 61_000
    await work(rig, rig.cloud, 25)
    if ((await getRecording(rig.cloud.catalogue, 'take'))?.meta.files) return
    await delay(visibilityS * 1000)
  }
}

async function arrive(rig: AwsRig): Promise<void> {
  for (const segment of segments) await putSegment(rig.cloud.store, segment)
  await putRecording(rig.cloud.store, recordingOf('take', segments))
}

async function expectOneEffect(rig: AwsRig, where: string): Promise<void> {
  const { store, catalogue, queue } = rig.cloud
  const rows = await getRecording(catalogue, 'take')
  const task = await getTask(catalogue, rows?.meta.export?.task ?? '')
  expect([task?.status, rows?.meta.filesVersion], where).toEqual(['SUCCESS', 1])
  const labels = readLabels(await readAll(store, 'exports/take/v1/cam-1.mp4')).map(({ n }) => n)
  expect(labels, where).toEqual(Array.from({ length: 30 }, (_, n) => n))
  expect((await store.list('media/')).keys, where).toHaveLength(3)
  expect((await store.list('exports/take/v2/')).keys, where).toEqual([])
  for (const name of queues) expect((await queue.depth(name)).dead, where).toBe(0)
  if (rig.world.strict) expect(rig.world.strict.openUploads(), where).toBe(0)
}

describe.skipIf(missing)('the jobs on AWS', () => {
  test('each event ten times, shuffled, late: one archive entry', { timeout: 120_000 }, async () => {
    await using rig = await openAwsRig()
    const held: (() => void)[] = []
    rig.world.deliver = (send) => {
      for (let n = 0; n < 10; n += 1) held.splice(Math.floor(Math.random() * (held.length + 1)), 0, send)
    }
    await arrive(rig)
    expect(held).toHaveLength(40)
    for (const [n, send] of held.entries()) setTimeout(send, n * 50)
    await Promise.all([work(rig, rig.cloud, 60), work(rig, rig.cloud, 60)]) // Two functions at once.
    await settle(rig)
    await expectOneEffect(rig, 'repeated')
  })

  test('events that never come: the agent asks, and its question is enough', {
    timeout: 120_000,
  }, async () => {
    await using rig = await openAwsRig()
    let lost = 0
    rig.world.deliver = (send) => {
      lost += 1
      if (lost > 3) send() // That of the recording comes, before any of its segments.
    }
    await arrive(rig)
    await work(rig)
    expect((await rig.cloud.store.list('media/')).keys).toEqual([])
    rig.world.aheadMs += 16 * 60_000
    for (const { manifest, files } of segments) {
      const { stream, seq } = manifest
      const asked = { stream, epoch, seq, files: files.map(({ ext, bytes }) => ({ ext, ...sumOf(bytes) })) }
      expect((await segmentStatus(rig.cloud, 'lab', asked)).status).toBe('stored')
    }
    await work(rig)
    await settle(rig)
    await expectOneEffect(rig, 'lost')
  })

  test('events that never come, and an agent that has forgotten: the recording looks for its segments', {
    timeout: 120_000,
  }, async () => {
    await using rig = await openAwsRig()
    let lost = 0
    rig.world.deliver = (send) => {
      lost += 1
      if (lost > 3) send()
    }
    await arrive(rig)
    await work(rig)
    const check = () =>
      rig.cloud.queue.send('export', JSON.stringify({ kind: 'check', recording: 'take', again: true }))
    await check() // It comes every quarter of an hour: too early, it looks and lets them be.
    await work(rig)
    expect((await rig.cloud.store.list('media/')).keys).toEqual([])
    rig.world.aheadMs += 16 * 60_000
    await check()
    await work(rig)
    await settle(rig)
    await expectOneEffect(rig, 'forgotten')
  })

  test('poison fails for ever without its batch mates, waits among the dead letters, and works when it is mended', {
    timeout: 120_000,
  }, async () => {
    await using rig = await openAwsRig()
    const { store, catalogue, queue } = rig.cloud
    const [first, second, third] = segments
    if (!first || !second || !third) throw new Error('no segments')
    const key = keys.raw(second.manifest, 'idx')
    await putSegment(store, first)
    await putSegment(store, {
      ...second,
      files: second.files.map((file) =>
        file.ext === 'idx' ? { ...file, bytes: Buffer.from('rotten') } : file,
      ),
    })
    await putSegment(store, third)
    await queue.send('mux', 'not an event')
    await work(rig)
    const states = await Promise.all(segments.map(({ manifest }) => findSegment(catalogue, manifest)))
    expect(states.map((row) => row?.status)).toEqual(['SUCCESS', 'FAILED', 'SUCCESS'])
    expect(states[1]).toMatchObject({ reason: 'INVALID_FORMAT' })
    expect(await queue.depth('mux')).toEqual({ waiting: 0, inFlight: 0, dead: 2 })

    const idx = second.files.find(({ ext }) => ext === 'idx')?.bytes ?? Buffer.alloc(0)
    await store.put(key, idx, { ...sumOf(idx), contentType: 'application/octet-stream' })
    const { messages } = await queue.deadLetters('mux')
    const own = messages.find(({ body }) => body.includes('000001.json'))
    await redrive(rig.cloud, 'mux', own?.id ?? '')
    await work(rig)
    expect((await findSegment(catalogue, second.manifest))?.status).toBe('SUCCESS')
    expect((await queue.depth('mux')).dead).toBe(1)
  })

  test('two functions on one task: one of them does it, the other comes later and finds it done', {
    timeout: 120_000,
  }, async () => {
    await using rig = await openAwsRig()
    rig.world.deliver = () => {}
    await arrive(rig)
    const [segment] = segments
    if (!segment) throw new Error('no segment')
    const body = rawCreatedEvent(keys.raw(segment.manifest, 'json'), 1)
    for (let n = 0; n < 4; n += 1) await rig.cloud.queue.send('mux', body)
    const one = queueHandler('mux', rig.cloud)
    await Promise.all(
      Array.from({ length: 4 }, () =>
        pollOnce({ ...bound(rig), receive: oneByOne(rig) }, 'mux', one, visibilityS),
      ),
    )
    rig.world.aheadMs += 61_000
    await work(rig)
    expect(await findSegment(rig.cloud.catalogue, segment.manifest)).toMatchObject({
      status: 'SUCCESS',
      attempts: 1,
      fence: 1,
    })
    expect(await rig.cloud.queue.depth('mux')).toMatchObject({ waiting: 0, inFlight: 0, dead: 0 })
  })

  // Every step stands in jobs-converge.test.ts; here those between which S3, SQS and DynamoDB differ from files.
  test.each(isNight ? deaths : deaths.slice(0, 1))(
    'killed at one call after another, %s it was done (dead from there on: %s): the archive comes out the same',
    { timeout: 600_000 },
    async (when, kill) => {
      for (let at = 1; ; at += every) {
        await using rig = await openAwsRig()
        await arrive(rig)
        const { ports, calls } = faultyPorts(rig.cloud, { when, kill, at })
        await work(rig, ports, 10)
        if (calls() < at) {
          expect(at).toBeGreaterThan(60)
          return
        }
        await delay(visibilityS * 1000)
        await settle(rig)
        await expectOneEffect(rig, `call ${at}`)
      }
    },
  )
})

const bound = ({ cloud: { queue } }: AwsRig) => ({
  send: queue.send.bind(queue),
  extend: queue.extend.bind(queue),
  remove: queue.remove.bind(queue),
  bury: queue.bury.bind(queue),
  deadLetters: queue.deadLetters.bind(queue),
  redrive: queue.redrive.bind(queue),
  depth: queue.depth.bind(queue),
})
const oneByOne =
  ({ cloud: { queue } }: AwsRig): AwsRig['cloud']['queue']['receive'] =>
  (name, options) =>
    queue.receive(name, { ...options, max: 1 })
