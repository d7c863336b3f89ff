import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type WebSocket, WebSocketServer } from 'ws'
import { securityHeaders, servePage } from '../../agent/listen/pages.ts'
import { type Pages, readPages } from '../../shared/node/read-pages.ts'
import { finished, openRecording, type PageData } from './page-data.ts'
import { answerVehicles } from './page-vehicles.ts'

/**
 * A server for the page alone: the built page under the agent's own security headers, an API that answers from
 * `data`, and one live picture made by FFmpeg. What the page asked is kept in `asked`.
 */
export type PageServer = AsyncDisposable & {
  url: string
  data: PageData
  asked: string[]
  /** JSON bodies of the requests that had one. */
  bodies: unknown[]
  /** Cuts every live connection, as a restart of the agent would. */
  dropLive(): void
}

type Media = { mp4: string; jpg: string; csv: string }

export async function startPageServer(options: {
  pages: string
  data: PageData
  /** A directory for the clip; without FFmpeg there is none, and nothing plays. */
  directory?: string
}): Promise<PageServer> {
  const pages = await readPages(options.pages)
  const media = options.directory ? await makeMedia(options.directory) : undefined
  const state: State = { data: options.data, asked: [], bodies: [] }
  const server = createServer((request, response) => {
    void answer(request, response, state, pages, media).catch(() => response.destroy())
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, request) => {
    state.asked.push(`WS ${request.url}`)
    if (state.data.absent?.includes(streamOf(request.url))) socket.close(1013, 'no-source')
    else if (media) sendLive(socket, media.mp4)
    else socket.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...state,
    dropLive() {
      for (const socket of sockets.clients) socket.terminate()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const streamOf = (path = '') => /\/live\/(.+)\.flv/.exec(path)?.[1] ?? ''

/** Twelve seconds of a test picture with a running clock: enough to see that it moves. */
async function makeMedia(directory: string): Promise<Media> {
  const run = promisify(execFile)
  const media = { mp4: join(directory, 'clip.mp4'), jpg: join(directory, 'clip.jpg'), csv: 'n,pts_ms\n0,0\n' }
  if (existsSync(media.jpg)) return media // The next server of the same test file.
  const scene =
    'gradients=size=1280x720:rate=15:duration=12:c0=0x16324f:c1=0x2a6f97:c2=0x8a5a83:c3=0xe0a458:speed=0.02'
  const input = ['-f', 'lavfi', '-i', `${scene},format=yuv420p`]
  const encode = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-profile:v',
    'baseline',
    '-g',
    '15',
    '-pix_fmt',
    'yuv420p',
  ]
  await run('ffmpeg', ['-v', 'error', '-y', ...input, ...encode, '-movflags', '+faststart', media.mp4])
  await run('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-i',
    media.mp4,
    '-frames:v',
    '1',
    '-vf',
    'scale=640:-1',
    media.jpg,
  ])
  return media
}

function sendLive(socket: WebSocket, mp4: string): void {
  const ffmpeg = spawn(
    'ffmpeg',
    [
      '-v',
      'error',
      '-re',
      '-stream_loop',
      '-1',
      '-i',
      mp4,
      '-c',
      'copy',
      '-f',
      'flv',
      '-flvflags',
      'no_duration_filesize',
      '-',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  ffmpeg.stdout.on('data', (bytes: Buffer) => socket.send(bytes))
  ffmpeg.on('exit', () => socket.close())
  socket.on('close', () => ffmpeg.kill('SIGKILL'))
}

type State = { data: PageData; asked: string[]; bodies: unknown[] }

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
  pages: Pages,
  media: Media | undefined,
): Promise<void> {
  for (const [key, value] of Object.entries(securityHeaders)) response.setHeader(key, value)
  const url = new URL(request.url ?? '/', 'http://page')
  if (servePage(pages, url.pathname, request, response)) return
  state.asked.push(`${request.method} ${request.url}`)
  if (media && (await answerMedia(url.pathname, request, response, media))) return
  const body = await readBody(request)
  if (Object.keys(body).length > 0) state.bodies.push(body)
  const found =
    state.data.signedOut && !url.pathname.endsWith('/session')
      ? unauthenticated
      : route(state, request.method ?? '', url, body)
  response.writeHead(found.status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(found.body))
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
}

async function answerMedia(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  media: Media,
): Promise<boolean> {
  const file = /\/(download|thumbnail|snapshot|still)$/.exec(path)?.[1]
  if (path.endsWith('timestamps.csv')) {
    response.end(media.csv)
    return true
  }
  if (!file) return false
  const bytes = await readFile(file === 'download' ? media.mp4 : media.jpg)
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
  const start = Number(range?.[1] ?? 0)
  const end = range?.[2] ? Number(range[2]) + 1 : bytes.length
  response.writeHead(range ? 206 : 200, {
    'content-type': file === 'download' ? 'video/mp4' : 'image/jpeg',
    'accept-ranges': 'bytes',
    'content-length': end - start,
    ...(range && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  })
  response.end(bytes.subarray(start, end))
  return true
}

export type Answer = { status: number; body: unknown }

const ok = (body: unknown): Answer => ({ status: 200, body })
const refuse = (status: number, message: string, messageZh: string): Answer => ({
  status,
  body: { error: { code: 'Refused', message, messageZh, requestId: 'test' } },
})
const unauthenticated = refuse(401, 'this needs a token', '需要令牌')

function route(state: State, method: string, url: URL, body: Record<string, unknown>): Answer {
  const { data } = state
  const path = url.pathname
  const id = decodeURIComponent(path.split('/')[4] ?? '')
  if (data.onlyStream !== undefined && !path.endsWith('/session')) return routeOfOne(data, path)
  if (path.startsWith('/agent/v1/vehicles')) return answerVehicles(data, method, path, body)
  switch (
    `${method} ${path.replace(/(recordings|phones|tokens|tasks|shares)\/(?!start|stop)[^/]+/, '$1/{id}')}`
  ) {
    case 'GET /agent/v1/streams':
      return ok({ streams: data.streams })
    case 'GET /agent/v1/recordings':
      return ok({ recordings: data.open })
    case 'POST /agent/v1/recordings':
      return startRecording(data, body)
    case 'POST /agent/v1/recordings/{id}/stop':
      return stopRecording(data, id)
    case 'GET /agent/v1/phones':
      return ok({ phones: data.phones })
    case 'POST /agent/v1/phones/{id}/allow':
      data.phones = data.phones.map((phone) => (phone.id === id ? { ...phone, state: 'ready' } : phone))
      return ok({})
    case 'POST /agent/v1/phones/start':
      return ok({
        sent: ['Pixel-6a', 'Pixel-7', 'iPad'],
        started: ['Pixel-6a', 'Pixel-7'],
        failed: [{ name: 'iPad', reason: 'no answer', reasonZh: '没有应答' }],
      })
    case 'GET /v1/agents':
      return ok({ agents: data.agents ?? [] })
    case 'GET /agent/v1/stats':
      return ok(data.stats)
    case 'GET /agent/v1/tokens':
      return ok({ tokens: data.tokens })
    case 'POST /agent/v1/tokens': {
      const token = {
        id: `t${data.tokens.length + 1}`,
        createdAt: data.stats.now,
        ...body,
      } as (typeof data.tokens)[number]
      data.tokens = [...data.tokens, token]
      return ok({ ...token, token: 'er_4Jq0v8mYwK2nXcRb7sTzLd5hPfGu9eA1' })
    }
    case 'GET /agent/v1/session':
      return ok({ subject: 'somebody', role: data.role, ...(data.onlyStream && { stream: data.onlyStream }) })
    case 'DELETE /agent/v1/session':
      data.signedOut = true
      return ok({})
    case 'POST /agent/v1/session':
      if (body.token === 'sends') return ok({ subject: 'tripod', role: 'publisher' })
      if (body.token !== 'right') return unauthenticated
      data.signedOut = false
      return ok({ subject: 'admin', role: 'admin' })
    default:
      return cloudRoute(data, method, url)
  }
}

/** What a token for one stream may ask. */
function routeOfOne({ streams, onlyStream }: PageData, path: string): Answer {
  if (path !== `/agent/v1/streams/${onlyStream}`)
    return refuse(403, 'this token does not allow that', '此令牌没有该权限。')
  const found = streams.find(({ name }) => name === onlyStream)
  return found ? ok(found) : refuse(404, 'there is no such stream', '没有这个流')
}

function cloudRoute(data: PageData, method: string, url: URL): Answer {
  const [, , kind, id = '', action] = url.pathname.split('/')
  if (kind === 'health') {
    const idle = { waiting: 0, inFlight: 0, dead: 0 }
    const answers = { queues: true, database: true, store: true }
    const queues = { mux: idle, thumbnail: idle, export: { ...idle, inFlight: 1 } }
    return ok({ status: 'ok', queues, answers, ...data.health })
  }
  if (kind === 'tasks') {
    if (action === 'retry') return ok({})
    if (id !== '') return ok(data.tasks.find((task) => task.id === id))
    const status = url.searchParams.get('status')
    return ok({ tasks: data.tasks.filter((task) => status === null || task.status === status) })
  }
  if (kind !== 'recordings') return refuse(404, 'there is nothing at this address', '此地址没有内容。')
  if (id === '') return ok({ recordings: listArchive(data, url.searchParams) })
  const found = data.archive.find((recording) => recording.id === id)
  if (!found) return refuse(404, 'there is no such recording', '没有这个录像')
  if (action === 'shares' && method === 'GET') {
    const share = { id: `${id}~0`, createdAt: data.stats.now - 3_600_000, createdBy: 'Wei' }
    return ok({ shares: [{ ...share, expiresAt: data.stats.now + 3_600_000 }] })
  }
  if (action === 'shares')
    return ok({ id: `${id}~1`, url: '/s/q7VtY2mZb0', expiresAt: data.stats.now + 604_800_000 })
  if (action === 'hold') found.hold = !found.hold
  if (method === 'DELETE') data.archive = data.archive.filter((recording) => recording.id !== id)
  return ok(found)
}

function listArchive(data: PageData, query: URLSearchParams): unknown[] {
  const title = (query.get('title') ?? '').toLowerCase()
  const stream = query.get('stream')
  const closed = data.archive.map(({ streams, ...head }) => ({
    ...head,
    streams: streams.map((s) => s.name),
  }))
  return closed.filter(
    (item) =>
      (item.title ?? '').toLowerCase().includes(title) && (stream === null || item.streams.includes(stream)),
  )
}

function startRecording(data: PageData, body: Record<string, unknown>): Answer {
  const names = body.streams as string[]
  const from = data.stats.now - (body.from === '-30s' ? 30_000 : 0)
  const id = `rec-${data.open.length + data.archive.length + 1}`
  data.open = [...data.open, openRecording(from, id, names, body.title as string | undefined)]
  for (const stream of data.streams)
    if (names.includes(stream.name)) stream.recordings = [...stream.recordings, id]
  return ok({ id, streams: names.map((name) => ({ name, state: 'recording', startsAt: from })) })
}

function stopRecording(data: PageData, id: string): Answer {
  const open = data.open.find((recording) => recording.id === id)
  if (!open) return refuse(404, 'there is no such recording', '没有这个录像')
  data.open = data.open.filter((recording) => recording !== open)
  for (const stream of data.streams) stream.recordings = stream.recordings.filter((other) => other !== id)
  data.archive = [finished(open, open.from + 12_000), ...data.archive]
  return ok({ ...open, state: 'closed' })
}
