import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Program } from '../support/program.ts'
import { filmingCamera, until } from '../support/rtsp-rig.ts'
import { hasProgram } from '../support/shared-data.ts'

// RELIABILITY.md A13: a crowd that takes more file handles than there are. Who comes in too many is turned away; what
// is recorded goes on.
test.skipIf(!hasProgram('prlimit'))(
  'a crowd at the port of a process of few file handles: refused, and recordings go on',
  async () => {
    await using camera = await filmingCamera()
    const config = `cameras: { allow: [127.0.0.0/8] }\nrtmp: { port: null }\ngrpc: { port: null }
ring: { segmentSeconds: 1 }\nstreams: { door: { source: "${camera.url}", ring: always } }\n`
    await using program = await Program.start({ config, wrapper: ['prlimit', '--nofile=300', '--'] })
    await until(() => camera.playing === 1, 'it is fetched from', 20_000)
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams: ['door'] })
    let refused = 0
    const sockets: Socket[] = Array.from({ length: 1000 }, () => {
      const socket = connect(program.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.once('close', () => {
        refused += 1
      })
      return socket
    })
    await sleep(6000)
    expect(refused).toBeGreaterThan(700)
    for (const socket of sockets) socket.destroy()
    await sleep(500)
    await program.post(`/agent/v1/recordings/${id}/stop`)
    const detail = await program.ready(id, 60_000)
    expect(detail.streams[0]?.gaps).toEqual([])
    expect(detail.streams[0]?.units).toBeGreaterThan(100)
    expect(program.output).not.toMatch(/EMFILE/)
  },
  120_000,
)
