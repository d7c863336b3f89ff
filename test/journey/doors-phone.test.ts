import { createHash, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWebSockets, type PhoneSocket, type WebSockets } from '../../agent/listen/websocket.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { openDoors, send, upgradeHeaders } from '../support/door-rig.ts'

// The phones' door, with well-behaved and with hostile peers (RELIABILITY.md C7).

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i += 1) await delay(10)
  expect(condition()).toBe(true)
}

describe('who may come in', async () => {
  const doors = await openDoors()
  afterAll(() => doors[Symbol.asyncDispose]())
  const knock = (headers: Record<string, string>, query = '') =>
    send({ port: doors.port, path: `/android-cam${query}`, headers: { ...upgradeHeaders, ...headers } })

  test('without a token it comes in, to wait', async () => {
    expect((await knock({})).status).toBe(101)
    await until(() => doors.phones.length > 0)
    expect(doors.phones.at(-1)?.principal.role).toBe('anonymous')
  })

  test('a publisher’s token names the stream, in the query too', async () => {
    const token = await doors.token('publisher', 'tripod-1')
    expect((await knock({}, `?token=${token}`)).status).toBe(101)
    await until(() => doors.phones.at(-1)?.principal.role === 'publisher')
    expect(doors.phones.at(-1)?.principal).toMatchObject({
      role: 'publisher',
      stream: 'tripod-1',
      via: 'query',
    })
  })

  test.each([
    ['a wrong token', async () => 'wrong', 401],
    ['a viewer’s token', () => doors.token('viewer', 'tripod-1'), 403],
  ])('%s is told so', async (_what, token, status) => {
    expect((await knock({}, `?token=${await token()}`)).status).toBe(status)
  })

  test('a page of another origin does not', async () => {
    expect((await knock({ origin: 'http://evil.example' })).status).toBe(403)
  })

  test('messages come whole and in order, both ways', async () => {
    const before = doors.phones.length
    const phone = new WebSocket(
      `ws://127.0.0.1:${doors.port}/android-cam?token=${await doors.token('publisher', 'p')}`,
    )
    const heard: string[] = []
    phone.onmessage = ({ data }) => heard.push(data)
    // The door may know of it before its own side has read the answer: then it cannot send yet.
    await until(() => doors.phones.length > before && phone.readyState === WebSocket.OPEN)
    const visit = doors.phones.at(-1)
    const packets = [10, 100_000, 3_000_000].map((size) => randomBytes(size))
    for (const packet of packets) phone.send(packet)
    phone.send('{"status":"ready"}')
    visit?.socket.send('{"command":"stop_capture"}')
    await until(() => visit?.messages.length === 4 && heard.length === 1)
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(visit?.messages.slice(0, 3).map(digest)).toEqual(packets.map(digest))
    phone.close()
  })
})

describe('hostile peers', () => {
  let server: Server
  let sockets: WebSockets
  let guards: string[] = []
  let phones: { phone: PhoneSocket; closed: boolean; messages: number; pongs: number }[] = []

  beforeEach(async () => {
    guards = []
    phones = []
    sockets = createWebSockets({
      clock: systemClock,
      idleMs: 300,
      messagesPerSecond: 1000,
      onGuard: (reason) => guards.push(reason),
    })
    server = createServer()
    server.on('upgrade', (request, socket, head) => {
      sockets.acceptPhone(request, socket, head, (phone) => {
        const visit = { phone, closed: false, messages: 0, pongs: 0 }
        phones.push(visit)
        phone.onMessage(() => {
          visit.messages += 1
        })
        phone.onPong(() => {
          visit.pongs += 1
        })
        phone.onClose(() => {
          visit.closed = true
        })
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => {
    sockets[Symbol.dispose]()
    server.closeAllConnections()
    server.close()
  })

  async function raw(): Promise<Socket> {
    const { port } = server.address() as { port: number }
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    const head = Object.entries(upgradeHeaders).map(([key, value]) => `${key}: ${value}\r\n`)
    socket.write(`GET /android-cam HTTP/1.1\r\nHost: 127.0.0.1\r\n${head.join('')}\r\n`)
    const before = phones.length
    await until(() => phones.length > before)
    return socket.resume()
  }
  const closes = () => until(() => phones.every(({ closed }) => closed))

  test.each([
    ['a length of 2⁴⁰', '82ff0000010000000000 00000000'],
    ['a frame that is not masked', '820568656c6c6f'],
    ['a text that is not UTF-8', '8182 00000000 c328'],
    ['an unknown opcode', '8380 00000000'],
    ['a reserved bit', 'c280 00000000'],
  ])('%s ends the connection', async (_what, hex) => {
    const socket = await raw()
    socket.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    await closes()
  })

  test('a frame that stands still ends by the idle limit', async () => {
    const socket = await raw()
    socket.write(Buffer.from('82fe0100000000004142', 'hex'))
    await closes()
    expect(guards).toContain('idle')
  })

  test('silence without a pong ends by the idle limit', async () => {
    await raw()
    await closes()
    expect(guards).toEqual(['idle'])
  })

  test('200 000 fragments end the connection', async () => {
    const socket = await raw()
    socket.write(Buffer.from('028000000000', 'hex'))
    for (let i = 0; i < 200; i += 1)
      socket.write(Buffer.concat(Array(1000).fill(Buffer.from('008000000000', 'hex'))))
    await closes()
  })

  test.each([
    ['pings', '898000000000'],
    ['pongs', '8a8000000000'],
    ['empty messages', '828000000000'],
  ])('a flood of %s ends the connection', async (_what, hex) => {
    const socket = await raw()
    socket.write(Buffer.concat(Array(5000).fill(Buffer.from(hex, 'hex'))))
    await closes()
    expect(phones[0]?.messages).toBeLessThanOrEqual(1001)
  })

  test('a phone that answers pings lives; its pongs to our own idle pings are not told', async () => {
    const { port } = server.address() as { port: number }
    const phone = new WebSocket(`ws://127.0.0.1:${port}/android-cam`)
    await until(() => phones.length === 1)
    await delay(1000)
    expect(phones[0]).toMatchObject({ closed: false, pongs: 0 })
    phones[0]?.phone.ping()
    await until(() => phones[0]?.pongs === 1)
    phone.close()
  })

  test('one that reads nothing of what it is told is ended', async () => {
    const socket = await raw()
    socket.pause()
    for (let i = 0; i < 200; i += 1) phones[0]?.phone.send('x'.repeat(100_000))
    await closes()
    expect(guards).toContain('not-reading')
  })
})
