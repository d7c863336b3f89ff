import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ownCertificate, readCertificate } from '../../../../agent/tls/certificate.ts'

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 5, 1)
let data: string

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'edgereel-tls-'))
})
afterEach(() => rm(data, { recursive: true }))

test('an authority and a certificate of it, for names and addresses', async () => {
  const { cert, ca = '' } = await ownCertificate(data, ['localhost', 'box.local', '192.168.1.20'], nowMs)
  const [leaf, authority] = [new X509Certificate(cert), new X509Certificate(ca)]
  expect(leaf.checkIssued(authority) && leaf.verify(authority.publicKey)).toBe(true)
  expect([leaf.ca, authority.ca]).toEqual([false, true])
  expect(leaf.checkHost('box.local')).toBe('box.local')
  expect(leaf.checkIP('192.168.1.20')).toBe('192.168.1.20')
  expect(leaf.checkHost('example.org')).toBeUndefined()
  for (const name of ['ca.key', 'server.key'])
    expect((await stat(join(data, 'tls', name))).mode & 0o777).toBe(0o600)
})

test('it stays until a name is new or its last month has begun; its authority stays', async () => {
  const first = await ownCertificate(data, ['localhost'], nowMs)
  expect(await ownCertificate(data, ['localhost'], nowMs + 300 * dayMs)).toEqual(first)
  const named = await ownCertificate(data, ['localhost', '10.0.0.7'], nowMs)
  expect(named.cert).not.toBe(first.cert)
  expect(named.ca).toBe(first.ca)
  const renewed = await ownCertificate(data, ['localhost'], nowMs + 370 * dayMs)
  expect([renewed.cert === named.cert, renewed.ca === first.ca]).toEqual([false, true])
})

test('what is damaged is made again', async () => {
  const first = await ownCertificate(data, ['localhost'], nowMs)
  await writeFile(join(data, 'tls', 'ca.pem'), 'no certificate')
  const again = await ownCertificate(data, ['localhost'], nowMs)
  expect(again.ca).not.toBe(first.ca)
  expect(new X509Certificate(again.cert).checkIssued(new X509Certificate(again.ca ?? ''))).toBe(true)
})

test('the owner’s own files: read, and refused when they are no pair', async () => {
  await ownCertificate(data, ['localhost'], nowMs)
  const path = (name: string) => join(data, 'tls', name)
  const own = await readCertificate({ cert: path('server.pem'), key: path('server.key') })
  expect(own.ca).toBeUndefined()
  const wrong = [
    { cert: path('server.pem'), key: path('ca.key') },
    { cert: path('none'), key: path('ca.key') },
  ]
  for (const paths of wrong)
    await expect(readCertificate(paths)).rejects.toMatchObject({ kind: 'FailedPrecondition' })
})
