import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { simVehicle } from '../../agent/sim/vehicle.ts'
import { freePort, Program } from '../support/program.ts'
import { bytesOf, VehicleLine } from '../support/vehicle-packets.ts'

// RELIABILITY.md C6 and C15: one good vehicle, and beside it all that is bad.

let program: Program
let port: number
const over = new AbortController()
const good = '01391234567801'
beforeAll(async () => {
  port = await freePort()
  program = await Program.start({ config: `vehicles: { live: { port: ${port} } }` })
  void simVehicle({
    ...{ host: '127.0.0.1', port, sims: ['13912345678'], channels: 1, signal: over.signal },
    ...{ version: 2016, sound: 'g711a', clock: 'boot' },
  })
  await program.until(async () => (await unitsOf(good)) > 5, 10_000, 'the good vehicle')
}, 60_000)
afterAll(async () => {
  over.abort()
  await program?.[Symbol.asyncDispose]()
})

async function unitsOf(stream: string): Promise<number> {
  const response = await program.fetch(`/agent/v1/streams/${stream}`)
  return response.ok ? ((await response.json()) as { units: number }).units : 0
}

async function metric(pattern: string): Promise<number> {
  const text = await (await program.fetch('/metrics')).text()
  return Number(new RegExp(`^edgereel_vehicle_${pattern} (.+)$`, 'm').exec(text)?.[1] ?? 0)
}

async function dial() {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

const start = (about = {}) => {
  const line = new VehicleLine({ sim: '000000000666', ...about })
  return bytesOf([...line.key(0), ...line.picture(40)])
}
/** A packet that promises 65535 bytes. */
const promise = (sim: string) => {
  const bytes = bytesOf(new VehicleLine({ sim }).picture(0))
  bytes.writeUInt16BE(0xffff, 28)
  return bytes
}
const unended = (channel: number) => {
  const line = new VehicleLine({ sim: '000000000666', channel })
  line.bodyBytes = 60_000
  return bytesOf(line.picture(0, 1_900_000).slice(0, -1))
}

test.each([
  ['noise', () => Buffer.alloc(1_000_000, 0x77), 'malformed'],
  ['a magic again and again', () => Buffer.alloc(1_000_000, Buffer.from('30316364', 'hex')), ''],
  [
    'another SIM on the same socket',
    () => Buffer.concat([start(), start({ sim: '013912345678' })]),
    'sim-changed',
  ],
  [
    'parts that never end, on eight channels',
    () => Buffer.concat([1, 2, 3, 4, 5, 6, 7, 8].map(unended)),
    'memory',
  ],
  [
    'a hundred channels',
    () => Buffer.concat(Array.from({ length: 100 }, (_, channel) => start({ channel }))),
    'too-many-channels',
  ],
] as const)('%s', async (_name, bytes, reason) => {
  const before = await unitsOf(good)
  const count = () => metric(`ended_total\\{door="live",reason="${reason}"\\}`)
  const closed = reason === '' ? 0 : await count()
  const socket = await dial()
  socket.write(bytes())
  if (reason !== '') await program.until(async () => (await count()) === closed + 1, 10_000, reason)
  socket.destroy()
  await program.until(async () => (await unitsOf(good)) > before + 20, 10_000, 'the good vehicle goes on')
  await program.until(async () => (await metric('channels')) === 1, 5000, 'only the good one')
})

test('a hundred that promise 65535 bytes and say no more cost nothing worth speaking of', async () => {
  const sockets = await Promise.all(Array.from({ length: 100 }, dial))
  for (const [i, socket] of sockets.entries()) {
    const sim = String(7_000_000 + i).padStart(12, '0')
    socket.write(Buffer.concat([start({ sim }), promise(sim)]))
  }
  await program.until(async () => (await metric('connections\\{door="live"\\}')) >= 100, 10_000, 'all there')
  await sleep(500)
  expect(await metric('held_bytes\\{door="live"\\}')).toBeLessThan(100 * 1000)
  for (const socket of sockets) socket.destroy()
  await program.until(async () => (await metric('connections\\{door="live"\\}')) === 1, 10_000, 'all gone')
})

test('whoever says to be the good vehicle from here takes its place, and gives it back', async () => {
  const socket = await dial()
  socket.write(start({ sim: '013912345678' }))
  await program.until(async () => (await metric('displaced_total')) > 0, 5000, 'displaced')
  socket.destroy()
  const before = await unitsOf(good)
  await program.until(async () => (await unitsOf(good)) > before + 20, 10_000, 'the good vehicle is back')
  expect(program.running).toBe(true)
})
