/**
 * From the arrival of a picture in the hub until a gRPC client in another process has it, decoded: 20 kB pictures, 25 a
 * second, over loopback, one connection for all streams.
 *   node bench/grpc-arrival.bench.ts [--rounds 3] [--seconds 8] [--most 50]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MediaClient } from '../test/support/grpc-client.ts'
import { mean, numbers, quantile, short, spread, table } from './support/figures.ts'

const options = numbers({ rounds: 3, seconds: 8, most: 50 })
const fps = 25
const warmMs = 3000
const source = fileURLToPath(new URL('support/grpc-source.ts', import.meta.url))

async function measure(streams: number): Promise<number[]> {
  const child = fork(source, [String(streams), String(fps)])
  const [{ port, token }] = (await once(child, 'message')) as [{ port: number; token: string }]
  using client = await MediaClient.open(`127.0.0.1:${port}`, { token })
  let delaysMs: number[] = []
  const calls = Array.from({ length: streams }, (_, i) =>
    client.open({ name: `cam-${i}` }).on('data', ({ payload }) => {
      const sentNs = BigInt(`0x${payload.toString('latin1', payload.length - 16)}`)
      delaysMs.push(Number(process.hrtime.bigint() - sentNs) / 1e6)
    }),
  )
  await sleep(warmMs)
  delaysMs = []
  await sleep(options.seconds * 1000)
  for (const call of calls) call.cancel()
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
  return delaysMs
}

const counts = [1, 10, 50].filter((count) => count <= options.most)
const samples = new Map<number, number[][]>()
for (let round = 0; round < options.rounds; round += 1) {
  for (const count of counts) {
    const delaysMs = await measure(count)
    samples.set(count, [...(samples.get(count) ?? []), delaysMs])
    console.error(`${count}: mean ${short(mean(delaysMs))}, p99 ${short(quantile(delaysMs, 0.99))} ms`)
  }
}
const rows = counts.map((count) => {
  const own = samples.get(count) ?? []
  const cell = (figure: (delaysMs: number[]) => number) => spread(own.map(figure))
  const at = (share: number) => cell((delaysMs) => quantile(delaysMs, share))
  return [String(count), cell(mean), at(0.5), at(0.99), cell((delaysMs) => delaysMs.length)]
})
console.log(`${options.rounds} rounds; median of the rounds (least–most)\n`)
console.log(table(['streams', 'mean ms', 'p50 ms', 'p99 ms', 'pictures'], rows))
