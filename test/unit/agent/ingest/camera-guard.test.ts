import { describe, expect, test } from 'vitest'
import { createCameraGuard } from '../../../../agent/ingest/camera-guard.ts'

const never = new AbortController().signal

function guard(allow: string[] = [], found: Record<string, string[]> = {}) {
  const asked: string[] = []
  const made = createCameraGuard({
    allow,
    ownPorts: () => [50001],
    ownAddresses: () => ['192.168.1.2'],
    lookup: async (host) => {
      asked.push(host)
      return (found[host] ?? []).map((address) => ({ address }))
    },
  })
  return { resolve: (host: string, port = 554) => made.resolve(host, port, never), asked }
}

describe('refused', () => {
  test.each([
    ['127.0.0.1', /this machine itself/],
    ['127.9.9.9', /this machine itself/],
    ['0.0.0.0', /this machine itself/],
    ['::1', /this machine itself/],
    ['::', /this machine itself/],
    ['::ffff:127.0.0.1', /this machine itself/],
    ['::ffff:7f00:1', /this machine itself/],
    ['64:ff9b::7f00:1', /this machine itself/],
    ['2002:7f00:1::', /this machine itself/],
    ['169.254.169.254', /metadata service/],
    ['::ffff:a9fe:a9fe', /metadata service/],
    ['100.100.100.200', /metadata service/],
    ['fd00:ec2::254', /metadata service/],
    ['169.254.7.7', /link-local/],
    ['fe80::1%eth0', /link-local/],
    ['224.0.0.1', /no address of one machine/],
    ['255.255.255.255', /no address of one machine/],
    ['ff02::1', /no address of one machine/],
  ])('%s', async (host, words) => {
    await expect(guard().resolve(host)).rejects.toThrow(words)
    await expect(guard().resolve(host)).rejects.toMatchObject({ kind: 'PermissionDenied' })
  })

  test('a name that means this machine', async () => {
    const { resolve } = guard([], { 'camera.evil': ['127.0.0.1'] })
    await expect(resolve('camera.evil')).rejects.toThrow('camera.evil (127.0.0.1) is this machine itself')
  })

  test('our own ports, by any of our addresses', async () => {
    await expect(guard().resolve('192.168.1.2', 50001)).rejects.toThrow(/this agent itself/)
    await expect(guard().resolve('192.168.1.2', 554)).resolves.toMatchObject({ address: '192.168.1.2' })
  })

  test('a name without an address', async () => {
    await expect(guard().resolve('nobody.lan')).rejects.toMatchObject({ kind: 'Unavailable' })
  })
})

test('addresses of the LAN and beyond are connected to as they are', async () => {
  for (const address of ['192.168.1.64', '10.0.0.5', '172.16.3.4', '203.0.113.9']) {
    expect(await guard().resolve(address, 80)).toEqual({ address, family: 4, port: 80 })
  }
  expect(await guard().resolve('fd12::5')).toEqual({ address: 'fd12::5', family: 6, port: 554 })
})

test('cameras.allow goes before, also for one address', async () => {
  const { resolve } = guard(['127.0.0.0/8', '::1', 'fe80::/10'])
  expect((await resolve('127.0.0.1')).address).toBe('127.0.0.1')
  expect((await resolve('::ffff:127.0.0.1')).address).toBe('127.0.0.1')
  expect((await resolve('::1')).address).toBe('::1')
  expect((await resolve('fe80::1%eth0')).address).toBe('fe80::1%eth0')
  await expect(resolve('169.254.169.254')).rejects.toThrow(/metadata/)
})

test('a name is looked up once, and of several addresses one that is allowed is taken', async () => {
  const { resolve, asked } = guard([], { 'cam.lan': ['127.0.0.1', '192.168.1.64'] })
  expect((await resolve('cam.lan')).address).toBe('192.168.1.64')
  expect(asked).toEqual(['cam.lan'])
})

test('nobody waits for a lookup that was given up', async () => {
  const stop = new AbortController()
  const made = createCameraGuard({
    allow: [],
    ownPorts: () => [],
    lookup: () => new Promise(() => undefined),
  })
  const found = made.resolve('slow.lan', 554, stop.signal)
  stop.abort(new Error('enough'))
  await expect(found).rejects.toThrow('enough')
})

test('one port of this machine, and no other', async () => {
  const { resolve } = guard(['127.0.0.1:8554', '[::1]:8554'])
  await expect(resolve('127.0.0.1', 8554)).resolves.toMatchObject({ address: '127.0.0.1', port: 8554 })
  await expect(resolve('::1', 8554)).resolves.toMatchObject({ address: '::1' })
  for (const [host, port] of [
    ['127.0.0.1', 8555],
    ['127.0.0.2', 8554],
    ['::1', 8555],
  ] as const)
    await expect(resolve(host, port)).rejects.toThrow(/this machine itself/)
})
