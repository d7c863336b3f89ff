import { expect, test } from 'vitest'
import { expire } from '../../../../cloud/jobs/expire.ts'
import { sendBeatsync } from '../../../../cloud/jobs/messages.ts'
import { sendAgain } from '../../../../cloud/jobs/send-again.ts'
import type { Deliver } from '../../../../cloud/local/queue.ts'
import { type QueueName, queueNames } from '../../../../cloud/ports.ts'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import { findSegment, newSegmentRow } from '../../../../cloud/rows/segment.ts'
import { getTask, newTaskRow } from '../../../../cloud/rows/task.ts'
import { requeueAfterMs, sendAgainMax } from '../../../../shared/cloud-limits.ts'
import { jobLeaseMs } from '../../../../shared/limits.ts'
import { type JobsRig, openJobsRig } from '../../../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'
import { numbers, unruly } from '../../../support/unruly-queue.ts'

const never = AbortSignal.timeout(600_000)
const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
const segment = sealSegment({ agent: 'lab', stream: 'cam', epoch: 1, seq: 0, units, video: syntheticVideo })

/** A queue that loses what `lose` names, and repeats, delays and reorders the rest. */
function losing(seed: number, lose: (queue: QueueName, body: string) => boolean): Deliver {
  const others = unruly(numbers(seed))
  return (queue, body) => (lose(queue, body) ? [] : others(queue, body))
}

async function drainAll(rig: JobsRig): Promise<void> {
  for (let n = 0; n < 20; n += 1) {
    await rig.drain()
    rig.clock.advance(200)
  }
}

const depths = async ({ ports }: JobsRig) =>
  Object.fromEntries(
    await Promise.all(
      queueNames.map(async (name) => [name, (await ports.queue.depth(name)).waiting] as const),
    ),
  )

const beatsyncInput = {
  dance: { upload: 'up-1', key: 'uploads/up-1.mp4', name: 'a.mp4', sizeBytes: 1 },
  bgm: { upload: 'up-2', key: 'uploads/up-2.mp3', name: 'b.mp3', sizeBytes: 1 },
  ...{ variants: ['modular'], exact: false, subject: 'ada', priority: 'normal' },
}

test.each([1, 2, 3, 4])('a mux and an export whose messages were lost are done, once (%i)', async (seed) => {
  let isLosing = true
  const deliver = losing(seed, (queue, body) => isLosing && (queue === 'mux' || body.includes('"run"')))
  await using rig = await openJobsRig({}, deliver)
  const { catalogue } = rig.ports
  await putSegment(rig.ports.store, segment)
  await catalogue.put(newSegmentRow(segment.manifest, rig.clock.nowMs()), 'absent')
  rig.clock.advance(requeueAfterMs - 1)
  await expire(rig.ports, never)
  isLosing = false
  await drainAll(rig)
  expect((await findSegment(catalogue, segment.manifest))?.status).toBe('PENDING') // Not yet time.
  await putRecording(rig.ports.store, recordingOf('take', [segment]))
  isLosing = true
  rig.clock.advance(1000)
  expect((await expire(rig.ports, never)).sentAgain).toBe(1)
  isLosing = false
  rig.clock.advance(requeueAfterMs)
  expect((await expire(rig.ports, never)).sentAgain).toBe(1) // What was sent again was lost, too.
  isLosing = true // Of what the mux leads to, the export is lost.
  await drainAll(rig)
  isLosing = false
  const task = async () =>
    await getTask(catalogue, (await getRecording(catalogue, 'take'))?.meta.export?.task ?? '')
  expect(await findSegment(catalogue, segment.manifest)).toMatchObject({ status: 'SUCCESS', attempts: 1 })
  expect((await task())?.status).toBe('PENDING')
  rig.clock.advance(requeueAfterMs)
  await Promise.all([expire(rig.ports, never), expire(rig.ports, never)])
  await drainAll(rig)
  rig.clock.advance(jobLeaseMs)
  await drainAll(rig)
  expect(await task()).toMatchObject({ status: 'SUCCESS', attempts: 1 })
  rig.clock.advance(requeueAfterMs)
  expect(await sendAgain(rig.ports, never)).toBe(0)
})

test('a BeatSync that was never sent is sent for, while one that is held or was seen lately is not', async () => {
  await using rig = await openJobsRig()
  const { catalogue } = rig.ports
  const now = rig.clock.nowMs()
  const row = (id: string) => newTaskRow({ id, kind: 'beatsync', input: beatsyncInput }, now)
  await catalogue.put(row('lost'), 'absent')
  const held = { status: 'PROCESSING', leaseUntil: now + requeueAfterMs + 1000 + jobLeaseMs / 2 }
  await catalogue.put({ ...row('held'), ...held }, 'absent')
  await catalogue.put({ ...row('seen'), updatedAt: now + requeueAfterMs }, 'absent')
  await catalogue.put({ ...row('killed'), status: 'PROCESSING', leaseUntil: now + jobLeaseMs }, 'absent')
  rig.clock.advance(requeueAfterMs + 1000)
  expect(await sendAgain(rig.ports, never)).toBe(2)
  expect(await sendAgain(rig.ports, never)).toBe(0)
  const messages = await rig.ports.queue.receive('beatsync', { max: 10, visibilityS: 60 })
  expect(messages.map(({ body }) => (JSON.parse(body) as { task: string }).task).sort()).toEqual([
    'killed',
    'lost',
  ])
})

test('a thumbnail that was never made is asked for as it was', async () => {
  await using rig = await openJobsRig()
  const asked = { agent: 'lab', stream: 'cam', epoch: 1, seq: 0, from: 5, needed: true }
  const job = { status: 'PENDING', progress: 0, message: '', attempts: 1, fence: 1, leaseUntil: 0 }
  const at = { createdAt: rig.clock.nowMs(), updatedAt: rig.clock.nowMs() }
  const work = { gsi2pk: 'W#open', gsi2sk: new Date(at.createdAt).toISOString() }
  await rig.ports.catalogue.put(
    { pk: 'J#thumbnail#lab#cam', sk: '1-0', ...job, ...at, ...work, asked },
    'any',
  )
  rig.clock.advance(requeueAfterMs)
  expect(await sendAgain(rig.ports, never)).toBe(1)
  const [message] = await rig.ports.queue.receive('thumbnail', { max: 1, visibilityS: 60 })
  expect(JSON.parse(message?.body ?? '')).toEqual(asked)
})

test('so many at once, the rest in the next run', async () => {
  await using rig = await openJobsRig()
  for (let n = 0; n < sendAgainMax + 3; n += 1) {
    const id = `t${n}`
    await rig.ports.catalogue.put(
      newTaskRow({ id, kind: 'beatsync', input: beatsyncInput }, rig.clock.nowMs()),
      'absent',
    )
  }
  rig.clock.advance(requeueAfterMs + 1)
  expect([await sendAgain(rig.ports, never), await sendAgain(rig.ports, never)]).toEqual([sendAgainMax, 3])
  expect(await depths(rig)).toMatchObject({ beatsync: sendAgainMax + 3 })
})

test('a task that waits in line says so, and is not sent for a second time', async () => {
  await using rig = await openJobsRig()
  const { catalogue, queue } = rig.ports
  const add = async (id: string, more: object) =>
    await catalogue.put(
      { ...newTaskRow({ id, kind: 'beatsync', input: beatsyncInput }, rig.clock.nowMs()), ...more },
      'any',
    )
  const others = ['one', 'two'] // All places of this person are taken, for twenty minutes.
  await catalogue.put(
    { pk: 'U#ada', sk: 'beatsync', seats: others.map((task) => ({ task, sinceMs: rig.clock.nowMs() })) },
    'any',
  )
  await add('waits', {})
  await sendBeatsync(queue, 'waits')
  let sent = 0
  for (let minute = 0; minute < 20; minute += 1) {
    for (const id of others) {
      await add(id, { status: 'PROCESSING', leaseUntil: rig.clock.nowMs() + jobLeaseMs })
    }
    expect(await rig.drain({ queues: ['beatsync'], receivesMax: 1 })).toEqual([])
    rig.clock.advance(60_000)
    sent += await sendAgain(rig.ports, never)
  }
  expect([sent, await depths(rig)]).toEqual([0, { mux: 0, thumbnail: 0, export: 0, beatsync: 1 }])
})
