import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import type { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { srsBodyBytesMax, srsConnectionsMax, srsRequestMs } from '../../shared/vehicle-limits.ts'
import { openPort } from './open-port.ts'
import { watchSrs } from './srs-hooks-clients.ts'
import { SrsViewers } from './srs-hooks-viewers.ts'
import { vehicleAllow } from './vehicle-allow.ts'

export type SrsHooksOptions = {
  /** What this port is for: `live`, or `replay` for history. */
  app: 'live' | 'replay'
  port: number
  /** Addresses and networks beyond this machine; without any it listens on loopback only. */
  allow: readonly string[]
  hint: string
  /** Of SRS's own API, by which those are found whose on_stop never came. */
  api?: string
  clock: Clock
  /** Wants a channel until disposed; by its device id. Throws for what is no vehicle’s. */
  hold: (device: string) => Disposable
  onEvent: (event: SrsEvent) => void
}

export type SrsEvent = { type: 'away'; error: AppError } | { type: 'fault'; error: unknown }

export type SrsHooks = AsyncDisposable & {
  readonly port: number
  readonly figures: { viewers: number; channels: number; hooks: number; refused: number }
}

const text = z
  .union([z.string().max(256), z.number()])
  .transform(String)
  .catch('')
/** As a number it has lost the zeros in front. */
const device = z
  .union([z.string().max(256), z.number().transform((digits) => String(digits).padStart(14, '0'))])
  .transform((name) => name.toLowerCase())
  .catch('')
const session = z.object({ action: text, client_id: text, stream: device, app: text })
const notice = z.object({ device_id: device })

/**
 * The hooks of an SRS: `POST /api/v1/sessions` with on_play and on_stop, and the seed's `POST /web_on_play`
 * (PROTOCOLS.md, 6 and 9). The answer is `0`, or `1` when SRS is to close the client. `FailedPrecondition`, in words,
 * when the port is taken.
 */
export async function openSrsHooks(options: SrsHooksOptions): Promise<SrsHooks> {
  const { app, port, hint, api, clock, onEvent } = options
  const allowed = vehicleAllow(options.allow)
  const viewers = new SrsViewers({ clock, hold: options.hold })
  const counts = { hooks: 0, refused: 0 }
  const server = createServer(
    { requestTimeout: srsRequestMs, headersTimeout: srsRequestMs },
    (request, response) => {
      respond(request, viewers, app).then(
        ({ status, body }) => {
          counts.hooks += 1
          if (body !== '0') counts.refused += 1
          response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(body)
        },
        (error) => fail(response, error, onEvent),
      )
    },
  )
  server.maxConnections = srsConnectionsMax
  server.on('connection', (socket) => {
    if (!allowed.address(socket.remoteAddress ?? '')) socket.destroy()
  })
  await openPort(server, { host: allowed.beyondLoopback ? '0.0.0.0' : '127.0.0.1', port, hint })
  const stop = new AbortController()
  if (api !== undefined) watch(api, { app, clock, viewers, onEvent, signal: stop.signal })
  return {
    port: (server.address() as AddressInfo).port,
    get figures() {
      return { ...counts, viewers: viewers.viewers, channels: viewers.channels }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      viewers[Symbol.dispose]()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

type Watching = Pick<SrsHooksOptions, 'app' | 'clock' | 'onEvent'> & {
  viewers: SrsViewers
  signal: AbortSignal
}

function watch(api: string, { app, clock, viewers, onEvent, signal }: Watching): void {
  watchSrs({
    ...{ api, clock, signal },
    onPlayers: (players, askedMs) =>
      viewers.reconcile(
        players.filter((player) => player.app === app),
        askedMs,
      ),
    onAway: (error) => onEvent({ type: 'away', error }),
  }).catch(() => undefined) // The door is closed.
}

type Answer = { status: number; body: string }
const taken: Answer = { status: 200, body: '0' }
const refused: Answer = { status: 200, body: '1' }

async function respond(request: IncomingMessage, viewers: SrsViewers, app: string): Promise<Answer> {
  const path = request.url?.split('?')[0]
  const isSession = path === '/api/v1/sessions'
  if (!isSession && path !== '/web_on_play') return { status: 404, body: '1' }
  if (request.method !== 'POST') return { status: 405, body: '1' }
  if (request.headers.origin !== undefined) return { status: 403, body: '1' } // SRS is no page in a browser.
  const body = await readJson(request)
  if (body === undefined) return refused
  return isSession ? hook(body, viewers, app) : onNotice(body, viewers)
}

function hook(body: unknown, viewers: SrsViewers, app: string): Answer {
  const parsed = session.safeParse(body)
  if (!parsed.success) return refused
  const { action, client_id: client, stream, app: told } = parsed.data
  if (action === 'on_stop') viewers.stop(client, stream)
  if (action !== 'on_play') return taken
  if (told !== '' && told !== app) return refused
  return viewers.play(client, stream) ? taken : refused
}

function onNotice(body: unknown, viewers: SrsViewers): Answer {
  const parsed = notice.safeParse(body)
  return parsed.success && viewers.notice(parsed.data.device_id) ? taken : refused
}

/** Whatever its content type: the seed's own examples have none. Undefined for what is no JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > srsBodyBytesMax) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    return undefined
  }
}

function fail(response: ServerResponse, error: unknown, onEvent: SrsHooksOptions['onEvent']): void {
  const isCut = error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
  if (!isCut) onEvent({ type: 'fault', error })
  if (!response.headersSent) response.writeHead(500)
  response.end('1')
}
