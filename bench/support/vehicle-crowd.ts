import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataTypes, payloadTypes } from '../../agent/protocol/jt1078.ts'
import { encodeJt1078, splitJt1078 } from '../../agent/protocol/jt1078-writer.ts'
import { mark } from './scaled-clip.ts'

type Crowd = {
  port: number
  vehicles: number
  channels: number
  pictures: readonly Uint8Array[]
  fps: number
  /** G.711 in packets of 40 ms. */
  hasSound: boolean
}

type Channel = {
  socket: Socket
  sim: string
  channel: number
  sequence: number
  sent: number
  soundMs: number
  dueMs: number
}

const soundEveryMs = 40
const sound = new Uint8Array(320).fill(0xd5)

/** The port opens a moment after the agent's page. */
async function dial(port: number): Promise<Socket> {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return socket.on('error', () => undefined)
    } catch (error) {
      if (tries > 100) throw error
      await sleep(50)
    }
  }
}

/** Vehicles that send until disposed, each channel on a connection of its own, spread evenly over the time of one picture. */
export class VehicleCrowd implements AsyncDisposable {
  sentPackets = 0
  sentBytes = 0
  /** The most by which a picture left late: this process was kept from running. */
  lateMs = 0
  readonly #crowd: Crowd
  readonly #channels: Channel[] = []
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  private constructor(crowd: Crowd) {
    this.#crowd = crowd
  }

  static async start(crowd: Crowd): Promise<VehicleCrowd> {
    const vehicles = new VehicleCrowd(crowd)
    for (let i = 0; i < crowd.vehicles * crowd.channels; i += 1) {
      const socket = await dial(crowd.port)
      const sim = String(13_900_000_000 + Math.floor(i / crowd.channels)).padStart(12, '0')
      const channel = (i % crowd.channels) + 1
      vehicles.#channels.push({ socket, sim, channel, sequence: 0, sent: 0, soundMs: 0, dueMs: 0 })
    }
    vehicles.#running = vehicles.#run()
    return vehicles
  }

  get streams(): string[] {
    return this.#channels.map(({ sim, channel }) => `${sim}${String(channel).padStart(2, '0')}`)
  }

  /** No more is sent; what is under way arrives. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { fps } = this.#crowd
    const everyMs = 1000 / fps
    const startedMs = performance.now()
    for (const [i, channel] of this.#channels.entries())
      channel.dueMs = startedMs + (i * everyMs) / this.#channels.length
    while (!this.#stop.signal.aborted) {
      const nowMs = performance.now()
      for (const channel of this.#channels) {
        if (channel.dueMs > nowMs) continue
        this.lateMs = Math.max(this.lateMs, nowMs - channel.dueMs)
        this.#film(channel, Math.round(3_600_000 + channel.dueMs - startedMs))
        channel.dueMs += everyMs
      }
      await sleep(1)
    }
  }

  #film(channel: Channel, timestampMs: number): void {
    const { pictures, hasSound } = this.#crowd
    const place = channel.sent % pictures.length
    const body = mark(Uint8Array.from(pictures[place] ?? []), channel.sent)
    const isKey = body.length > 3000
    channel.sent += 1
    this.#send(channel, isKey ? dataTypes.key : dataTypes.predicted, payloadTypes.h264, timestampMs, body)
    if (channel.soundMs === 0) channel.soundMs = timestampMs
    for (; hasSound && channel.soundMs <= timestampMs; channel.soundMs += soundEveryMs)
      this.#send(channel, dataTypes.audio, payloadTypes.g711a, channel.soundMs, sound)
  }

  #send(to: Channel, dataType: 0 | 1 | 3, payloadType: number, timestampMs: number, body: Uint8Array): void {
    const { sim, channel } = to
    const times = dataType === 3 ? {} : { lastKeyMs: 0, lastMs: 0 }
    const frame = { version: 2016, sim, channel, dataType, payloadType, timestampMs, body, ...times } as const
    const packets = splitJt1078(frame, to.sequence)
    to.sequence = (to.sequence + packets.length) & 0xffff
    const bytes = Buffer.concat(packets.map(encodeJt1078))
    this.sentPackets += packets.length
    this.sentBytes += bytes.length
    to.socket.write(bytes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    for (const { socket } of this.#channels) socket.destroy()
  }
}
