/**
 * From the arrival of a picture in the hub until a gRPC client in another process has it, decoded: 20 kB pictures, 25 a
 * second, over loopback, one connection for all streams. The clients: grpcio (where Python has it), whose memory is not
 * V8's, so that what is seen is the server; grpc-js; and a bare socket with the same bytes, since half of the time is
 * the machine's own.
 *   node bench/grpc-arrival.bench.ts [--rounds 3] [--seconds 8] [--least 1] [--most 50]
 */
import { execFile, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MediaClient } from '../test/support/grpc-client.ts'
import { mean, numbers, quantile, rotated, short, spread, table } from './support/figures.ts'

const options = numbers({ rounds: 3, seconds: 8, least: 1, most: 50 })
const fps = 25
const pictureBytes = 20_000
const warmS = 3
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const python = '/usr/bin/python3'
const hasGrpcio = spawnSync(python, ['-c', 'import grpc.aio, grpc_tools.protoc']).status === 0

type Address = { port: number; barePort: number; token: string }
type Way = 'grpcio' | 'grpc-js' | 'bare socket'
/** Delays in ms of the pictures that came in `seconds`, behind the time of warming up. */
type Watch = (address: Address, streams: number) => Promise<number[]>

const ways: Record<Way, Watch> = {
  grpcio: async ({ port, token }, streams) => {
    const client = [here('support/grpc_client.py'), here('../agent/control/grpc'), `127.0.0.1:${port}`, token]
    const numbers = [streams, warmS, options.seconds].map(String)
    const { stdout } = await promisify(execFile)(python, [...client, ...numbers], { maxBuffer: 2 ** 26 })
    return JSON.parse(stdout)
  },
  'grpc-js': async ({ port, token }, streams) => {
    using client = await MediaClient.open(`127.0.0.1:${port}`, { token })
    const delays = new Delays()
    for (let i = 0; i < streams; i += 1) {
      client.open({ name: `cam-${i}` }).on('data', ({ payload }) => delays.add(payload))
    }
    return await delays.measured()
  },
  'bare socket': async ({ barePort }) => {
    const delays = new Delays()
    let rest = Buffer.alloc(0)
    const socket = connect(barePort, '127.0.0.1').on('data', (chunk) => {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      for (; rest.length >= pictureBytes; rest = rest.subarray(pictureBytes)) {
        delays.add(rest.subarray(0, pictureBytes))
      }
    })
    const measured = await delays.measured()
    socket.destroy()
    return measured
  },
}

class Delays {
  #ms: number[] = []

  add(picture: Buffer): void {
    const sentNs = BigInt(`0x${picture.toString('latin1', picture.length - 16)}`)
    this.#ms.push(Number(process.hrtime.bigint() - sentNs) / 1e6)
  }

  async measured(): Promise<number[]> {
    await sleep(warmS * 1000)
    this.#ms = []
    await sleep(options.seconds * 1000)
    return this.#ms.slice()
  }
}

async function measure(way: Way, streams: number): Promise<number[]> {
  const child = fork(here('support/grpc-source.ts'), [streams, fps, pictureBytes].map(String))
  const [address] = (await once(child, 'message')) as [Address]
  const delaysMs = await ways[way](address, streams)
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
  return delaysMs
}

const counts = [1, 10, 50].filter((count) => count >= options.least && count <= options.most)
const kinds: Way[] = [...(hasGrpcio ? ['grpcio' as const] : []), 'grpc-js', 'bare socket']
const samples = new Map<string, number[][]>()
for (let round = 0; round < options.rounds; round += 1) {
  for (const count of counts) {
    for (const way of rotated(kinds, round)) {
      const delaysMs = await measure(way, count)
      const key = `${count} ${way}`
      samples.set(key, [...(samples.get(key) ?? []), delaysMs])
      console.error(`${key}: mean ${short(mean(delaysMs))}, p99 ${short(quantile(delaysMs, 0.99))} ms`)
    }
  }
}
const row = (count: number, way: Way) => {
  const own = samples.get(`${count} ${way}`) ?? []
  const cell = (figure: (delaysMs: number[]) => number) => spread(own.map(figure))
  const at = (share: number) => cell((delaysMs) => quantile(delaysMs, share))
  return [String(count), way, cell(mean), at(0.5), at(0.99), cell((delaysMs) => delaysMs.length)]
}
const rows = counts.flatMap((count) => kinds.map((way) => row(count, way)))
console.log(`${options.rounds} rounds; median of the rounds (least–most)\n`)
console.log(table(['streams', 'client', 'mean ms', 'p50 ms', 'p99 ms', 'pictures'], rows))
