import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { Program } from '../support/program.ts'
import { filmingCamera } from '../support/rtsp-rig.ts'
import { hasProgram } from '../support/shared-data.ts'
import { spacings } from '../support/takes.ts'

// Cameras by rtsps://, whose certificates are the house's own: trusted where NODE_EXTRA_CA_CERTS names them.

const run = promisify(execFile)
const login = { user: 'admin', password: 's3cret' }

/** Makes a certificate of its own for these names. */
async function certificate(directory: string, name: string, names: string) {
  const [key, cert] = [join(directory, `${name}.key`), join(directory, `${name}.crt`)]
  const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, '-days', '2']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await run('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...about])
  return { key: await readFile(key), cert: await readFile(cert), path: cert }
}

/** The camera behind TLS. */
async function behindTls(port: number, { key, cert }: { key: Buffer; cert: Buffer }) {
  const server = createServer({ key, cert }, (socket) => {
    const inner = connect(port, '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    socket.on('error', () => inner.destroy())
    inner.on('error', () => socket.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  server.unref()
  return (server.address() as AddressInfo).port
}

describe.skipIf(!hasProgram('openssl'))('cameras by rtsps://', () => {
  const stack = new AsyncDisposableStack()
  let program: Program
  let camera: Awaited<ReturnType<typeof filmingCamera>>

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'edgereel-rtsps-'))
    stack.defer(() => rm(directory, { recursive: true, force: true }))
    camera = stack.use(await filmingCamera({ login }))
    const known = await certificate(directory, 'known', 'IP:127.0.0.1')
    const stranger = await certificate(directory, 'stranger', 'IP:127.0.0.1')
    const another = await certificate(directory, 'another', 'IP:10.0.0.9,DNS:elsewhere')
    const ports = { known, stranger, another }
    const lines = await Promise.all(
      Object.entries(ports).map(async ([name, files]) => {
        const port = await behindTls(camera.port, files)
        return `  ${name}: { source: "rtsps://admin:s3cret@127.0.0.1:${port}/sim", ring: always }`
      }),
    )
    const trusted = join(directory, 'trusted.pem')
    await run('sh', ['-c', `cat ${known.path} ${another.path} > ${trusted}`])
    program = stack.use(
      await Program.start({
        config: `rtmp: { port: null }\ngrpc: { port: null }\ncameras: { allow: [127.0.0.0/8] }\nstreams:\n${lines.join('\n')}\n`,
        env: { NODE_EXTRA_CA_CERTS: trusted },
      }),
    )
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  const info = (name: string) => program.json<StreamInfo>(`/agent/v1/streams/${name}`)

  test('one whose certificate is trusted: every picture, at its time', async () => {
    await program.until(async () => (await info('known')).state === 'live', 20_000, 'it is live')
    const body = { streams: ['known'], require: 'all', durationSeconds: 3 }
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', body)
    await program.ready(id, 60_000)
    const csv = await (await program.fetch(`/v1/recordings/${id}/timestamps.csv?stream=known`)).text()
    const [head = '', ...rows] = csv.trim().split('\n')
    const times = rows.map((row) => Number(row.split(',')[head.split(',').indexOf('pts_ms')]))
    expect(times.length).toBeGreaterThanOrEqual(74)
    expect(spacings(times).filter((ms) => Math.abs(ms - 40) > 1)).toEqual([])
  }, 90_000)

  test.each(['stranger', 'another'])(
    'one whose certificate is of a %s: refused, and why',
    async (name) => {
      const isOffline = async () => (await info(name)).camera?.state === 'offline'
      await program.until(isOffline, 20_000, 'it is refused')
      expect((await info(name)).camera?.reason).toMatch(/certificate of the camera is not trusted/)
      expect((await info(name)).source).toMatch(/^rtsps:\/\/\*\*\*@127\.0\.0\.1/)
    },
    30_000,
  )
})
