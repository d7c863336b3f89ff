import { createServer, type Server, type Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { splitAnnexB } from '../../shared/media/nal.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { type Footage, loadFootage } from './footage.ts'
import { listen } from './listen.ts'
import type { SimLogin } from './rtsp-login.ts'
import { type SimPicture, SimSession } from './rtsp-session.ts'
import { type SimKeyFrame, simStills } from './rtsp-stills.ts'

export type SimRtspOptions = {
  host?: string
  /** 0: any that is free. */
  port: number
  /** Of its stills, by HTTP; 0: any that is free. Absent: it makes none. */
  stillsPort?: number
  /** Without: everybody may watch. */
  login?: SimLogin
  /** .mp4 or H.264; the built-in clip otherwise. */
  file?: string
  /** Pictures a second of a file that has no times. */
  fps?: number
  /** What the 90 kHz stamps count from; `boot`: a minute before they wrap. */
  clock?: 'boot' | 'epoch'
  time?: Clock
  /** What was sent, for those who check it. */
  onPicture?: (picture: SimPicture) => void
}

export type SimRtsp = AsyncDisposable & {
  readonly port: number
  /** Without credentials. */
  readonly url: string
  /** The same camera as the makers' software names it, with its stills; without credentials. */
  vendorUrl(vendor: 'hik' | 'dahua'): string
  /** Clients that are being sent to. */
  readonly playing: number
  /** Sends nothing for a while, though the connections live. */
  stall(stalled: boolean): void
}

type Filmed = SimPicture & { ptsMs: number; keyFrame?: SimKeyFrame }

const ticksPerMs = 90
const wrapTicks = 2 ** 32
const bootTicks = wrapTicks - 60_000 * ticksPerMs // So that whoever watches for a minute sees the wrap.

/** An IP camera that is not there: it films from the first moment on, whoever watches, round after round. */
export async function simRtsp(options: SimRtspOptions): Promise<SimRtsp> {
  const { host = '127.0.0.1', time = systemClock, login } = options
  const footage = await loadFootage(options.file, options.fps)
  const { pictures, config } = readPictures(footage)
  await using stack = new AsyncDisposableStack()
  const clients = stack.use(new Clients(login, () => describe(config)))
  const port = await listen(clients.server, host, options.port)
  let newest: SimKeyFrame | undefined
  const { stillsPort } = options
  const stills =
    stillsPort === undefined
      ? undefined
      : stack.use(await simStills({ host, port: stillsPort, login, newest: () => newest }))
  const over = new AbortController()
  let isStalled = false
  const filming = film(
    { pictures, durationMs: footage.durationMs, options, time, signal: over.signal },
    ({ keyFrame, ...picture }) => {
      if (isStalled) return
      newest = keyFrame ?? newest
      options.onPicture?.(picture)
      clients.picture(picture)
    },
  )
  stack.defer(async () => {
    over.abort()
    await filming
  })
  const closing = stack.move()
  return {
    port,
    url: `rtsp://${host}:${port}/sim`,
    vendorUrl: (vendor) => `${vendor}://${host}/main?rtsp=${port}${stills ? `&http=${stills.port}` : ''}`,
    get playing() {
      return clients.playing
    },
    stall: (stalled) => {
      isStalled = stalled
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Who is connected. */
class Clients implements AsyncDisposable {
  readonly server: Server
  readonly #sessions = new Map<Socket, SimSession>()

  constructor(login: SimLogin | undefined, sdp: () => string) {
    this.server = createServer((socket) => {
      this.#sessions.set(socket, new SimSession(socket, login, sdp))
      socket.on('close', () => this.#sessions.delete(socket))
    })
  }

  get playing(): number {
    return [...this.#sessions.values()].filter(({ playing }) => playing).length
  }

  picture(picture: SimPicture): void {
    for (const session of this.#sessions.values()) session.picture(picture)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sessions.keys()) socket.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }
}

function readPictures({ pictures }: Footage): { pictures: Filmed[]; config: VideoConfig } {
  const parser = new VideoUnitParser('h264')
  let config: VideoConfig | undefined
  const filmed = pictures.flatMap(({ payload, ptsMs }) => {
    const picture = parser.parse(payload)
    config ??= picture?.config
    if (!picture) return []
    const { nalUnits, randomAccess: key } = picture
    const keyFrame = key ? { keyFrame: { nalUnits, config: picture.config } } : {}
    return [{ nalUnits: splitAnnexB(payload), key, ptsMs, timestamp: 0, wallMs: 0, ...keyFrame }]
  })
  if (config) return { pictures: filmed, config }
  throw new AppError('InvalidArgument', 'This file holds no H.264 pictures.', {
    zh: '此文件不含 H.264 画面。',
  })
}

type Film = {
  pictures: readonly Filmed[]
  durationMs: number
  options: SimRtspOptions
  time: Clock
  signal: AbortSignal
}

/** In decode order, each not before its time: those that are shown later go out ahead, as encoders send them. */
async function film(
  { pictures, durationMs, options, time, signal }: Film,
  show: (picture: Omit<Filmed, 'ptsMs'>) => void,
) {
  const beganMs = time.monotonicMs()
  const beganWallMs = time.nowMs()
  const sendMs = pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
  const zeroTicks = options.clock === 'epoch' ? (beganWallMs * ticksPerMs) % wrapTicks : bootTicks
  try {
    for (let roundMs = 0; ; roundMs += durationMs) {
      for (const [at, { ptsMs, ...picture }] of pictures.entries()) {
        const waitMs = beganMs + roundMs + (sendMs[at] ?? 0) - time.monotonicMs()
        if (waitMs > 0) await time.sleep(waitMs, signal)
        signal.throwIfAborted()
        const shownMs = roundMs + ptsMs
        const timestamp = (zeroTicks + Math.round(shownMs * ticksPerMs)) % wrapTicks
        show({ ...picture, timestamp, wallMs: beganWallMs + shownMs })
      }
    }
  } catch {
    // Aborted: it is over.
  }
}

function describe({ parameterSets, codecString }: VideoConfig): string {
  const sets = parameterSets.map((set) => Buffer.from(set).toString('base64')).join(',')
  const profile = codecString.split('.')[1] ?? ''
  return [
    'v=0',
    'o=- 0 0 IN IP4 0.0.0.0',
    's=edgereel sim',
    'c=IN IP4 0.0.0.0',
    't=0 0',
    'a=control:*',
    'm=video 0 RTP/AVP 96',
    'a=rtpmap:96 H264/90000',
    `a=fmtp:96 packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${sets}`,
    'a=control:trackID=0',
    '',
  ].join('\r\n')
}
