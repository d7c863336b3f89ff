import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { joinAnnexB } from '../../shared/media/nal.ts'
import { filmingCamera, openRtspRig, until } from '../support/rtsp-rig.ts'

// RELIABILITY.md B3, B4, C6 and C13 for cameras that are fetched from: what a network, or a camera that is broken or
// evil, puts between a simulated camera and us.

let stack = new AsyncDisposableStack()
afterEach(async () => {
  const closing = stack
  stack = new AsyncDisposableStack()
  await closing.disposeAsync()
})

type Mangle = (bytes: Buffer, passed: number, client: Socket) => Buffer | undefined

/** A proxy before the camera. `mangle` gets what the camera sends and how much has passed, and says what goes on. */
async function between(port: number, mangle: Mangle) {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const camera = connect(port, '127.0.0.1')
    let passed = 0
    for (const socket of [client, camera]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        camera.destroy()
      })
    }
    client.on('data', (bytes) => camera.write(bytes))
    camera.on('data', (bytes) => {
      const out = mangle(bytes, passed, client)
      passed += bytes.length
      if (out && !client.destroyed) client.write(out)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `rtsp://127.0.0.1:${(server.address() as AddressInfo).port}/sim`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const slices = (nalUnits: readonly Uint8Array[]) =>
  Buffer.from(joinAnnexB(nalUnits.filter((nal) => [1, 5].includes((nal[0] ?? 0) & 0x1f))))

/** Pictures that are not marked as damaged are, byte for byte, pictures that were sent. */
function expectTrue(units: readonly AccessUnit[], sent: readonly { nalUnits: readonly Uint8Array[] }[]) {
  const known = new Set(sent.map(({ nalUnits }) => slices(nalUnits).toString('base64')))
  const whole = units.filter(({ damaged }) => !damaged)
  expect(whole.length).toBeGreaterThan(20)
  const strange = whole.filter(({ nalUnits }) => !known.has(slices(nalUnits).toString('base64')))
  expect(strange.map(({ ptsMs }) => ptsMs)).toEqual([])
}

test('B4: the connection is reset in mid-picture again and again: each time a gap, and only whole pictures', async () => {
  const rig = stack.use(openRtspRig({ random: () => 0.05 }))
  const camera = stack.use(await filmingCamera())
  let cutAt = 5000
  const proxy = stack.use(
    await between(camera.port, (bytes, passed, client) => {
      if (passed + bytes.length < cutAt || cutAt > 80_000) return bytes
      cutAt += 13_337
      const part = bytes.subarray(0, bytes.length / 2)
      client.write(part, () => client.resetAndDestroy())
      return undefined
    }),
  )
  rig.sources.set('door', proxy.url)
  using _held = rig.sources.hold('door')
  await until(() => cutAt > 80_000, 'it was cut six times', 40_000)
  const before = rig.pictures('door').length
  await until(() => rig.pictures('door').length > before + 30, 'it goes on')
  expect(rig.sources.info('door')?.status.failures).toBeGreaterThanOrEqual(5)
  expectTrue(rig.pictures('door'), camera.sent)
  const lost = rig.gaps('door').filter(({ cause }) => cause === 'source-lost')
  expect(lost.length).toBeGreaterThanOrEqual(4)
  expect(lost.every(({ fromMs, toMs }) => toMs > fromMs)).toBe(true)
}, 60_000)

test('C6: bytes that are none of RTSP between the frames: taken up again behind them, what was hurt is marked', async () => {
  const rig = stack.use(openRtspRig({ random: () => 0.05 }))
  const camera = stack.use(await filmingCamera())
  let times = 0
  const proxy = stack.use(
    await between(camera.port, (bytes, passed) => {
      if (passed < 20_000 || times === 10 || Math.random() < 0.7) return bytes
      times += 1
      const noise = Buffer.from(Array.from({ length: 50 }, () => Math.floor(Math.random() * 256)))
      const at = Math.floor(bytes.length / 2)
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
    }),
  )
  rig.sources.set('door', proxy.url)
  using _held = rig.sources.hold('door')
  await until(() => times === 10, 'ten times', 30_000)
  const before = rig.pictures('door').length
  await until(() => rig.pictures('door').length > before + 30, 'it goes on', 30_000)
  // Noise inside of a packet cannot be told from its bytes: that the framing was lost around it is the gap.
  expect(rig.gaps('door').length).toBeGreaterThan(0)
}, 90_000)

test('C6: a frame of 65535 bytes that never comes: seen as silence, memory stays', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await filmingCamera())
  let isOver = false
  const proxy = stack.use(
    await between(camera.port, (bytes, passed) => {
      if (isOver) return undefined
      if (passed < 10_000) return bytes
      isOver = true
      return Buffer.from([0x24, 0, 0xff, 0xff])
    }),
  )
  rig.sources.set('door', proxy.url)
  using _held = rig.sources.hold('door')
  await until(() => rig.sources.info('door')?.status.state === 'offline', 'it is noticed', 30_000)
  expect(rig.sources.info('door')?.status.error?.message).toMatch(/connected but sent no pictures/)
}, 40_000)

test('B3: a network that swallows everything: no connection, and soon said', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await filmingCamera())
  const proxy = stack.use(await between(camera.port, () => undefined))
  rig.sources.set('door', proxy.url)
  using _held = rig.sources.hold('door')
  await until(() => rig.sources.info('door')?.status.state === 'offline', 'it is noticed', 20_000)
  expect(rig.sources.info('door')?.status.error?.message).toMatch(/does not answer/)
}, 30_000)

test('C13: a camera that floods after it was asked to play: memory stays, others are not hurt', async () => {
  const rig = stack.use(openRtspRig())
  const camera = stack.use(await filmingCamera())
  const good = stack.use(await filmingCamera())
  let flooded = 0
  const packet = Buffer.concat([Buffer.from([0x24, 0, 0xff, 0xff]), Buffer.alloc(65_535, 0x61)])
  const proxy = stack.use(
    await between(camera.port, (bytes, passed) => {
      if (passed < 3000 || flooded > 400e6) return bytes
      const many = Buffer.concat(Array.from({ length: 64 }, () => packet))
      flooded += many.length
      return many
    }),
  )
  rig.sources.set('flood', proxy.url)
  rig.sources.set('good', good.url)
  using _one = rig.sources.hold('flood')
  using _two = rig.sources.hold('good')
  await sleep(2000)
  const before = process.memoryUsage.rss()
  await sleep(4000)
  expect(flooded).toBeGreaterThan(50e6)
  expect(process.memoryUsage.rss() - before).toBeLessThan(150e6)
  const times = rig.pictures('good').map(({ ptsMs }) => ptsMs)
  expect(times.length).toBeGreaterThan(100)
  expect(rig.gaps('good')).toEqual([])
}, 40_000)
