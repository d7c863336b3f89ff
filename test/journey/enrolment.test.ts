import { copyFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { AgentStats } from '../../shared/contract/agent-api.ts'
import type { AgentItem } from '../../shared/contract/agents-api.ts'
import { edgereel } from '../support/command-line.ts'
import { Program } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// A second PC with cameras uploads to the archive of the first: enrolled, configured from afar, cloned, revoked.

const config = 'rtmp: { port: null }\ngrpc: { port: null }\nring: { quota: 2GB }\n'
let lab: Program
let attic: Program
let twin: Program
const stack = new AsyncDisposableStack()
let atticData = ''
let twinData = ''

beforeAll(async () => {
  lab = stack.use(await Program.start({ config }))
  atticData = stack.use(await temporaryDirectory()).path
  twinData = stack.use(await temporaryDirectory()).path
})
afterAll(() => stack.disposeAsync())

const fleet = async () => (await lab.json<{ agents: AgentItem[] }>('/v1/agents')).agents
const theAttic = async () => (await fleet()).find(({ name }) => name === 'attic')
const stats = (program: Program) => program.json<AgentStats>('/agent/v1/stats')

/** A phone that films for a moment. */
async function film(program: Program, stream: string): Promise<void> {
  const stop = new AbortController()
  const token = await program.publisherToken(stream)
  const phone = simPhone({ url: program.phoneUrl(token), signal: stop.signal })
  type Answer = { started: string[] }
  const started = async () => (await program.post<Answer>('/agent/v1/phones/start')).started.length === 1
  await program.until(started, 20_000, 'the phone')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await program.post('/agent/v1/phones/stop')
  stop.abort()
  await phone
}

test('a machine is enrolled in one line; its token is its own secret', async () => {
  const made = await edgereel(['token', 'create', 'attic', '--enroll', '--data', lab.data, '--json'])
  const { url } = JSON.parse(made.stdout) as { url: string }
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#[0-9A-Z-]{19}$/)
  const done = await edgereel(['enroll', url.toLowerCase(), '--data', atticData])
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('is the agent attic')])
  const path = join(atticData, 'cloud.json')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const { token } = JSON.parse(await readFile(path, 'utf8')) as { token: string }
  expect(await readFile(join(lab.data, 'cloud.db'), 'latin1')).not.toContain(token)
  const again = await edgereel(['enroll', url, '--data', twinData])
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('token create NAME --enroll')])
})

test('what is wanted of it is set before it starts, applied at its first heartbeat, and reported', async () => {
  const wanted = {
    ring: { quotaBytes: 1_000_000_000 },
    streams: { hall: { ring: 'always', upload: 'always' } },
    upload: { bandwidth: 50_000_000 },
  }
  const body = JSON.stringify({ wanted })
  expect(await lab.json('/v1/agents/attic/config', { method: 'PUT', body })).toMatchObject({ version: 1 })
  attic = stack.use(await Program.start({ data: atticData, config }))
  const isApplied = async () => (await theAttic())?.config?.reported?.state === 'applied'
  await attic.until(isApplied, 20_000, 'the configuration')
  const clock = (await theAttic())?.clock
  expect(Math.abs(clock?.offsetMs ?? Infinity)).toBeLessThanOrEqual((clock?.boundMs ?? 0) + 2)
  const quota = async () => (await stats(attic)).ring?.quotaBytes === 1_000_000_000
  await attic.until(quota, 10_000, 'the quota')
})

test('who looks for the archive at the agent learns where it is', async () => {
  const asked = await attic.fetch('/v1/recordings')
  expect([asked.status, await asked.json()]).toMatchObject([
    412,
    { error: { message: `The archive of this agent is at ${lab.archiveUrl}: look there.` } },
  ])
})

test('its recordings are in the archive of the other, made into files there', async () => {
  await film(attic, 'door')
  const isThere = async () => (await lab.recordings()).some(({ agent }) => agent === 'attic')
  await attic.until(isThere, 30_000, 'the recording in the other archive')
  const id = (await lab.recordings())[0]?.id ?? ''
  expect((await lab.ready(id)).streams[0]?.export.files).toHaveLength(1)
  const token = await lab.adminToken()
  const listed = await edgereel(['ls', '--api', `http://127.0.0.1:${lab.port}`, '--token', token])
  expect(listed.stdout).toContain(id)
})

test('a copy of its disk on another machine is refused and seen; the first goes on', async () => {
  for (const name of ['agent.json', 'cloud.json', 'admin.token']) {
    await copyFile(join(atticData, name), join(twinData, name))
  }
  twin = stack.use(await Program.start({ data: twinData, config }))
  const isRefused = async () => (await stats(twin)).upload?.message?.includes('Another machine') === true
  await twin.until(isRefused, 20_000, 'the refusal')
  expect(await theAttic()).toMatchObject({ online: true, twin: { lastSeen: expect.any(Number) } })
  expect((await stats(attic)).upload?.state).not.toBe('waiting')
  await twin.stop()
})

test('revoked, it keeps what it records and says why it does not upload', async () => {
  await lab.json('/v1/agents/attic', { method: 'DELETE' })
  await film(attic, 'cellar')
  const isRefused = async () => (await stats(attic)).upload?.state === 'waiting'
  await attic.until(isRefused, 20_000, 'the refusal')
  expect((await stats(attic)).upload?.pendingSegments).toBeGreaterThan(0)
  expect(await theAttic()).toMatchObject({ revoked: true })
})
