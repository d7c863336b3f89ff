import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Jt1078Packet } from '../../../../agent/protocol/jt1078.ts'
import { Jt1078Parser } from '../../../../agent/protocol/jt1078-parser.ts'
import { simOf, simVehicle } from '../../../../agent/sim/vehicle.ts'
import { loadVehicleFootage, type VehicleFrame } from '../../../../agent/sim/vehicle-footage.ts'
import { type HistoryControl, SimHistory } from '../../../../agent/sim/vehicle-history.ts'
import { tone } from '../../../../agent/sim/vehicle-tone.ts'
import type { Clock } from '../../../../shared/node/clock.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

let server: Server
let port = 0
let received: Jt1078Packet[][] = []
beforeEach(async () => {
  received = []
  server = createServer((socket) => {
    const parser = new Jt1078Parser()
    const packets: Jt1078Packet[] = []
    received.push(packets)
    socket.on('data', (bytes: Buffer) => packets.push(...parser.push(bytes)))
    socket.on('close', () => packets.push(...parser.settle()))
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  server.close()
  await once(server, 'close')
})

/** Twenty times faster than time. */
const fast: Clock = {
  nowMs: () => Date.UTC(2026, 0, 1),
  monotonicMs: () => performance.now() * 20,
  sleep: async (ms, signal) => await sleep(ms / 20, undefined, signal ? { signal } : {}),
}

const kind = { host: '127.0.0.1', channels: 1, version: 2016, sound: 'g711a', clock: 'boot' } as const

test.each([2016, 2019] as const)(
  'a vehicle of %i sends its film at its times, numbered, two channels apart',
  async (version) => {
    const { signal } = new AbortController()
    const film = await loadVehicleFootage(undefined, { sound: 'g711a' })
    await simVehicle({
      ...kind,
      port,
      version,
      sims: ['13912345678'],
      channels: 2,
      once: true,
      signal,
      time: fast,
    })
    await expect
      .poll(() => received.map((packets) => packets.filter(({ dataType }) => dataType === 3).length))
      .toEqual(Array(2).fill(film.frames.filter(({ dataType }) => dataType === 3).length))
    expect(new Set(received.map(([first]) => first?.channel))).toEqual(new Set([1, 2]))
    for (const packets of received) {
      expect(packets[0]).toMatchObject({ version, sim: simOf('13912345678', version), dataType: 0 })
      expect(packets.map(({ sequence }) => sequence)).toEqual(packets.map((_, i) => i))
      const stamps = packets
        .filter(({ dataType, marker }) => dataType < 3 && marker)
        .map(({ timestampMs }) => timestampMs)
      const pictures = film.frames.filter(({ dataType }) => dataType < 3)
      expect(stamps).toEqual(pictures.map(({ stampMs }) => 3_600_000 + stampMs))
      expect(Math.max(...packets.map(({ body }) => body.length))).toBe(950)
    }
  },
  30_000,
)

test('packets that are lost are missing in the numbers, and nowhere else', async () => {
  const stop = new AbortController()
  let n = 0
  const random = () => (n++ % 4 === 1 ? 0 : 1)
  const running = simVehicle({ ...kind, port, sims: ['1'], loss: 0.5, random, signal: stop.signal })
  await expect.poll(() => received[0]?.length ?? 0).toBeGreaterThan(20)
  stop.abort()
  await running
  expect(received[0]?.slice(0, 6).map(({ sequence }) => sequence)).toEqual([0, 2, 3, 4, 6, 7])
})

test.each([
  ['13800138000', 2016, '013800138000'],
  ['00000000013800138000', 2016, '013800138000'],
  ['13800138000', 2019, '00000000013800138000'],
] as const)('the SIM %s of %i is %s', (sim, version, expected) => {
  expect(simOf(sim, version)).toBe(expected)
})

test('a SIM that is too long, or none, is refused', () => {
  expect(() => simOf('1234567890123', 2016)).toThrow(/12 digits/)
  expect(() => simOf('door', 2016)).toThrow(/12 digits/)
})

// ITU-T G.711: silence is 0xd5 in A-law and 0xff in μ-law.
test('a tone of 440 Hz, 8 samples a millisecond, without a seam', () => {
  const whole = tone(6, 0, 80)
  expect(Buffer.concat([tone(6, 0, 40), tone(6, 40, 40)])).toEqual(Buffer.from(whole))
  expect([whole.length, whole[0], tone(7, 0, 40)[0]]).toEqual([640, 0xd5, 0xff])
})

const footage = {
  durationMs: 1000,
  frames: Array.from(
    { length: 10 },
    (_, i): VehicleFrame => ({
      ...{ atMs: i * 100, stampMs: i * 100, payloadType: 98, body: new Uint8Array(1) },
      dataType: i % 5 === 0 ? 0 : 1,
    }),
  ),
}

function playing(range = { fromMs: 10_000, toMs: 20_000 }) {
  const time = new ManualClock()
  const sent: { atMs: number; stampMs: number }[] = []
  const zeroMs = time.monotonicMs()
  const history = new SimHistory(footage, range, { time, stampMs: 0 })
  const line = {
    closed: new AbortController().signal,
    send: async (_frame: VehicleFrame, stampMs: number) => {
      sent.push({ atMs: Math.round(time.monotonicMs() - zeroMs), stampMs })
    },
  }
  const done = history.play(line, new AbortController().signal)
  const control = async (control: HistoryControl) => {
    history.control(control)
    await settle()
  }
  const since = (from: number) => sent.slice(from).map(({ stampMs }) => stampMs)
  return { time, sent, history, done, control, since }
}

test('history plays a range at its pace, and ends', async () => {
  const { time, sent, done } = playing({ fromMs: 10_000, toMs: 11_500 })
  await time.advance(2000)
  await done
  expect(sent).toHaveLength(15)
  expect(sent.every(({ atMs, stampMs }) => Math.abs(atMs - stampMs) <= 1)).toBe(true)
})

test('pause, resume, faster, elsewhere, key frames, end', async () => {
  const { time, sent, control, since, done } = playing()
  await time.advance(1050)
  expect(since(0).at(-1)).toBe(1000)
  await control({ kind: 'pause' })
  await time.advance(5000)
  expect(since(0).at(-1)).toBe(1000)
  let at = sent.length
  await control({ kind: 'fast', speed: 4 })
  await time.advance(500)
  expect(since(at)).toEqual([
    1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2000, 2100, 2200, 2300, 2400, 2500, 2600,
    2700, 2800, 2900, 3000,
  ])
  at = sent.length
  await control({ kind: 'seek', toMs: 17_300 })
  await control({ kind: 'resume' })
  await time.advance(450)
  expect(since(at)).toEqual([7500, 7600, 7700]) // From a key frame on.
  at = sent.length
  await control({ kind: 'keyFrames' })
  await time.advance(1000)
  expect(since(at)).toEqual([8000, 8500])
  at = sent.length
  await control({ kind: 'back', speed: 2 })
  await time.advance(1000)
  expect(since(at)).toEqual([8500, 8000, 7500, 7000, 6500])
  await control({ kind: 'end' })
  await done
})
