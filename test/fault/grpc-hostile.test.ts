import { once } from 'node:events'
import { constants } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { frame, RawClient, statusOfRaw } from '../support/grpc-raw.ts'
import { openGrpcRig } from '../support/grpc-rig.ts'
import { syntheticPicture } from '../support/synthetic.ts'

// RELIABILITY.md C14: what hostile clients send ends their own calls or connections, and nobody else's.

let rig: Awaited<ReturnType<typeof openGrpcRig>>
let token = ''
beforeAll(async () => {
  rig = await openGrpcRig()
  token = await rig.token('viewer')
  rig.publish('cam').push(syntheticPicture(0))
})
afterAll(() => rig[Symbol.asyncDispose]())

const alive = async () => {
  const { streams } = await (await rig.client('viewer')).call('ListStreams')
  expect(streams).toEqual([])
  expect(rig.faults).toEqual([])
}
const unknownField = (bytes: number) => {
  const head = Buffer.of(0x7a, 0, 0, 0, 0) // Field 15, length-delimited.
  for (let i = 0, rest = bytes; i < 4; i += 1, rest >>>= 7) head[i + 1] = (rest & 0x7f) | (i < 3 ? 0x80 : 0)
  return Buffer.concat([head, Buffer.alloc(bytes)])
}
const list = (client: RawClient, body: Buffer, headers = {}) => {
  const call = client.begin('ListStreams', headers)
  call.end(body)
  return statusOfRaw(call)
}

test('a message of ten megabytes is read, one of eleven is refused', async () => {
  using client = new RawClient(rig.port, token)
  expect(await list(client, frame(unknownField(9_900_000)))).toBe(status.OK)
  expect(await list(client, frame(unknownField(11_000_000)))).toBe(status.RESOURCE_EXHAUSTED)
  await alive()
})

test('a length that lies, a body that is none, a bomb in a small packet', async () => {
  using client = new RawClient(rig.port, token)
  expect(await list(client, frame(Buffer.alloc(10), { length: 0xffff_ffff }))).toBe(status.RESOURCE_EXHAUSTED)
  expect(await list(client, frame(Buffer.from('ffffffffffff', 'hex')))).toBe(status.INTERNAL)
  const bomb = frame(gzipSync(Buffer.alloc(500_000_000)), { compressed: 1 })
  const before = process.memoryUsage.rss()
  expect(await list(client, bomb, { 'grpc-encoding': 'gzip' })).toBe(status.RESOURCE_EXHAUSTED)
  expect(process.memoryUsage.rss() - before).toBeLessThan(200e6)
  await alive()
}, 60_000)

test('a stranger’s message is not read at all', async () => {
  using client = new RawClient(rig.port, 'wrong')
  const call = client.begin('ListStreams')
  call.write(frame(Buffer.alloc(1000), { length: 9_000_000 })) // And never the rest.
  expect(await statusOfRaw(call)).toBe(status.UNAUTHENTICATED)
  await alive()
})

test('a flood of headers ends its call or its connection', async () => {
  using client = new RawClient(rig.port, token)
  const flood = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x-${i}`, 'y'.repeat(100)]))
  const call = client.begin('ListStreams', flood)
  call.end()
  expect(await statusOfRaw(call)).not.toBe(status.OK)
  await alive()
})

test('calls that are reset as fast as they are made', async () => {
  using client = new RawClient(rig.port, token)
  await once(client.session, 'connect')
  for (let n = 0; n < 20_000 && !client.session.destroyed && !client.session.closed; n += 1) {
    client.open('cam').close(constants.NGHTTP2_INTERNAL_ERROR)
    if (n % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await alive()
  client.session.destroy()
  await expect.poll(() => rig.grpc.figures.streams, { timeout: 10_000 }).toBe(0)
  expect(rig.hub.stream('cam')?.viewers).toBe(0)
}, 60_000)

test.each([
  ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['noise', Buffer.alloc(100_000, 0xa5)],
  [
    'a preface and noise',
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(5000, 0x5a)]),
  ],
])('%s instead of HTTP/2', async (_what, bytes) => {
  const socket = await dialled()
  socket.write(bytes)
  socket.resume()
  await once(socket, 'close')
  await alive()
})

test('one that says nothing is closed after ten seconds', async () => {
  const socket = await dialled()
  socket.resume()
  const began = performance.now()
  await once(socket, 'close')
  expect(performance.now() - began).toBeLessThan(15_000)
}, 30_000)

test('200 connections at once, and 201 are not more', async () => {
  const sockets = await Promise.all(Array.from({ length: 260 }, () => dialled()))
  for (const socket of sockets) socket.resume()
  await expect
    .poll(() => sockets.filter(({ closed }) => closed).length, { timeout: 5000 })
    .toBeGreaterThan(50)
  for (const socket of sockets) socket.destroy()
  await expect
    .poll(
      () =>
        alive().then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true)
}, 30_000)

async function dialled(): Promise<Socket> {
  const socket = connect(rig.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  return socket
}
