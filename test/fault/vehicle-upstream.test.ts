import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createHub } from '../../agent/hub/hub.ts'
import { VehicleCalls } from '../../agent/ingest/vehicle-command.ts'
import { CommandQueue } from '../../agent/ingest/vehicle-command-queue.ts'
import { redisSink } from '../../agent/ingest/vehicle-command-redis.ts'
import { closeHistory, closeLive, openLive } from '../../agent/ingest/vehicle-command-words.ts'
import { createVehicleIngest } from '../../agent/ingest/vehicle-ingest.ts'
import { openVehiclePort } from '../../agent/listen/vehicle.ts'
import { openVehicleInner } from '../../agent/listen/vehicle-inner.ts'
import { createVehicleForward } from '../../agent/play/vehicle-forward.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { InnerClient } from '../support/inner-client.ts'
import { hasRedis, RedisServer } from '../support/redis-server.ts'
import { bytesOf, sim, VehicleLine } from '../support/vehicle-packets.ts'

// RELIABILITY.md C18, with a real Redis: what is upstream of 50 subscriptions is killed 100 times, on both sides.

const channels = Array.from({ length: 50 }, (_, i) => i + 1)
const devices = channels.map((channel) => `${sim}${channel.toString(16).padStart(2, '0')}`)
const kills = 100

async function rig(redis: RedisServer) {
  const stack = new AsyncDisposableStack()
  const clock = systemClock
  const place = { host: 'video.example.com', livePort: 9501, historyPort: 9502 }
  const queue = stack.use(
    new CommandQueue({
      ...{ clock, sink: redisSink({ url: redis.url, key: 'EXTERNAL_COMMAND' }) },
      onEvent: () => undefined,
    }),
  )
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = stack.use(createHub({ openSink: () => sink, clock, onEvent: () => undefined }))
  const ingest = createVehicleIngest({ hub, clock, onFault: (error) => expect(error).toBeUndefined() })
  const calls = stack.use(
    new VehicleCalls({
      ...{ clock, vehicles: ingest.vehicles, lingerMs: 1000, push: (command) => queue.push(command) },
      open: (vehicle, door) => (door === 'live' ? openLive(vehicle, place) : undefined),
      close: (vehicle, door) => (door === 'live' ? closeLive(vehicle, place) : closeHistory(vehicle)),
    }),
  )
  const port = stack.use(
    await openVehiclePort({
      ...{ door: 'live', port: 0, allow: [], clock, ingest },
      onEvent: () => undefined,
    }),
  )
  const inner = stack.use(
    await openVehicleInner({
      ...{
        door: 'live',
        port: 0,
        allow: [],
        hint: '',
        clock,
        forward: createVehicleForward(ingest.vehicles),
      },
      hold: (stream, holder) => calls.hold(stream, holder),
      onFault: (error) => expect(error).toBeUndefined(),
    }),
  )
  return { queue, calls, ingest, port, inner, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** One connection of a vehicle with all its channels. */
async function dial(port: number, lines: readonly VehicleLine[], atMs: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  for (const line of lines) socket.write(bytesOf([...line.key(atMs), ...line.picture(atMs + 40)]))
  return socket
}

const idsOf = (list: readonly string[], id: string) =>
  list
    .map((json): Record<string, string> => JSON.parse(json))
    .filter(({ commandId }) => commandId === id)
    .map(({ iccid, channelNo }) => `${iccid} ${channelNo}`)
    .toSorted()

test.skipIf(!hasRedis)(
  'vehicles, subscribers and Redis itself are killed: one command per edge, counts exact, nothing is left',
  async () => {
    await using redis = await RedisServer.start()
    await using it = await rig(redis)
    const client = new InnerClient(it.inner.port, 'pcServer')
    for (const device of devices) client.subscribe(device)
    await expect.poll(() => it.inner.figures.subscriptions, { timeout: 5000 }).toBe(50)
    await expect.poll(() => it.queue.figures.sent, { timeout: 5000 }).toBe(50)

    const lines = channels.map((channel) => new VehicleLine({ channel }))
    for (let kill = 1; kill <= kills; kill += 1) {
      const vehicle = await dial(it.port.port, lines, kill * 1000)
      const last = devices.at(-1) as string
      await expect.poll(() => it.ingest.vehicles.channels().length, { interval: 2, timeout: 5000 }).toBe(50)
      await expect.poll(() => client.of(last).length, { interval: 2, timeout: 5000 }).toBeGreaterThan(0)
      vehicle.resetAndDestroy()
      if (kill % 2 === 0) client.cut()
      await expect.poll(() => it.ingest.vehicles.channels().length, { interval: 2, timeout: 5000 }).toBe(0)
      await expect.poll(() => it.inner.figures.subscriptions, { interval: 2, timeout: 5000 }).toBe(50)
      client.messages.length = 0
    }
    expect(client.connects).toBe(1 + kills / 2)
    const wanted = channels.map((channel) => `${sim} ${channel}`).toSorted()
    expect(idsOf(await redis.list(), '9101')).toEqual(wanted)
    expect(idsOf(await redis.list(), '9102')).toEqual([])
    expect(it.calls.list().map(({ holders, callers, repeats }) => [holders, callers, repeats])).toEqual(
      devices.map(() => [1, 1, 0]),
    )

    await redis.kill()
    await client[Symbol.asyncDispose]()
    await expect.poll(() => it.queue.figures.queued, { timeout: 10_000 }).toBe(50)
    await redis.up()
    await expect.poll(() => it.queue.figures.sent, { timeout: 20_000 }).toBe(100)
    expect(idsOf(await redis.list(), '9102')).toEqual(wanted)
    expect(it.calls.list()).toEqual([])
    expect(it.inner.figures).toMatchObject({ subscriptions: 0, connections: 0 })
    expect(it.queue.figures).toMatchObject({ queued: 0, failed: 0, expired: 0, dropped: 0 })
  },
  120_000,
)
