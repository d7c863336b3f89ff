import { expect, test } from 'vitest'
import { expire } from '../../../../cloud/jobs/expire.ts'
import type { JobPorts } from '../../../../cloud/jobs/job-ports.ts'
import { deleteSegment } from '../../../../cloud/jobs/purge.ts'
import { findSegment } from '../../../../cloud/rows/segment.ts'
import { keys } from '../../../../shared/contract/segment.ts'
import { rawKeepMs } from '../../../../shared/limits.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import { putSegment, sealSegment, unitOf } from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const never = new AbortController().signal
const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
const id = { agent: 'lab', stream: 'cam', epoch: 1_700_000_000_000, seq: 0 }
const sealed = sealSegment({ ...id, units, video: syntheticVideo })

/** The catalogue of which the index of work shows what it showed first, for ever. */
function lagging({ catalogue, ...ports }: JobPorts): JobPorts {
  const seen = new Map<string, ReturnType<typeof catalogue.query>>()
  const query: typeof catalogue.query = (asked) => {
    if (asked.index !== 'gsi2') return catalogue.query(asked)
    const place = `${asked.pk} ${asked.cursor}`
    const page = seen.get(place) ?? catalogue.query(asked)
    seen.set(place, page)
    return page
  }
  const late = {
    get: catalogue.get.bind(catalogue),
    put: catalogue.put.bind(catalogue),
    putAll: catalogue.putAll.bind(catalogue),
    delete: catalogue.delete.bind(catalogue),
  }
  return { ...ports, catalogue: { ...late, query } }
}

test('an index that lags, as those of DynamoDB do: what is done is not done again', async () => {
  await using rig = await openJobsRig()
  await putSegment(rig.ports.store, sealed)
  expect(await rig.drain()).toEqual([])
  rig.clock.advance(rawKeepMs + 1)
  const ports = lagging(rig.ports)
  await expire(ports, never)
  const done = await findSegment(rig.ports.catalogue, id)
  expect(await rig.ports.store.head(keys.raw(id, 'h264'))).toBeUndefined()
  expect(done).toMatchObject({ status: 'SUCCESS', rawDeletedAt: rig.clock.nowMs() })

  rig.clock.advance(60_000)
  await expire(ports, never)
  expect(await findSegment(rig.ports.catalogue, id)).toEqual(done)
  if (!done) throw new Error('no row')
  await deleteSegment(done, rig.ports)
  const gone = await findSegment(rig.ports.catalogue, id)
  await expire(ports, never)
  expect(await findSegment(rig.ports.catalogue, id)).toEqual(gone)
  expect(await rig.ports.queue.depth('mux')).toMatchObject({ waiting: 0 })
})
