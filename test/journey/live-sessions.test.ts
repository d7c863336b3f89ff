import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import type { AgentStats, LiveSession } from '../../shared/contract/agent-api.ts'
import { socketPath } from '../../shared/node/socket-path.ts'
import { MediaClient } from '../support/grpc-client.ts'
import { freePort, Program } from '../support/program.ts'
import { RtmpClient } from '../support/rtmp-client.ts'

// Who sends and who watches, listed and closed by one API, whatever the transport and whichever process sends.

describe.each([0, 1])('with %i processes that only send', (workers) => {
  let program: Program
  let rtmp = ''
  let viewerToken = ''
  const encoder = new AbortController()
  let filming: Promise<unknown> = Promise.resolve()
  beforeAll(async () => {
    const port = await freePort()
    rtmp = `rtmp://127.0.0.1:${port}/live/cam`
    program = await Program.start({ config: JSON.stringify({ rtmp: { port }, live: { workers } }) })
    viewerToken = (
      await program.post<{ token: string }>('/agent/v1/tokens', {
        ...{ name: 'screen', role: 'viewer', stream: 'cam' },
      })
    ).token
    filming = simRtmp({ url: `${rtmp}?token=${await program.publisherToken('cam')}`, signal: encoder.signal })
    await until(async () => (await sessions('role=publisher')).length === 1)
  })
  afterAll(async () => {
    encoder.abort()
    await filming.catch(() => undefined)
    await program?.[Symbol.asyncDispose]()
  })

  const until = (condition: () => boolean | Promise<boolean>) =>
    program.until(condition, 20_000, 'what was expected')
  const sessions = async (query = '') =>
    (await program.json<{ sessions: LiveSession[] }>(`/agent/v1/sessions?${query}`)).sessions
  const close = async (id: string) =>
    (await program.fetch(`/agent/v1/sessions/${id}`, { method: 'DELETE' })).status
  const live = async () => (await program.json<AgentStats>('/agent/v1/stats')).live

  /** One viewer over each transport; what is in `ended` has ended. */
  async function watchAll() {
    const ended = new Set<string>()
    const path = `127.0.0.1:${program.port}/live/cam.flv?token=${viewerToken}`
    const page = await fetch(`http://${path}`)
    const read = async () => {
      for await (const _ of page.body ?? []);
    }
    read().then(
      () => ended.add('http'),
      () => ended.add('http, cut'),
    )
    const socket = new WebSocket(`ws://${path}`)
    await once(socket, 'open')
    socket.on('close', () => ended.add('ws'))
    const player = await RtmpClient.open(`${rtmp}?token=${viewerToken}`, 'play')
    player.socket.on('close', () => ended.add('rtmp'))
    const media = await MediaClient.open(`unix:${socketPath(program.data, 'edgereel')}`)
    const call = media.open({ name: 'cam' })
    call.on('data', () => undefined)
    call.on('error', () => ended.add('grpc'))
    await until(async () => (await sessions('role=viewer')).length === 4)
    return { ended, media }
  }

  test('all are listed, each can be closed, the stream goes on', async () => {
    const { ended, media } = await watchAll()
    expect((await live())?.viewers).toEqual({ http: 1, ws: 1, rtmp: 1, grpc: 1 })
    const all = await sessions('stream=cam')
    expect(all.map(({ role, transport }) => `${role} ${transport}`).sort()).toEqual([
      ...['publisher rtmp', 'viewer grpc', 'viewer http', 'viewer rtmp', 'viewer ws'],
    ])
    expect(all.find(({ transport }) => transport === 'ws')).toMatchObject({
      ...{ stream: 'cam', address: '127.0.0.1', app: 'live', subject: 'screen' },
    })
    for (const { id, role } of all) if (role === 'viewer') expect(await close(id)).toBe(204)
    await until(() => ended.size === 4)
    await until(async () => (await sessions('role=viewer')).length === 0)
    const figures = await live()
    expect(figures?.viewers).toEqual({ http: 0, ws: 0, rtmp: 0, grpc: 0 })
    expect(figures?.ended).toMatchObject({ closed: 3, gone: 0 })
    expect(await sessions()).toMatchObject([{ role: 'publisher', subject: 'cam' }])
    expect(await close(all[0]?.id === undefined ? '' : 'no-such-one')).toBe(404)
    media[Symbol.dispose]()
  })

  test('a token that is revoked takes along whom it let in', async () => {
    const { ended, media } = await watchAll()
    await program.fetch('/agent/v1/tokens/screen', { method: 'DELETE' })
    await until(() => ['http', 'ws', 'rtmp'].every((transport) => ended.has(transport)))
    expect(await sessions('role=viewer')).toMatchObject([{ transport: 'grpc' }]) // By the socket: nobody's token.
    media[Symbol.dispose]()
  })

  test('a publisher that is closed is cut off; encoders come again', async () => {
    const [publisher] = await sessions('role=publisher')
    expect(await close(publisher?.id ?? '')).toBe(204)
    await until(async () => {
      const [next] = await sessions('role=publisher')
      return next !== undefined && next.id !== publisher?.id
    })
  })
})
