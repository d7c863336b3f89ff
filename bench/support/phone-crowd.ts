import { setTimeout as sleep } from 'node:timers/promises'
import { PhoneLine } from './phone-line.ts'

type Crowd = {
  port: number
  /** Where each of them knocks. */
  paths: readonly string[]
  pictures: readonly Uint8Array[]
  fps: number
  /** Called just before a picture leaves. */
  before?: (phone: number, payload: Uint8Array) => void
}

/** Phones that film from now on, spread evenly over the time of one picture, until disposed. */
export class PhoneCrowd implements AsyncDisposable {
  readonly #crowd: Crowd
  readonly #lines: PhoneLine[] = []
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** The most by which a picture left late: this process was kept from running. */
  lateMs = 0

  private constructor(crowd: Crowd) {
    this.#crowd = crowd
  }

  static async start(crowd: Crowd): Promise<PhoneCrowd> {
    const phones = new PhoneCrowd(crowd)
    for (const [i, path] of crowd.paths.entries()) {
      const line = await PhoneLine.open(crowd.port, path, `bench-${i}`)
      line.say({ status: 'capture_started', timestamp: 0 })
      phones.#lines.push(line)
    }
    phones.#running = phones.#run()
    return phones
  }

  get sentBytes(): number {
    return this.#lines.reduce((sum, line) => sum + line.sentBytes - line.waitingBytes, 0)
  }

  get sentPictures(): number {
    return this.#lines.reduce((sum, line) => sum + line.sentPictures, 0)
  }

  /** As the app says it at the end. */
  stop(): void {
    this.#stop.abort()
    for (const line of this.#lines) line.say({ status: 'capture_stopped' })
  }

  async #run(): Promise<void> {
    const { pictures, fps, before } = this.#crowd
    const everyMs = 1000 / fps
    const startedMs = performance.now()
    const due = this.#lines.map((_, i) => startedMs + (i * everyMs) / this.#lines.length)
    while (!this.#stop.signal.aborted) {
      const nowMs = performance.now()
      for (const [phone, line] of this.#lines.entries()) {
        const dueMs = due[phone] ?? 0
        if (dueMs > nowMs) continue
        const payload = pictures[line.sentPictures % pictures.length] ?? new Uint8Array()
        this.lateMs = Math.max(this.lateMs, nowMs - dueMs)
        before?.(phone, payload)
        line.picture(Math.round(3_600_000 + dueMs - startedMs), payload) // Switched on an hour ago.
        due[phone] = dueMs + everyMs
      }
      await sleep(1)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    for (const line of this.#lines) line[Symbol.dispose]()
  }
}
