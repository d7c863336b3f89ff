import { expect, test } from 'vitest'
import type { JobPorts } from '../../../../cloud/jobs/job-ports.ts'
import { diskFull } from '../../../../cloud/local/disk-error.ts'
import type { ObjectStore } from '../../../../cloud/ports.ts'
import { findSegment } from '../../../../cloud/rows/segment.ts'
import { type ApiRig, openApiRig } from '../../../support/api-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const id = { agent: 'lab', stream: 'cam', epoch: 1_700_000_000_000, seq: 1 }
const sealed = sealSegment({
  ...id,
  video: syntheticVideo,
  units: Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i))),
})

/** The ports of a machine whose disk takes no object below this prefix. */
function fullFor(ports: JobPorts, prefix: string): JobPorts {
  const store = new Proxy(ports.store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (name !== 'put') return typeof method === 'function' ? method.bind(target) : method
      const put: ObjectStore['put'] = async (key, body, options) => {
        if (key.startsWith(prefix)) throw diskFull(new Error('ENOSPC'))
        await target.put(key, body, options)
      }
      return put
    },
  })
  return { ...ports, store }
}

/** Until nothing is left to try. */
async function failForEver(rig: ApiRig, ports: JobPorts): Promise<string[]> {
  const messages: string[] = []
  for (let n = 0; n < 5; n += 1) {
    messages.push(...(await rig.jobs.drain({ ports })).map(({ message }) => message))
    rig.jobs.clock.advance(61_000)
  }
  return messages
}

const depth = async (rig: ApiRig, queue: 'mux' | 'export') => await rig.jobs.ports.queue.depth(queue)
const ask = (rig: ApiRig, method: string, path: string) =>
  rig.ask(method, path, { token: rig.tokens.operator })

test('an export that found the disk full is tried three times; its retry is its dead letter', async () => {
  await using rig = await openApiRig()
  await putSegment(rig.jobs.ports.store, sealed)
  await putRecording(rig.jobs.ports.store, recordingOf('take', [sealed]))
  const messages = await failForEver(rig, fullFor(rig.jobs.ports, 'exports/'))
  expect(messages.slice(0, 3)).toEqual(Array(3).fill(expect.stringMatching(/disk of the archive is full/)))
  const task = '/v1/tasks/export-take-v1'
  expect((await ask(rig, 'GET', task)).json).toMatchObject({
    ...{ status: 'FAILED', reason: 'RESOURCE_LIMIT', attempts: 3 },
  })
  expect(await depth(rig, 'export')).toMatchObject({ dead: 1 })

  const retried = await ask(rig, 'POST', `${task}/retry`)
  expect(retried.json).toMatchObject({ status: 'PENDING', attempts: 0 })
  expect(retried.json.reason).toBeUndefined()
  expect(await depth(rig, 'export')).toMatchObject({ waiting: 1, dead: 0 })
  expect(await rig.jobs.drain()).toEqual([])
  expect((await ask(rig, 'GET', task)).json).toMatchObject({ status: 'SUCCESS', attempts: 1 })
})

test('dead letters are listed, and a redrive gives the segment its attempts back', async () => {
  await using rig = await openApiRig()
  await putSegment(rig.jobs.ports.store, sealed)
  await failForEver(rig, fullFor(rig.jobs.ports, 'media/'))
  const row = () => findSegment(rig.jobs.ports.catalogue, id)
  expect(await row()).toMatchObject({ status: 'FAILED', reason: 'RESOURCE_LIMIT' })
  const listed = await ask(rig, 'GET', '/v1/dead-letters')
  expect(listed.json.deadLetters).toMatchObject([
    { queue: 'mux', body: expect.stringContaining('000001.json') },
  ])
  const [letter] = listed.json.deadLetters as { id: string }[]

  expect((await ask(rig, 'POST', `/v1/dead-letters/mux/${letter?.id}/redrive`)).status).toBe(200)
  expect(await rig.jobs.drain()).toEqual([])
  expect(await row()).toMatchObject({ status: 'SUCCESS', attempts: 1 })
  expect(await depth(rig, 'mux')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
  expect((await ask(rig, 'POST', `/v1/dead-letters/mux/${letter?.id}/redrive`)).status).toBe(404)
  const viewer = await rig.ask('GET', '/v1/dead-letters', { token: rig.tokens.viewer })
  expect(viewer.status).toBe(403)
})
