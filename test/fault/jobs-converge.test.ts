import { describe, expect, test } from 'vitest'
import { recordingAnswer, segmentStatus } from '../../cloud/api/upload-answers.ts'
import type { Deliver } from '../../cloud/local/queue.ts'
import { getRecording } from '../../cloud/rows/recording.ts'
import { getTask } from '../../cloud/rows/task.ts'
import { requeueAfterMs } from '../../shared/cloud-limits.ts'
import { type Fault, faultyPorts } from '../support/faulty-ports.ts'
import { type JobsRig, openJobsRig } from '../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  sumOf,
  unitOf,
} from '../support/segment-fixture.ts'
import { readLabels, syntheticPicture, syntheticVideo } from '../support/synthetic.ts'
import { numbers, unruly } from '../support/unruly-queue.ts'

const epoch = 1_700_000_000_000
const segments = [0, 1].map((seq) => {
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(seq * 10 + i)))
  return sealSegment({ agent: 'lab', stream: 'cam', epoch, seq, units, video: syntheticVideo })
})

async function arrive(rig: JobsRig): Promise<void> {
  for (const segment of segments) await putSegment(rig.ports.store, segment)
  await putRecording(rig.ports.store, recordingOf('take', segments))
}

async function settle(rig: JobsRig): Promise<void> {
  for (let n = 0; n < 6; n += 1) {
    rig.clock.advance(61_000) // Visibility and lease of the run that died are over.
    await rig.drain()
  }
  rig.clock.advance(900_000) // The look that was put off finds nothing to do.
  await rig.drain()
}

/** One archive entry, whatever happened: each object once, one version, nothing dead, nothing left to do. */
async function expectOneEffect(rig: JobsRig, where: string): Promise<void> {
  const rows = await getRecording(rig.ports.catalogue, 'take')
  const task = await getTask(rig.ports.catalogue, rows?.meta.export?.task ?? '')
  expect([task?.status, rows?.meta.filesVersion], where).toEqual(['SUCCESS', 1])
  const mp4 = await rig.read('exports/take/v1/cam-1.mp4')
  expect(
    readLabels(mp4).map(({ n }) => n),
    where,
  ).toEqual(Array.from({ length: 20 }, (_, n) => n))
  const keys = [
    ...(await rig.ports.store.list('media/')).keys,
    ...(await rig.ports.store.list('exports/')).keys,
  ]
  expect(
    keys.map(({ key }) => key),
    where,
  ).toEqual([
    'media/lab/cam/1700000000000-000000.mp4',
    'media/lab/cam/1700000000000-000001.mp4',
    'exports/take/v1/cam-1.mp4',
    'exports/take/v1/cam.csv',
    'exports/take/v1/manifest.json',
  ])
  for (const queue of ['mux', 'export'] as const) {
    expect(await rig.ports.queue.depth(queue), where).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
  }
}

describe.each<Omit<Fault, 'at'>>([
  { when: 'before', kill: false },
  { when: 'after', kill: false },
  { when: 'before', kill: true },
  { when: 'after', kill: true },
])('a call of a port that fails: $when it was done, killed: $kill', (fault) => {
  test('at each step in turn, the archive comes out the same', { timeout: 120_000 }, async () => {
    for (let at = 1; ; at += 1) {
      await using rig = await openJobsRig()
      await arrive(rig)
      const { ports, calls } = faultyPorts(rig.ports, { ...fault, at })
      await rig.drain({ ports })
      if (calls() < at) {
        expect(at).toBeGreaterThan(60)
        return
      }
      await settle(rig)
      await expectOneEffect(rig, `call ${at}`)
    }
  })
})

test('five deliveries of each event, in reverse, by workers side by side, have one effect', async () => {
  await using rig = await openJobsRig()
  await arrive(rig)
  const events = await rig.ports.queue.receive('mux', { max: 10, visibilityS: 60 })
  for (const { body } of events.toReversed()) {
    for (let n = 0; n < 4; n += 1) await rig.ports.queue.send('mux', body, { delayS: n * 200 })
  }
  for (let n = 0; n < 4; n += 1) {
    await Promise.all([rig.drain(), rig.drain(), rig.drain()])
    await settle(rig)
  }
  await expectOneEffect(rig, 'duplicates')
})

test('an event that never came is made good by sending it again', async () => {
  await using rig = await openJobsRig()
  await arrive(rig)
  const [first, ...others] = await rig.ports.queue.receive('mux', { max: 10, visibilityS: 60 })
  await rig.ports.queue.remove('mux', first?.receipt ?? '')
  for (const other of others) await rig.ports.queue.extend('mux', other.receipt, 0)
  await rig.drain()
  expect((await getRecording(rig.ports.catalogue, 'take'))?.meta.files).toBeUndefined()
  await rig.ports.queue.send('mux', first?.body ?? '')
  await settle(rig)
  await expectOneEffect(rig, 'sent again')
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'a queue that repeats, delays and reorders every message has one effect (%i)',
  async (seed) => {
    await using rig = await openJobsRig({}, unruly(numbers(seed)))
    await arrive(rig)
    for (let n = 0; n < 40; n += 1) {
      await Promise.all([rig.drain(), rig.drain()])
      rig.clock.advance(200)
    }
    await settle(rig)
    await expectOneEffect(rig, `seed ${seed}`)
  },
)

test('a queue that loses the events of the store: the agent asks after 15 minutes, and that is enough', async () => {
  let lost = 0
  const loseFirst: Deliver = (queue) => {
    const isEvent = queue === 'mux' && lost < 3
    lost += isEvent ? 1 : 0
    return isEvent ? [] : [0]
  }
  await using rig = await openJobsRig({}, loseFirst)
  await arrive(rig)
  await settle(rig)
  expect(lost).toBe(3)
  expect((await rig.ports.store.list('media/')).keys).toEqual([])
  rig.clock.setWall(Date.now() + requeueAfterMs + 1000) // The files' own times are the machine's.
  // What the uploader asks for until it is told that its segments are MP4s.
  for (const { manifest, files } of segments) {
    const { stream, seq } = manifest
    const asked = { stream, epoch, seq, files: files.map(({ ext, bytes }) => ({ ext, ...sumOf(bytes) })) }
    expect((await segmentStatus(rig.ports, 'lab', asked)).status).toBe('stored')
  }
  const claim = Buffer.from(JSON.stringify(recordingOf('take', segments)))
  const revision = { id: 'take', rev: 1, ...sumOf(claim) }
  expect((await recordingAnswer(rig.ports, 'lab', revision)).status).toBe('stored')
  await settle(rig)
  await expectOneEffect(rig, 'lost')
})
