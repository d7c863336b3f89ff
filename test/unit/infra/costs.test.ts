import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createApi } from '../../../cloud/api/app.ts'
import { expire } from '../../../cloud/jobs/expire.ts'
import type { Row } from '../../../cloud/ports.ts'
import { addToken } from '../../../cloud/rows/access.ts'
import {
  cameraMonth,
  costTable,
  perHeartbeat,
  perSegment,
  stackFacts,
  type Template,
  totalOf,
  uses,
  withCosts,
} from '../../../infra/costs.ts'
import { type Counts, countingPorts } from '../../support/counting-ports.ts'
import { openJobsRig } from '../../support/jobs-rig.ts'
import { repository } from '../../support/modules.ts'
import { putSegment, sealSegment, unitOf } from '../../support/segment-fixture.ts'
import { synthesised } from '../../support/synthesised.ts'
import { syntheticPicture, syntheticVideo } from '../../support/synthetic.ts'

const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const minuteMs = 60_000
const template = synthesised().toJSON() as Template

type Ask = (path: string, body: object) => Promise<void>
type Rig = Awaited<ReturnType<typeof openJobsRig>>

/** What n rounds ask of AWS, as an agent and the jobs go through them. */
async function count(
  n: number,
  round: (rig: Rig & { ask: Ask }, seq: number) => Promise<void>,
): Promise<Counts> {
  await using rig = await openJobsRig()
  const { ports, counts } = countingPorts(rig.ports)
  const api = createApi(ports)
  const sha256 = sum(Buffer.from('t'))
  await addToken(rig.ports.catalogue, {
    ...{ sha256, name: 'd', role: 'device', agent: 'lab' },
    createdAt: 0,
  })
  const ask: Ask = async (path, body) => {
    const headers = {
      ...{ authorization: 'Bearer t', 'content-type': 'application/json' },
      'edgereel-instance': 'a'.repeat(32),
    }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    expect((await api.fetch(new Request(`http://cloud/v1/agent/${path}`, init))).status).toBe(200)
  }
  await ask('heartbeat', { version: '1', state: {} })
  for (let seq = 0; seq < n; seq += 1) {
    await round({ ...rig, ports, ask }, seq)
    rig.clock.advance(minuteMs)
    await rig.ports.catalogue.put(await leaseUntil(rig), 'any') // As heartbeats keep it: they are counted apart.
  }
  rig.clock.advance(25 * 3_600_000)
  await expire(ports, AbortSignal.timeout(60_000))
  return counts
}

async function leaseUntil({ ports, clock }: Rig): Promise<Row> {
  const row = await ports.catalogue.get('A#lab', 'META')
  const lease = { instance: 'a'.repeat(32), since: 0, until: clock.nowMs() + minuteMs }
  return { ...row, pk: 'A#lab', sk: 'META', lease }
}

/** One minute of a stream that is recorded all the time: addresses, files, status, mux; a day later its raw files go. */
async function segment({ ask, clock, ports, drain }: Rig & { ask: Ask }, seq: number): Promise<void> {
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
  const id = { agent: 'lab', stream: 'cam', epoch: 1_772_366_400_000, seq }
  const sealed = sealSegment({ ...id, video: syntheticVideo, units, wallOffsetMs: clock.nowMs() })
  const files = sealed.files.map(({ ext, bytes }) => ({ ext, sizeBytes: bytes.length, sha256: sum(bytes) }))
  const question = { segments: [{ stream: 'cam', epoch: id.epoch, seq, files }] }
  await ask('segments', question)
  await putSegment(ports.store, sealed)
  await ask('segments/status', question)
  await drain({ ports, queues: ['mux'] })
}

/** Of one more round, among others. */
async function perRound(round: Parameters<typeof count>[1]) {
  const [few, many] = [await count(10, round), await count(30, round)]
  const of = (unit: 'puts' | 'gets' | 'readUnits' | 'writeUnits') => (many[unit] - few[unit]) / 20
  return { puts: of('puts'), gets: of('gets'), readUnits: of('readUnits'), writeUnits: of('writeUnits') }
}

test('the requests of a segment are what the costs are computed from', async () => {
  const { puts, gets, readUnits, writeUnits } = perSegment
  const found = await perRound(segment)
  expect(found).toEqual({ puts, gets, readUnits: expect.closeTo(readUnits, 0), writeUnits })
})

test('the requests of a heartbeat too', async () => {
  const found = await perRound(({ ask }) => ask('heartbeat', { version: '1', state: {} }))
  const { readUnits, writeUnits } = perHeartbeat
  expect(found).toEqual({ puts: 0, gets: 0, readUnits, writeUnits })
})

test('about $17 a month around the clock, and about $4 for recordings on working days', () => {
  const facts = stackFacts(template)
  const [always, recordings, exported] = uses.map((use) => totalOf(cameraMonth(use, facts)))
  expect(always).toBeGreaterThan(15)
  expect(always).toBeLessThan(18)
  expect(recordings).toBeGreaterThan(3.5)
  expect(recordings).toBeLessThan(4.5)
  expect(exported).toBeLessThan(2 * (recordings ?? 0)) // Twice the storage, and little else.
})

test('the table of docs/operations.md is the one that is computed', async () => {
  const text = await readFile(join(repository, 'docs/operations.md'), 'utf8')
  expect(text).toContain(costTable(template))
  expect(withCosts(text, costTable(template))).toBe(text)
})
