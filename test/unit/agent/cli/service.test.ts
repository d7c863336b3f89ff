import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { launchdPlist, systemdUnit } from '../../../../agent/cli/service-unit.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const command = [
  process.execPath,
  '/opt/edge reel/agent/cli.ts',
  'up',
  '--data',
  '/var/lib/100% "ours" $HOME \\x',
]

test('words of a command line reach the program as they are', () => {
  const unit = systemdUnit({ command, data: '/var/lib/edge reel', user: 'cam' })
  expect(unit).toContain(
    '"/opt/edge reel/agent/cli.ts" "up" "--data" "/var/lib/100%% \\"ours\\" $$HOME \\\\x"\n',
  )
  expect(unit).toContain('\nUser=cam\n')
  expect(unit).toContain('\nReadWritePaths="/var/lib/edge reel"\n')
  expect(unit).toMatch(/WantedBy=multi-user\.target\n$/)
})

test('a unit of the user’s own names no user', () => {
  const unit = systemdUnit({ command, data: '/home/me/data' })
  expect(unit).not.toContain('User=')
  expect(unit).toMatch(/WantedBy=default\.target\n$/)
})

test.skipIf(!hasProgram('systemd-analyze'))('systemd finds nothing wrong with it', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'edgereel.service')
  await writeFile(path, systemdUnit({ command, data: '/var/lib/edge reel', user: 'root' }))
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', path])
  expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('edgereel'))).toEqual([])
})

test('a property list escapes what XML reads otherwise', () => {
  const plist = launchdPlist({ command: ['node', 'a&b<c>'], data: '/Users/me/edge&reel' }, 'edgereel.agent')
  expect(plist).toContain('<string>a&amp;b&lt;c&gt;</string>')
  expect(plist).toContain('<string>/Users/me/edge&amp;reel/edgereel.log</string>')
})
