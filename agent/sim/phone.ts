import { AppError } from '../../shared/error.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { formatPhonePacket } from '../protocol/phone.ts'
import { type Footage, loadFootage } from './footage.ts'

export type SimPhoneOptions = {
  /** `ws://host:50001/android-cam`. */
  url: string
  token?: string
  /** What it films; the built-in clip otherwise. */
  file?: string
  /** Pictures a second of a file that has no times. */
  fps?: number
  /** What its stamps count from. `boot` by default, so that nothing works only because a stamp looks like a date. */
  clock?: 'boot' | 'epoch'
  model?: string
  /** As many times faster than time; the stamps keep the true spacing. */
  speed?: number
  /** Films the file once without being told to, and ends; otherwise it films round after round while it is told to. */
  once?: boolean
  signal: AbortSignal
  log?: (message: string) => void
  time?: Clock
}

type Begin = { deviceMs: number; monotonicMs: number }
type Capture = { stop: AbortController; done: Promise<void> }

const bootedMs = 3_600_000 // The simulated phone was switched on an hour ago.
const retryMs = 1000
const queueBytesMax = 16 * 1024 * 1024 // OkHttp closes a socket whose queue is longer (PROTOCOLS.md 8).

/** A phone that is not there: what the app does, over a real WebSocket. Resolves when aborted, or with `once` when done. */
export async function simPhone(options: SimPhoneOptions): Promise<void> {
  const { signal, once = false, log = () => undefined, time = systemClock } = options
  const footage = await loadFootage(options.file, options.fps)
  const zero = options.clock === 'epoch' ? time.nowMs() : bootedMs
  const startedMs = time.monotonicMs()
  const deviceMs = () => Math.round(zero + time.monotonicMs() - startedMs)
  while (!signal.aborted) {
    const phone = new SimulatedPhone({ ...options, footage, deviceMs, time, log })
    const finished = await phone.run()
    if (once && finished) return
    if (signal.aborted) return
    log(`connection lost, trying again: ${phone.problem ?? 'closed'}`)
    await time.sleep(retryMs, signal).catch(() => undefined)
  }
}

type Needs = SimPhoneOptions & {
  footage: Footage
  deviceMs: () => number
  time: Clock
  log: (message: string) => void
}

/** One connection. */
class SimulatedPhone {
  problem: string | undefined
  readonly #needs: Needs
  readonly #socket: WebSocket
  readonly #closed = Promise.withResolvers<void>()
  #capture: Capture | undefined
  #finished = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.#socket = connect(needs)
  }

  /** True when it has filmed all that it was to film. */
  async run(): Promise<boolean> {
    const socket = this.#socket
    const onAbort = () => socket.close()
    this.#needs.signal.addEventListener('abort', onAbort)
    socket.addEventListener('open', () => this.#hello())
    socket.addEventListener('message', ({ data }) => this.#obey(String(data)))
    socket.addEventListener('error', (event) => {
      this.problem = (event as Partial<ErrorEvent>).message ?? 'no connection'
    })
    socket.addEventListener('close', ({ reason }) => {
      this.problem ??= reason || undefined
      this.#closed.resolve()
    })
    if (this.#needs.signal.aborted) socket.close()
    await this.#closed.promise
    this.#needs.signal.removeEventListener('abort', onAbort)
    this.#capture?.stop.abort()
    await this.#capture?.done
    return this.#finished
  }

  get #open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  #hello(): void {
    const { model = 'sim-phone', log, once } = this.#needs
    log('connected')
    this.#say({ status: 'ready', message: 'simulated camera' })
    this.#say({
      type: 'capabilities',
      deviceModel: model,
      sdkInt: 35,
      resolutions: [{ width: 640, height: 360 }],
    })
    if (once) this.#start()
  }

  #obey(text: string): void {
    const command = commandOf(text)
    if (command === 'start_capture') this.#start()
    if (command === 'stop_capture') this.#stop()
  }

  #start(): void {
    if (this.#capture) {
      const { stop, done } = this.#capture
      if (stop.signal.aborted) done.then(() => this.#start())
      return
    }
    const stop = new AbortController()
    this.#say({ status: 'capture_started', timestamp: this.#needs.time.nowMs() })
    this.#needs.log('filming')
    const done = this.#film(stop.signal).catch((error: unknown) => {
      this.problem = AppError.from(error).message
      this.#socket.close()
    })
    this.#capture = { stop, done }
  }

  #stop(): void {
    this.#capture?.stop.abort()
    if (!this.#capture) this.#say({ status: 'capture_stopped' })
  }

  async #film(stop: AbortSignal): Promise<void> {
    const { footage, once = false } = this.#needs
    const begin = { deviceMs: this.#needs.deviceMs(), monotonicMs: this.#needs.time.monotonicMs() }
    for (let round = 0; !stop.aborted && this.#open; round += 1) {
      await this.#filmRound(begin, round, stop)
      if (once) break
    }
    this.#capture = undefined
    if (!this.#open) return
    this.#say({ status: 'capture_stopped' })
    this.#needs.log(`filmed ${footage.pictures.length} pictures a round`)
    if (!once) return
    this.#finished = true
    this.#socket.close(1000, 'done')
  }

  /** Pictures leave when they were shown at the earliest: with B-frames, decode order and display order differ. */
  async #filmRound(begin: Begin, round: number, stop: AbortSignal): Promise<void> {
    const { footage, time, speed = 1 } = this.#needs
    const dueMs = footage.pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
    const roundMs = round * footage.durationMs
    for (const [i, { payload, ptsMs }] of footage.pictures.entries()) {
      const waitMs = begin.monotonicMs + (roundMs + (dueMs[i] ?? 0)) / speed - time.monotonicMs()
      if (waitMs > 0) await time.sleep(waitMs, stop).catch(() => undefined)
      if (stop.aborted || !this.#open) return
      if (this.#socket.bufferedAmount > queueBytesMax) {
        throw new AppError('ResourceExhausted', 'the agent does not read, as a phone would we close')
      }
      const sequence = (round * footage.pictures.length + i) % 2 ** 32
      this.#socket.send(formatPhonePacket({ deviceMs: begin.deviceMs + roundMs + ptsMs, sequence, payload }))
    }
  }

  #say(message: object): void {
    if (this.#open) this.#socket.send(JSON.stringify(message))
  }
}

/** Undefined for what the app would ignore: no command, or a start without payload. */
function commandOf(text: string): string | undefined {
  try {
    const { command, payload } = JSON.parse(text) as { command?: string; payload?: unknown }
    return command === 'start_capture' && payload === undefined ? undefined : command
  } catch {
    return undefined
  }
}

function connect({ url, token }: SimPhoneOptions): WebSocket {
  try {
    const address = new URL(url)
    if (token !== undefined) address.searchParams.set('token', token)
    const socket = new WebSocket(address)
    socket.binaryType = 'arraybuffer'
    return socket
  } catch (cause) {
    throw new AppError('InvalidArgument', `${url} is not an address like ws://127.0.0.1:50001/android-cam.`, {
      cause,
      zh: `${url} 不是 ws://127.0.0.1:50001/android-cam 这样的地址。`,
    })
  }
}
