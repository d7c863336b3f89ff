import { mkdtemp, rm } from 'node:fs/promises'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestOptions,
} from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openAgentFile } from '../../agent/control/agent-file.ts'
import { createAuth, type Principal } from '../../agent/control/auth.ts'
import type { Commands } from '../../agent/control/commands-port.ts'
import { eventCounters, registerFigures } from '../../agent/control/figures.ts'
import { watchLoopDelay } from '../../agent/control/health.ts'
import { createApi } from '../../agent/control/http.ts'
import { Metrics } from '../../agent/control/metrics.ts'
import { createSignedPaths, type NmsSecrets } from '../../agent/control/signed-path.ts'
import { openTokens } from '../../agent/control/tokens.ts'
import { createHub } from '../../agent/hub/hub.ts'
import { createRtmpIngest } from '../../agent/ingest/rtmp.ts'
import { type DoorEvent, openHttp } from '../../agent/listen/http.ts'
import { openRtmp } from '../../agent/listen/rtmp.ts'
import type { PhoneSocket } from '../../agent/listen/websocket.ts'
import { LiveSessions } from '../../agent/live-sessions.ts'
import { createFlvPlay, type FlvPlay } from '../../agent/play/flv.ts'
import { ViewerWorkers } from '../../agent/play/viewer-workers.ts'
import { AppError } from '../../shared/error.ts'
import { systemClock } from '../../shared/node/clock.ts'
import type { Pages } from '../../shared/node/read-pages.ts'

/** Commands of an agent without streams; `calls` tells what reached it. */
export function fakeCommands(calls: string[] = []): Commands {
  const called = async <T>(name: string, answer: T) => {
    calls.push(name)
    return answer
  }
  const nothing = async (name: string): Promise<never> => {
    calls.push(name)
    throw new AppError('NotFound', 'there is no such thing here')
  }
  return {
    streams: {
      list: () => called('streams.list', []),
      get: (name) => nothing(`streams.get ${name}`),
      health: (name) => nothing(`streams.health ${name}`),
      put: (name) => nothing(`streams.put ${name}`),
      remove: (name) => called(`streams.remove ${name}`, undefined),
    },
    recordings: {
      start: ({ streams }) => called('recordings.start', { id: 'take-1', streams: streams.map(startedNow) }),
      stop: (id) => nothing(`recordings.stop ${id}`),
      report: (id) =>
        called(`recordings.report ${id}`, { id, state: 'open', from: 0, to: null, streams: [] }),
      list: () => called('recordings.list', { recordings: [] }),
    },
    phones: {
      list: () => called('phones.list', []),
      allow: (id) => nothing(`phones.allow ${id}`),
      start: () => called('phones.start', { sent: [], started: [], failed: [] }),
      stop: () => called('phones.stop', { sent: [], stopped: [], failed: [] }),
    },
    stats: () => called('stats', figures),
  }
}

const startedNow = (name: string) => ({ name, state: 'recording' as const, startsAt: 0 })
const figures = {
  agent: 'test',
  version: '0',
  now: 0,
  uptimeMs: 0,
  process: { cpuSeconds: 0, rssBytes: 0, eventLoopDelayP99Ms: 0 },
  streams: { live: 0, waiting: 0 },
  viewers: 0,
  phones: { connected: 0, waiting: 0 },
}

export type PhoneVisit = { socket: PhoneSocket; principal: Principal; messages: Uint8Array[] }

/** The whole HTTP door of an agent over fake commands, on a port of its own. */
export async function openDoors(
  options: {
    cloudSocket?: string
    internalToken?: string
    pages?: Pages
    nms?: NmsSecrets
    /** Processes that only send. */
    workers?: number
    tls?: { key: string; cert: string; ca?: string | undefined }
  } = {},
) {
  const stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'edgereel-doors-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const clock = systemClock
  const calls: string[] = []
  const events: DoorEvent[] = []
  const phones: PhoneVisit[] = []

  const sessions = new LiveSessions(clock)
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = stack.use(createHub({ openSink: () => sink, clock, onEvent: (event) => sessions.hub(event) }))
  const workers = stack.use(
    new ViewerWorkers({
      ...{ count: options.workers ?? 0, clock, mergeMs: 0 },
      onDied: () => undefined,
      onFigures: (figures) => play.add(figures),
      onGuard: (reason) => events.push({ type: 'socket-guard', reason }),
    }),
  )
  const findStream = (name: string) => hub.stream(name)
  const play: FlvPlay = stack.use(
    createFlvPlay({ findStream, clock, workers, onViewer: (event) => sessions.viewer(event) }),
  )
  while (workers.pids.length < (options.workers ?? 0)) await sleep(10)
  const file = await openAgentFile(join(directory, 'agent.json'), { name: 'test' })
  const tokens = await openTokens({
    ...{ file, adminPath: join(directory, 'admin.token'), clock },
    onRevoked: (name) => sessions.closeOf(name),
  })
  const { nms = { play: null, publish: null } } = options
  const links = createSignedPaths({ keyHex: file.record.linkKey, nms, clock })
  const auth = createAuth({ tokens, links, file, clock, port: 0 })
  const metrics = new Metrics()
  const count = eventCounters(metrics)
  registerFigures(metrics, { hub, play: play.figures, loop: stack.use(watchLoopDelay()) })
  const emptyPage = new Map([
    ['/', { body: Buffer.from('<!doctype html>'), type: 'text/html', immutable: false }],
  ])
  const { cloudSocket, internalToken = 'internal', pages = emptyPage } = options
  const door = await openHttp({
    host: '127.0.0.1',
    port: 0,
    clock,
    pages,
    auth,
    api: createApi({
      ...{ commands: fakeCommands(calls), auth, tokens, links, sessions, metrics, health: {}, clock },
    }),
    play,
    onPhone: (socket, { principal }) => {
      const messages: Uint8Array[] = []
      socket.onMessage((data) => messages.push(data))
      phones.push({ socket, principal, messages })
    },
    ...(cloudSocket === undefined ? {} : { cloud: { socketPath: cloudSocket, internalToken } }),
    ...(options.tls ? { tls: options.tls } : {}),
    onEvent: (event) => {
      events.push(event)
      count.door(event)
    },
  })
  stack.use(door)
  stack.defer(() => workers.stop()) // Before the door closes: it waits for sockets that others hold.
  const host = '127.0.0.1'
  const ingest = createRtmpIngest({ hub, clock })
  const rtmp = stack.use(await openRtmp({ host, port: 0, clock, auth, ingest, play, onEvent: count.door }))
  return {
    door,
    port: door.port,
    rtmpPort: rtmp.port,
    directory,
    hub,
    play,
    workers,
    sessions,
    auth,
    tokens,
    links,
    calls,
    events,
    phones,
    token: async (role: 'viewer' | 'publisher' | 'operator' | 'admin' | 'device', stream?: string) => {
      const name = `t${tokens.list().length}`
      return (await tokens.create({ name, role, ...(stream === undefined ? {} : { stream }) })).token
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export type Answer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  json(): { error?: { code: string } }
}

/** One request, with a `Host` and headers as one likes (fetch forbids some). */
export async function send(options: RequestOptions & { body?: string | Buffer }): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = httpRequest({ host: '127.0.0.1', agent: false, ...options }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const body = Buffer.concat(chunks)
      const json = () => JSON.parse(body.toString())
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body, json })
    })
  })
  request.on('upgrade', (_response, socket) => {
    socket.destroy()
    resolve({ status: 101, headers: {}, body: Buffer.alloc(0), json: () => ({}) })
  })
  request.on('error', reject)
  request.end(options.body)
  return await promise
}

export const upgradeHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** A server on a unix socket that stands for the cloud. */
export async function fakeCloud(
  path: string,
  answer: Parameters<typeof createServer>[1],
): Promise<AsyncDisposable> {
  const server = createServer({}, answer)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
