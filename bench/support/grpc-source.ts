/**
 * The hub and the gRPC service of an agent, without what is before them: `node grpc-source.ts streams fps bytes`.
 * Beside it a bare socket that gets the same bytes. Each picture bears the time at which it came to the hub, by the clock that all processes of a machine share.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { tuneHeap } from '../../shared/node/heap.ts'
import { openGrpcRig } from '../../test/support/grpc-rig.ts'
import { syntheticPicture } from '../../test/support/synthetic.ts'

tuneHeap({ growPercent: 60, isPrompt: true }) // As the agent.
const [streams = 1, fps = 25, bytes = 20_000] = process.argv.slice(2).map(Number)
const rig = await openGrpcRig()
const publishers = Array.from({ length: streams }, (_, i) => rig.publish(`cam-${i}`))
const everyMs = 1000 / fps
const startedMs = performance.now()
const bare = new Set<Socket>()
const bareServer = createServer({ noDelay: true }, (socket) => {
  bare.add(socket.on('error', () => undefined))
}).listen(0, '127.0.0.1')
await once(bareServer, 'listening')
const { port: barePort } = bareServer.address() as AddressInfo
process.send?.({ port: rig.port, barePort, token: await rig.token('viewer') })
process.on('disconnect', () => process.exit())

// One GOP, made beforehand: what is measured is not to wait for it.
const gop = Array.from({ length: fps }, (_, n) => syntheticPicture(n, { gop: fps, frameMs: everyMs, bytes }))
const sent = publishers.map(() => 0)
for (;;) {
  for (const [i, publisher] of publishers.entries()) {
    const n = sent[i] ?? 0
    if (performance.now() < startedMs + (n + i / streams) * everyMs) continue
    const unit = gop[n % fps]
    if (!unit) continue
    const slice = Buffer.from(unit.nalUnits.at(-1) ?? [])
    slice.write(process.hrtime.bigint().toString(16).padStart(16, '0'), slice.length - 16, 'latin1')
    const arrivalMs = performance.now()
    const times = { dtsMs: n * everyMs, ptsMs: n * everyMs, arrivalMs }
    publisher.push({ ...unit, ...times, nalUnits: [...unit.nalUnits.slice(0, -1), slice] })
    for (const socket of bare) socket.write(slice)
    sent[i] = n + 1
  }
  await sleep(1)
}
