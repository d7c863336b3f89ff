import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { simPhone } from '../../agent/sim/phone.ts'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import { RtmpClient } from '../../test/support/rtmp-client.ts'

export type ChurnTarget = {
  httpPort: number
  rtmpPort: number
  adminToken: string
  /** Where a phone of this name is let in. */
  phonePath: (stream: string) => Promise<string>
}

const visits = ['http', 'ws', 'rtmp', 'stalled-http', 'stalled-ws', 'stalled-rtmp', 'half', 'noise'] as const
type Visit = (typeof visits)[number]

/**
 * Who comes and goes at a server: publishers that stay, publishers that leave or are cut off, viewers over all
 * transports, of which some stop reading, and peers that speak nonsense.
 */
export class Churn implements AsyncDisposable {
  readonly counts: Record<Visit | 'publish' | 'failed', number>
  readonly #target: ChurnTarget
  readonly #stop = new AbortController()
  readonly #running: Promise<unknown>[] = []
  #visitors = 0

  constructor(target: ChurnTarget) {
    this.#target = target
    const zero = Object.fromEntries([...visits, 'publish', 'failed'].map((name) => [name, 0]))
    this.counts = zero as Churn['counts']
  }

  /** Streams that are there from beginning to end; the last of them a phone's. */
  async steady(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, i) => `steady-${i}`)
    const { httpPort, phonePath } = this.#target
    const { signal } = this.#stop
    for (const name of names.slice(0, -1)) this.#running.push(simRtmp({ url: this.#url(name), signal }))
    const phone = names.at(-1) ?? ''
    this.#running.push(simPhone({ url: `ws://127.0.0.1:${httpPort}${await phonePath(phone)}`, signal }))
    return names
  }

  /** Visitors to these streams, so many a second, until disposed. */
  start(streams: readonly string[], perSecond: number): void {
    this.#running.push(this.#receive(streams, perSecond), this.#publishers())
  }

  get present(): number {
    return this.#visitors
  }

  async #receive(streams: readonly string[], perSecond: number): Promise<void> {
    for (let n = 0; !this.#stop.signal.aborted; n += 1) {
      const visit = visits[n % visits.length] ?? 'http'
      const stream = streams[Math.floor(n / visits.length) % streams.length] ?? ''
      void this.#visit(visit, stream)
      await this.#wait(1000 / perSecond)
    }
  }

  async #visit(visit: Visit, stream: string): Promise<void> {
    this.counts[visit] += 1
    this.#visitors += 1
    const stays = visit.startsWith('stalled') ? 15_000 : 500 + Math.random() * 5000
    try {
      if (visit === 'http' || visit === 'stalled-http') await this.#http(stream, visit !== 'http', stays)
      else if (visit === 'ws' || visit === 'stalled-ws') await this.#ws(stream, visit !== 'ws', stays)
      else if (visit === 'rtmp' || visit === 'stalled-rtmp') await this.#rtmp(stream, visit !== 'rtmp', stays)
      else await this.#nonsense(visit === 'half' ? Buffer.of(3, 0, 0) : Buffer.alloc(4000, 0xee), stays)
    } catch {
      this.counts.failed += 1
    } finally {
      this.#visitors -= 1
    }
  }

  async #http(stream: string, stalls: boolean, staysMs: number): Promise<void> {
    const { httpPort, adminToken } = this.#target
    const socket = connect(httpPort, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET /live/${stream}.flv?token=${adminToken} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    if (!stalls) socket.resume()
    await this.#wait(staysMs)
    socket.destroy()
  }

  async #ws(stream: string, stalls: boolean, staysMs: number): Promise<void> {
    const { httpPort, adminToken } = this.#target
    const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/live/${stream}.flv?token=${adminToken}`)
    socket.on('error', () => undefined)
    if (stalls) socket.on('open', () => socket.pause())
    await this.#wait(staysMs)
    socket.terminate()
  }

  async #rtmp(stream: string, stalls: boolean, staysMs: number): Promise<void> {
    await using player = await RtmpClient.open(this.#url(stream), 'play')
    if (stalls) player.socket.pause()
    await this.#wait(staysMs)
    if (Math.random() < 0.5 && !stalls) player.leave()
  }

  async #nonsense(bytes: Uint8Array, staysMs: number): Promise<void> {
    const socket = connect(this.#target.rtmpPort, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write(bytes)
    socket.resume()
    await this.#wait(staysMs)
    socket.destroy()
  }

  /** One after the other under twenty names that come again: some leave, some are cut off. */
  async #publishers(): Promise<void> {
    for (let n = 0; !this.#stop.signal.aborted; n += 1) {
      this.counts.publish += 1
      const leave = new AbortController()
      const signal = AbortSignal.any([leave.signal, this.#stop.signal])
      const published = simRtmp({ url: this.#url(`coming-${n % 20}`), signal, digest: n % 2 === 0 })
      await this.#wait(1000 + Math.random() * 3000)
      leave.abort()
      await published
    }
  }

  #url(stream: string): string {
    return `rtmp://127.0.0.1:${this.#target.rtmpPort}/live/${stream}?token=${this.#target.adminToken}`
  }

  #wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.allSettled(this.#running)
    while (this.#visitors > 0) await sleep(20)
  }
}
