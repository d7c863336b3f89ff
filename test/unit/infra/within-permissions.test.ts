import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createApi } from '../../../cloud/api/app.ts'
import { expire } from '../../../cloud/jobs/expire.ts'
import type { JobPorts } from '../../../cloud/jobs/job-ports.ts'
import { addToken } from '../../../cloud/rows/access.ts'
import { prefixes, sends } from '../../../infra/functions.ts'
import { openJobsRig } from '../../support/jobs-rig.ts'
import { putRecording, putSegment, recordingOf, sealSegment, unitOf } from '../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../support/synthetic.ts'

type Name = keyof typeof prefixes

/** Ports that refuse what the role of a function would be refused. */
function withRoleOf(name: Name, ports: JobPorts, used: Set<string>): JobPorts {
  const { store, queue } = ports
  const may = (what: 'read' | 'write' | 'remove', key: string) => {
    const prefix = prefixes[name][what].find((it) => key.startsWith(it))
    if (prefix === undefined) throw new Error(`${name} may not ${what} ${key}`)
    used.add(`${name} ${what} ${prefix}`)
  }
  const guarded: typeof store = Object.assign(Object.create(store) as typeof store, {
    put: async (...args: Parameters<typeof store.put>) => {
      may('write', args[0])
      await store.put(...args)
    },
    get: async (...args: Parameters<typeof store.get>) => {
      may('read', args[0])
      return await store.get(...args)
    },
    head: async (...args: Parameters<typeof store.head>) => {
      may('read', args[0])
      return await store.head(...args)
    },
    delete: async (key: string) => {
      may('remove', key)
      await store.delete(key)
    },
    list: async (...args: Parameters<typeof store.list>) => {
      may('read', args[0])
      return await store.list(...args)
    },
    presignPut: async (options: Parameters<typeof store.presignPut>[0]) => {
      may('write', options.key)
      return await store.presignPut(options)
    },
    presignPost: async (options: Parameters<typeof store.presignPost>[0]) => {
      may('write', options.key)
      return await store.presignPost(options)
    },
    presignGet: async (options: Parameters<typeof store.presignGet>[0]) => {
      may('read', options.key)
      return await store.presignGet(options)
    },
  })
  const sending: typeof queue = Object.assign(Object.create(queue) as typeof queue, {
    send: async (...args: Parameters<typeof queue.send>) => {
      if (!sends[name].includes(args[0])) throw new Error(`${name} may not send to ${args[0]}`)
      await queue.send(...args)
    },
  })
  return { ...ports, store: guarded, queue: sending }
}

test('a recording from its first address to its deletion asks for nothing beyond the roles', async () => {
  await using rig = await openJobsRig()
  const used = new Set<string>()
  const as = (name: Name) => withRoleOf(name, rig.ports, used)
  const errors: string[] = []
  const api = createApi({ ...as('api'), onError: (error) => errors.push(error.message) })
  const sha256 = createHash('sha256').update('t').digest('hex')
  await addToken(rig.ports.catalogue, { sha256, name: 'root', role: 'admin', createdAt: 0 })
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: 'Bearer t', 'content-type': 'application/json' }
    const json = body ? { body: JSON.stringify(body) } : {}
    return await api.fetch(new Request(`http://cloud${path}`, { method, headers, ...json }))
  }
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
  const id = { agent: 'lab', stream: 'cam', epoch: 1_772_366_400_000, seq: 0 }
  const sealed = sealSegment({ ...id, video: syntheticVideo, units, wallOffsetMs: rig.clock.nowMs() })
  await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', [sealed]))
  for (let round = 0; round < 3; round += 1) {
    for (const queue of ['mux', 'export'] as const) {
      expect(await rig.drain({ ports: as(queue), queues: [queue] })).toEqual([])
    }
  }
  expect((await ask('GET', '/v1/recordings/take/download?stream=cam')).status).toBe(302)
  expect((await ask('GET', '/v1/recordings/take/timestamps.csv?stream=cam')).status).toBe(302)
  expect((await ask('PUT', '/v1/recordings/take/hold', { hold: true })).status).toBe(200)
  expect((await ask('PUT', '/v1/recordings/take/hold', { hold: false })).status).toBe(200)
  expect((await ask('POST', '/v1/rebuild', {})).status).toBeLessThan(500)
  expect((await ask('DELETE', '/v1/recordings/take')).status).toBe(200)
  rig.clock.advance(25 * 3_600_000)
  await expire(as('expire'), AbortSignal.timeout(60_000), { keepMs: 86_400_000 })
  expect(errors).toEqual([])
  // A guard that sees nothing passes everything.
  for (const name of ['api', 'mux', 'export', 'expire']) {
    expect([...used].some((it) => it.startsWith(`${name} `))).toBe(true)
  }
  expect(used).toContain('expire remove raw/')
})
