import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAddress } from '../../../agent/cli/enroll.ts'
import { parseConfig } from '../../../agent/config.ts'
import { readEnrolment, saveEnrolment, tokenFor } from '../../../agent/enrolment.ts'
import { machineInstance } from '../../../agent/machine-instance.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

test.each([
  ['https://x.example/#7KQ2-XR4M-0T9V-C8ZD', 'https://x.example', '7KQ2-XR4M-0T9V-C8ZD'],
  ['https://x.example/prod/#7kq2xr4mOt9vc8zd', 'https://x.example/prod', '7KQ2-XR4M-0T9V-C8ZD'],
  ['http://192.168.1.4:50001#il00-0000-0000-0000', 'http://192.168.1.4:50001', '1100-0000-0000-0000'],
])('%s', (address, api, code) => {
  expect(parseAddress(address)).toEqual({ api, code })
})

test.each([
  'https://x.example/',
  'x.example#7KQ2-XR4M-0T9V-C8ZD',
  'https://x.example/#7KQ2',
  'ftp://x/#7KQ2-XR4M-0T9V-C8ZD',
])('%s is no address to enrol at', (address) => {
  expect(() => parseAddress(address)).toThrow(/#CODE/)
})

test('the token outlives a lost answer, is 0600, and is forgotten as pending once it is good', async () => {
  await using directory = await temporaryDirectory()
  const data = directory.path
  const token = await tokenFor(data, 'A')
  expect(await tokenFor(data, 'A')).toBe(token)
  expect(await tokenFor(data, 'B')).not.toBe(token)
  expect(await readEnrolment(data)).toBeUndefined()
  await saveEnrolment(data, { api: 'https://x.example', agent: 'attic', token })
  expect(await readEnrolment(data)).toMatchObject({ api: 'https://x.example', agent: 'attic', token })
  expect((await stat(join(data, 'cloud.json'))).mode & 0o777).toBe(0o600)
  await expect(stat(join(data, 'cloud.json.pending'))).rejects.toThrow('ENOENT')
})

const enrolled = { api: 'https://x.example', token: 't'.repeat(43) }

test.each([
  ['nothing', {}, enrolled],
  ['a bandwidth', { cloud: { bandwidth: '1MB' } }, enrolled],
  ['the same address', { cloud: { api: 'https://x.example' } }, enrolled],
  [
    'another cloud',
    { cloud: { api: 'https://y.example', token: 'u'.repeat(20) } },
    { api: 'https://y.example', token: 'u'.repeat(20) },
  ],
  ['the local one', { cloud: { api: 'local' } }, { api: 'local', token: null }],
])('a configuration that says %s about the cloud', (_name, value, cloud) => {
  expect(parseConfig(value, enrolled).cloud).toMatchObject(cloud)
})

test('a machine has one number for each data directory, and the same after each start', async () => {
  await using one = await temporaryDirectory()
  await using other = await temporaryDirectory()
  expect(await machineInstance(one.path)).toMatch(/^[0-9a-f]{32}$/)
  expect(await machineInstance(one.path)).toBe(await machineInstance(one.path))
  expect(await machineInstance(one.path)).not.toBe(await machineInstance(other.path))
})
