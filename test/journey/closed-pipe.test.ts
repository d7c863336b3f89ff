import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/modules.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('a reader that has enough (`| head -1`) ends a command without a stack', async () => {
  await using directory = await temporaryDirectory()
  const args = [join(repository, 'agent/cli.ts'), 'doctor', '--data', directory.path]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString()
  })
  await once(child, 'close')
  expect(words).not.toContain('EPIPE')
}, 60_000)
