import { execFile } from 'node:child_process'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { PhonesAnswer } from '../../shared/contract/agent-api.ts'
import { cloudIsAws } from '../support/emulators/aws-program.ts'
import { repository } from '../support/modules.ts'
import { freePort, Program } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

type Ran = { code: number; stdout: string; stderr: string }

/** The command line as a user types it. */
async function edgereel(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const options = { env: { ...process.env, LANG: 'C', ...env }, timeout: 30_000 }
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [join(repository, 'agent/cli.ts'), ...args],
      options,
    )
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

test('a take from the first picture to the file on the disk, by the commands of the README', async () => {
  await using program = await Program.start()
  const at = ['--data', program.data]
  const stop = new AbortController()
  const token = await program.publisherToken('door')
  const phone = simPhone({ url: `ws://127.0.0.1:${program.port}/android-cam`, token, signal: stop.signal })

  const started = async () =>
    (await edgereel(['phones', 'start', '16:9', '4', '25', ...at])).stdout === '1 of 1 started\n'
  await program.until(started, 30_000, 'the phone')
  expect((await edgereel(['streams', ...at])).stdout).toContain('door  live   640x360')
  expect((await edgereel(['phones', 'stop', ...at])).stdout).toBe('1 of 1 stopped\n')
  stop.abort()
  await phone

  const archive = program.archiveOptions
  await program.until(async () => (await program.recordings()).length > 0, 20_000, 'the take in the archive')
  const { recordings } = JSON.parse((await edgereel(['ls', '--json', ...archive])).stdout) as {
    recordings: { id: string }[]
  }
  const id = recordings[0]?.id ?? ''
  const file = join(program.data, 'take.mp4')
  const got = await edgereel(['get', id, '-o', file, ...archive])
  expect(got.code).toBe(0)
  expect((await stat(file)).size).toBeGreaterThan(1000)
  expect((await edgereel(['ls', ...archive])).stdout).toContain(id)
  expect((await edgereel(['tasks', ...archive])).stdout).toMatch(/export\s+SUCCESS/)
  expect((await edgereel(['share', id, ...archive])).stdout).toMatch(
    /^http:\/\/127\.0\.0\.1:\d+\/s\/\S{20,}\n/,
  )
  expect((await edgereel(['status', '--json', ...at])).code).toBe(0)
  expect((await edgereel(['dlq', 'ls', '--json', ...archive])).stdout).toBe('{"deadLetters":[]}\n')
  const rebuilt = JSON.parse((await edgereel(['cloud', 'rebuild', '--json', ...archive])).stdout)
  expect(rebuilt).toEqual({ segments: 0, muxing: 0, recordings: 0, exports: 0, failed: [] }) // All is there.
  const unknown = await edgereel(['dlq', 'redrive', 'mux', 'no-such-message', ...archive])
  expect([unknown.code, unknown.stderr.startsWith('edgereel: ')]).toEqual([1, true])
}, 180_000) // A dozen commands, each a start of Node.

test('a second start on the same directory exits 3 and says why; the first goes on', async () => {
  await using program = await Program.start()
  const second = await edgereel(['up', '--data', program.data, '--port', String(await freePort())])
  expect(second.code).toBe(3)
  expect(second.stderr).toMatch(/already|another/)
  expect((await program.fetch('/healthz')).status).toBe(200)
})

test('SIGTERM seals what is open and exits 0; the take goes on after the next start', async () => {
  await using directory = await temporaryDirectory()
  const port = await freePort()
  const stop = new AbortController()
  let program = await Program.start({ data: directory.path, port })
  const token = await program.publisherToken('door')
  const phone = simPhone({ url: `ws://127.0.0.1:${port}/android-cam`, token, signal: stop.signal })
  let recording: string | undefined
  const started = async () => {
    recording = (await program.post<PhonesAnswer>('/agent/v1/phones/start')).recording
    return recording !== undefined
  }
  await program.until(started, 10_000, 'the phone')
  expect(await program.stop()).toBe(0)

  program = await Program.start({ data: directory.path, port })
  const back = async () => {
    const { phones } = await program.json<{ phones: { state: string }[] }>('/agent/v1/phones')
    return phones.some(({ state }) => state === 'capturing')
  }
  await program.until(back, 10_000, 'the phone back')
  await program.post('/agent/v1/phones/stop')
  const { streams } = await program.ready(recording ?? '')
  expect(streams[0]?.gaps.length).toBeGreaterThan(0)
  expect((await program.recordings()).length).toBe(1)
  stop.abort()
  await phone
  await program.kill()
})

test('agent.db deleted while stopped: rebuilt, and every recording is still there', async () => {
  await using directory = await temporaryDirectory()
  const port = await freePort()
  let program = await Program.start({ data: directory.path, port })
  const token = await program.publisherToken('door')
  const url = `ws://127.0.0.1:${port}/android-cam`
  await simPhone({ url, token, speed: 20, once: true, signal: AbortSignal.timeout(20_000) })
  await program.until(async () => (await program.recordings())[0]?.state === 'ready', 20_000, 'the recording')
  const before = await program.json<{ recordings: unknown[] }>('/agent/v1/recordings')
  await program.stop()
  for (const file of ['agent.db', 'agent.db-wal', 'agent.db-shm'])
    await rm(join(directory.path, file), { force: true })

  program = await Program.start({ data: directory.path, port })
  expect(await program.json('/agent/v1/recordings')).toEqual(before)
  const { ring } = await program.json<{ ring: { segments: number } }>('/agent/v1/stats')
  expect(ring.segments).toBeGreaterThan(0)
  await program.kill()
})

test.each([
  [['phones', 'start', 'wide'], 2],
  [['record', 'start', 'door', '--for', 'soon'], 2],
  [['no-such-command'], 2],
  [['up', '--config', '/no/such/file'], 1],
  [['ls', '--port', '1'], 1],
  [['--help'], 0],
])('%j exits %i, with one sentence on stderr', async (args, code) => {
  const ran = await edgereel(args, { EDGEREEL_DATA: '/nonexistent' })
  expect(ran.code).toBe(code)
  if (code !== 0) expect(ran.stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
  expect(ran.stderr).not.toMatch(/ {4}at /)
})

test('secrets of the data directory are for its owner only', async () => {
  await using program = await Program.start()
  const ofCloud = cloudIsAws() ? [] : ['cloud.key']
  for (const file of ['admin.token', 'agent.json', 'internal.token', ...ofCloud]) {
    expect((await stat(join(program.data, file))).mode & 0o077, file).toBe(0)
  }
  const admin = await program.adminToken()
  expect(program.output).not.toContain(admin)
  expect(await readFile(join(program.data, 'agent.json'), 'utf8')).not.toContain(admin)
})
