import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAgentFile } from '../../../../agent/control/agent-file.ts'
import { createAuth, type Principal, requireRole } from '../../../../agent/control/auth.ts'
import { createSignedPaths } from '../../../../agent/control/signed-path.ts'
import { openTokens } from '../../../../agent/control/tokens.ts'
import { loginCodeMs, sessionMs } from '../../../../shared/limits.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edgereel-auth-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function start() {
  const clock = new FakeClock()
  const file = await openAgentFile(join(directory, 'agent.json'), { name: 'lab' })
  const tokens = await openTokens({ file, adminPath: join(directory, 'admin.token'), clock })
  const nms = { play: null, publish: null }
  const links = createSignedPaths({ keyHex: file.record.linkKey, nms, clock })
  return { clock, file, tokens, auth: createAuth({ tokens, links, file, clock, port: 50_001 }) }
}
const adminToken = async () => (await readFile(join(directory, 'admin.token'), 'utf8')).trim()

test('the first start makes an identity and an admin token; the next one keeps both', async () => {
  const first = await start()
  const token = await adminToken()
  expect(token).toMatch(/^[\w-]{43}$/)
  expect((await stat(join(directory, 'admin.token'))).mode & 0o777).toBe(0o600)
  const second = await start()
  expect(second.file.record.uuid).toBe(first.file.record.uuid)
  expect(second.auth.authorize({ authorization: `Bearer ${token}`, loopback: false })).toMatchObject({
    role: 'admin',
  })
  expect(await readFile(join(directory, 'agent.json'), 'utf8')).not.toContain(token)
})

test('an admin.token that was replaced is the new admin’s; the old one is nobody’s', async () => {
  await start()
  const old = await adminToken()
  await writeFile(join(directory, 'admin.token'), `${'n'.repeat(43)}\n`)
  const { auth } = await start()
  expect(auth.authorize({ authorization: `Bearer ${'n'.repeat(43)}`, loopback: false }).role).toBe('admin')
  expect(auth.authorize({ authorization: `Bearer ${old}`, loopback: false }).role).toBe('unknown')
})

test.each(['secret', '', 'changeme'.repeat(3)])(
  'an admin.token of “%s” is refused (RELIABILITY.md H3)',
  async (text) => {
    await writeFile(join(directory, 'admin.token'), text)
    await expect(start()).rejects.toThrow(/holds no token/)
  },
)

test('an agent.json that cannot be read is not thrown away', async () => {
  await writeFile(join(directory, 'agent.json'), '{"version":1,')
  await expect(start()).rejects.toMatchObject({ kind: 'DataLoss' })
  expect(await readFile(join(directory, 'agent.json'), 'utf8')).toBe('{"version":1,')
})

test('keys of a later version survive a write', async () => {
  const { file } = await start()
  const path = join(directory, 'agent.json')
  await writeFile(path, JSON.stringify({ ...file.record, later: { x: 1 } }))
  await (await start()).tokens.create({ name: 'tv', role: 'viewer' })
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ later: { x: 1 } })
})

test('many writes at once leave the newest record', async () => {
  const { tokens } = await start()
  await Promise.all(Array.from({ length: 20 }, (_, i) => tokens.create({ name: `t${i}`, role: 'viewer' })))
  expect((await start()).tokens.list()).toHaveLength(21)
})

test('tokens have names of their own and can be revoked, the admin’s cannot', async () => {
  const { tokens, auth } = await start()
  const { token, id } = await tokens.create({ name: 'tv', role: 'viewer', stream: 'cam' })
  await expect(tokens.create({ name: 'tv', role: 'viewer' })).rejects.toMatchObject({ kind: 'AlreadyExists' })
  expect(auth.authorize({ authorization: `bearer ${token}`, loopback: false })).toEqual({
    role: 'viewer',
    subject: 'tv',
    stream: 'cam',
    via: 'bearer',
  })
  expect(tokens.list().find((info) => info.id === id)).toMatchObject({
    name: 'tv',
    lastUsedAt: expect.any(Number),
  })
  await tokens.revoke('tv')
  expect(auth.authorize({ authorization: `Bearer ${token}`, loopback: false }).role).toBe('unknown')
  await expect(tokens.revoke('tv')).rejects.toMatchObject({ kind: 'NotFound' })
  await expect(tokens.revoke('admin')).rejects.toMatchObject({ kind: 'FailedPrecondition' })
})

test('a token that is revoked ends what it opened, also when that cannot be written down', async () => {
  const { file, clock } = await start()
  const revoked: string[] = []
  const onRevoked = (name: string) => void revoked.push(name)
  const tokens = await openTokens({ file, adminPath: join(directory, 'admin.token'), clock, onRevoked })
  const { token } = await tokens.create({ name: 'tv', role: 'viewer' })
  await mkdir(join(directory, 'agent.json.tmp')) // As a full disk: nothing can be written there.
  await expect(tokens.revoke('tv')).rejects.toThrow()
  expect(revoked).toEqual(['tv'])
  expect(tokens.find(token)).toBeUndefined()
})

test('in a query: what opens one stream, or anything on this machine', async () => {
  const { tokens, auth } = await start()
  const bound = await tokens.create({ name: 'tv', role: 'viewer', stream: 'cam' })
  const free = await tokens.create({ name: 'all', role: 'viewer' })
  expect(auth.authorize({ queryToken: bound.token, loopback: false })).toMatchObject({
    role: 'viewer',
    via: 'query',
  })
  expect(() => auth.authorize({ queryToken: free.token, loopback: false })).toThrow(/bound to one stream/)
  expect(auth.authorize({ queryToken: await adminToken(), loopback: true })).toMatchObject({ role: 'admin' })
})

test('a cookie is good for a month, for its own port, and only as it was made', async () => {
  const { auth, clock } = await start()
  const { cookie } = auth.login(await adminToken(), '10.0.0.1')
  const ask = (value: string) => auth.authorize({ cookie: `other=1; ${value}`, loopback: false }).role
  expect(ask(`edgereel-50001=${cookie}`)).toBe('admin')
  expect(ask(`edgereel-50002=${cookie}`)).toBe('anonymous')
  expect(ask(`edgereel-50001=${cookie.replace(/\.(\d)/, '.9$1')}`)).toBe('anonymous')
  expect(ask('edgereel-50001=..')).toBe('anonymous')
  clock.advance(sessionMs)
  expect(ask(`edgereel-50001=${cookie}`)).toBe('anonymous')
})

test('a login code is good once and for ten minutes', async () => {
  const { auth, clock } = await start()
  const code = auth.createLoginCode()
  expect(auth.loginByCode(code, 'a').principal.role).toBe('admin')
  expect(() => auth.loginByCode(code, 'a')).toThrow(expect.objectContaining({ kind: 'Unauthenticated' }))
  const late = auth.createLoginCode()
  clock.advance(loginCodeMs)
  expect(() => auth.loginByCode(late, 'a')).toThrow(/too old/)
})

test('ten wrong logins a minute from one address, then none; others are not held up', async () => {
  const { auth, clock } = await start()
  const token = await adminToken()
  for (let i = 0; i < 10; i += 1) expect(() => auth.login('wrong', 'a')).toThrow(/wrong/)
  expect(() => auth.login(token, 'a')).toThrow(/too many tries: wait 60 s/)
  expect(auth.login(token, 'b').principal.role).toBe('admin')
  clock.advance(60_000)
  expect(auth.login(token, 'a').principal.role).toBe('admin')
})

const principal = (role: Principal['role'], stream?: string): Principal => ({
  role,
  subject: 's',
  via: 'bearer',
  ...(stream === undefined ? {} : { stream }),
})
test.each([
  [principal('viewer'), 'viewer', undefined, undefined],
  [principal('operator'), 'viewer', 'cam', undefined],
  [principal('viewer', 'cam'), 'viewer', 'CAM', undefined],
  [principal('viewer', 'cam'), 'viewer', 'door', 'PermissionDenied'],
  [principal('viewer', 'cam'), 'viewer', undefined, 'PermissionDenied'],
  [principal('viewer'), 'operator', undefined, 'PermissionDenied'],
  [principal('publisher'), 'viewer', undefined, 'PermissionDenied'],
  [principal('operator'), 'publisher', undefined, 'PermissionDenied'],
  [principal('admin'), 'publisher', 'cam', undefined],
  [principal('admin'), 'device', undefined, 'PermissionDenied'],
  [principal('device'), 'viewer', undefined, 'PermissionDenied'],
  [principal('anonymous'), 'viewer', undefined, 'Unauthenticated'],
  [principal('unknown'), 'viewer', undefined, 'Unauthenticated'],
] as const)('%o as %s of %s: %s', (who, role, stream, kind) => {
  const ask = () => requireRole(who, role, stream)
  if (kind) expect(ask).toThrow(expect.objectContaining({ kind }))
  else expect(ask).not.toThrow()
})
