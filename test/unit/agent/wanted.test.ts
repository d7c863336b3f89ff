import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../agent/config.ts'
import { openAgentFile } from '../../../agent/control/agent-file.ts'
import { Wanted } from '../../../agent/wanted.ts'
import { AppError } from '../../../shared/error.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const config = parseConfig({ ring: { quota: '10GB' }, cloud: { bandwidth: '1MB' } })
const own = { quotaBytes: 10e9, whenFull: 'overwrite' }

/** What was asked of the parts, in order. */
function parts(log: unknown[], refuse?: string) {
  const noted = (what: string, value: unknown) => {
    if (what === refuse) throw new AppError('InvalidArgument', `${what} will not have it`)
    log.push([what, value])
  }
  return {
    ring: { configure: async (limits: object) => noted('ring', limits) },
    uploader: { configure: (limits: object) => noted('uploader', limits) },
    streams: {
      put: async (name: string, policy: object) => {
        noted(`stream ${name}`, policy)
        return {} as never
      },
    },
  }
}

test('all of it is applied, kept, and applied again after a start; what is left out is as the file says', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'agent.json')
  const file = await openAgentFile(path, { name: 'attic' })
  const log: unknown[] = []
  const wanted = new Wanted({ file, config })
  expect(wanted.report()).toBeUndefined()
  await wanted.attach(parts(log))
  expect(log).toEqual([])
  const version1 = {
    version: 1,
    wanted: {
      ring: { whenFull: 'stop' as const },
      streams: { door: { ring: 'always' as const } },
      upload: { hours: '22:00-06:00' },
    },
  }
  expect(await wanted.receive(version1)).toBe(true)
  expect(await wanted.receive(version1)).toBe(false)
  const limits = [
    ['uploader', { bandwidth: 1e6, hours: '22:00-06:00' }],
    ['ring', { ...own, whenFull: 'stop' }],
  ]
  expect(log).toEqual([...limits, ['stream door', { ring: 'always' }]])
  expect(wanted.report()).toEqual({ version: 1, state: 'applied' })

  log.length = 0
  const again = new Wanted({ file: await openAgentFile(path, { name: 'attic' }), config })
  expect(again.report()).toEqual({ version: 1, state: 'applied' })
  await again.attach(parts(log))
  expect(log).toEqual(limits)
  expect(await again.receive({ version: 2, wanted: {} })).toBe(true)
  expect(log.slice(2)).toEqual([
    ['uploader', { bandwidth: 1e6, hours: null }],
    ['ring', own],
  ])
})

test('what is refused is reported with its reason, and the version before stays for the next start', async () => {
  await using directory = await temporaryDirectory()
  const file = await openAgentFile(join(directory.path, 'agent.json'), { name: 'attic' })
  const wanted = new Wanted({ file, config })
  await wanted.attach(parts([], 'uploader'))
  expect(await wanted.receive({ version: 3, wanted: { upload: { hours: '07:00-07:00' } } })).toBe(true)
  expect(wanted.report()).toEqual({ version: 3, state: 'refused', message: 'uploader will not have it' })
  expect(file.record.wanted).toBeUndefined()
  expect(await wanted.receive({ version: 3, wanted: {} })).toBe(false) // Once is enough to know.
})
