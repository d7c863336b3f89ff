/**
 * From the arrival of a picture in the hub until a gRPC client in another process has it, decoded: 20 kB pictures, 25 a
 * second, over loopback, one connection for all streams; beside a bare socket with the same bytes, since half of the
 * time is the machine's own.
 *   node bench/grpc-arrival.bench.ts [--rounds 3] [--seconds 8] [--most 50]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MediaClient } from '../test/support/grpc-client.ts'
import { mean, numbers, quantile, rotated, short, spread, table } from './support/figures.ts'

const options = numbers({ rounds: 3, seconds: 8, most: 50 })
const fps = 25
const pictureBytes = 20_000
const warmMs = 3000
const source = fileURLToPath(new URL('support/grpc-source.ts', import.meta.url))

type Address = { port: number; barePort: number; token: string }
type Way = 'grpc' | 'bare socket'
type Watch = (address: Address, streams: number, onPicture: (bytes: Buffer) => void) => Promise<Disposable>

const ways: Record<Way, Watch> = {
  grpc: async ({ port, token }, streams, onPicture) => {
    const client = await MediaClient.open(`127.0.0.1:${port}`, { token })
    for (let i = 0; i < streams; i += 1) {
      client.open({ name: `cam-${i}` }).on('data', ({ payload }) => onPicture(payload))
    }
    return client
  },
  'bare socket': async ({ barePort }, _streams, onPicture) => {
    let rest = Buffer.alloc(0)
    const socket = connect(barePort, '127.0.0.1').on('data', (chunk) => {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      for (; rest.length >= pictureBytes; rest = rest.subarray(pictureBytes)) {
        onPicture(rest.subarray(0, pictureBytes))
      }
    })
    return { [Symbol.dispose]: () => void socket.destroy() }
  },
}

async function measure(way: Way, streams: number): Promise<number[]> {
  const child = fork(source, [streams, fps, pictureBytes].map(String))
  const [address] = (await once(child, 'message')) as [Address]
  let delaysMs: number[] = []
  using _watching = await ways[way](address, streams, (picture) => {
    const sentNs = BigInt(`0x${picture.toString('latin1', picture.length - 16)}`)
    delaysMs.push(Number(process.hrtime.bigint() - sentNs) / 1e6)
  })
  await sleep(warmMs)
  delaysMs = []
  await sleep(options.seconds * 1000)
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
  return delaysMs
}

const counts = [1, 10, 50].filter((count) => count <= options.most)
const kinds: Way[] = ['grpc', 'bare socket']
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
