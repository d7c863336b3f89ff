import { AppError } from '../../shared/error.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'

type Options = {
  clock: Clock
  silenceMs: number
  keyFrameMs: number
  /** The first unit from which a decoder can start. */
  onLive: () => void
}

const lookMs = 500

/**
 * Sees that media stop though the connection lives, or that no key frame comes. Pictures count, once there were
 * some: a camera whose encoder hangs goes on with its sound.
 */
export class MediaWatch implements Disposable {
  readonly #options: Options
  readonly #failed = new AbortController()
  readonly #over = new AbortController()
  #hasPictures = false
  #live = false
  #connectedMs: number | undefined
  #lastMs = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** Aborted with the reason, in words. */
  get signal(): AbortSignal {
    return this.#failed.signal
  }

  connected(): void {
    if (this.#connectedMs !== undefined) return
    this.#connectedMs = this.#options.clock.monotonicMs()
    this.#lastMs = this.#connectedMs
    this.#look().catch(() => undefined) // It is over.
  }

  unit({ track, randomAccess }: AccessUnit): void {
    if (track === 'video') this.#hasPictures = true
    else if (this.#hasPictures) return
    this.#lastMs = this.#options.clock.monotonicMs()
    // Sound alone is live when it is sound alone; pictures that come later do not change that.
    if (this.#live || !randomAccess) return
    this.#live = true
    this.#options.onLive()
  }

  /** The connection is to end, for this reason. */
  fail(error: AppError): void {
    this.#failed.abort(error)
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  async #look(): Promise<void> {
    const { clock, silenceMs, keyFrameMs } = this.#options
    for (;;) {
      await clock.sleep(lookMs, this.#over.signal)
      const nowMs = clock.monotonicMs()
      if (nowMs - this.#lastMs > silenceMs) return this.fail(silent(silenceMs))
      const waitedMs = nowMs - (this.#connectedMs ?? nowMs)
      if (!this.#live && waitedMs > keyFrameMs) return this.fail(noKeyFrame(keyFrameMs))
    }
  }
}

function silent(ms: number): AppError {
  const seconds = Math.round(ms / 1000)
  return new AppError('Unavailable', `the camera is connected but sent no pictures for ${seconds} s`, {
    zh: `摄像机已连接，但 ${seconds} 秒内没有画面。`,
  })
}

function noKeyFrame(ms: number): AppError {
  const seconds = Math.round(ms / 1000)
  return new AppError(
    'DeadlineExceeded',
    `no key frame came within ${seconds} s: set a shorter key frame interval on the camera`,
    { zh: `${seconds} 秒内没有关键帧：请在摄像机上缩短关键帧间隔。` },
  )
}
