import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { repository } from '../support/modules.ts'
import { busyLab } from '../support/page-data.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('Ctrl-C in the middle of a download leaves no piece of it', async () => {
  await using directory = await temporaryDirectory()
  const recording = busyLab(Date.now()).archive.find(({ state }) => state === 'ready')
  if (!recording) throw new Error('the lab has a finished recording')
  const server = createServer((request, response) => {
    if (!request.url?.includes('/download')) return response.end(JSON.stringify(recording))
    response.writeHead(200, { 'content-length': 1_000_000 })
    return response.write(Buffer.alloc(100_000)) // And no more.
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const file = join(directory.path, 'take.mp4')
  const name = recording.streams[0]?.name ?? ''
  const args = ['get', recording.id, '-o', file, '--stream', name, '--api', api, '--token', 'x']
  const child = spawn(process.execPath, [join(repository, 'agent/cli.ts'), ...args], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  while ((await readdir(directory.path)).length === 0 && child.exitCode === null) await sleep(20)
  expect(await readdir(directory.path)).toEqual(['take.mp4.part'])
  child.kill('SIGINT')
  expect(await ended).toEqual([1, null])
  expect(await readdir(directory.path)).toEqual([])
  server.closeAllConnections()
  server.close()
}, 60_000)
