import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeParent } from '../../../../agent/cli/make-parent.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

test('the directory of a file is made, or there already', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'takes', 'one.mp4')
  await makeParent(file)
  await makeParent(file)
  expect((await stat(join(directory.path, 'takes'))).isDirectory()).toBe(true)
})

test('what lies above it is not: a path that was mistyped is refused', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'no', 'such', 'one.jpg')
  await expect(makeParent(file)).rejects.toMatchObject({ kind: 'FailedPrecondition' })
  await mkdir(join(directory.path, 'no'))
  await makeParent(file)
})

// Node's own `mkdir(…, { recursive: true })` tries this one for ever.
test.skipIf(process.platform !== 'linux')('below /proc it is refused at once', async () => {
  await expect(makeParent('/proc/no/such/one.jpg')).rejects.toThrow(/no.such/)
})
