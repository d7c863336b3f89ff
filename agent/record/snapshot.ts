import { AppError } from '../../shared/error.ts'
import { snapshotBytesMax, snapshotsKept } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { ofCamera } from '../camera-failure.ts'
import type { ToJpeg } from './jpeg.ts'
import { awaitKeyFrame, type KeyFrame, type LiveOptions, newestKeyFrame, offline } from './key-frame.ts'
import { type KeyFrameRing, ringKeyFrame } from './ring-key-frame.ts'

export type Still = {
  jpeg: Uint8Array
  /** Wall ms of the picture. */
  takenAt: number
}

export type StillRequest = {
  /** As the stream has it. */
  stream: string
  /** Wall ms; absent: now. */
  at?: number
  /** A picture of the stream, also where the camera would make a still itself. */
  ownPicture?: boolean
}

export type SnapshotOptions = LiveOptions & {
  clock: Clock
  ring: KeyFrameRing
  recorder: {
    flush(stream: string, options: { ended: boolean }): Promise<void>
    openSince(stream: string): number | undefined
  }
  toJpeg: ToJpeg
  /** Of a camera that makes stills itself; undefined where it does not. */
  vendorStill?: (stream: string) => Promise<Uint8Array> | undefined
  /** Has a camera connected that is fetched from; undefined for others. */
  hold?: (stream: string) => Disposable | undefined
  /** Why a camera that is fetched from is away. */
  failure?: (stream: string) => AppError | undefined
}

const freshMs = 1000

type Flight = { startedMs: number; still: Promise<Still> }

/** Stills: one flight for each camera and second, whoever asks; the answer of the last second is the answer. */
export class Snapshots {
  readonly #options: SnapshotOptions
  readonly #flights = new Map<string, Flight>()

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /**
   * Of now: the camera's own still, or the newest key frame. Of a time: the nearest key frame that is held.
   *
   * `Unavailable`: offline; `DeadlineExceeded`: no key frame yet; `FailedPrecondition`: the camera refuses its
   * credentials, it is not held any more, or there is no FFmpeg.
   */
  async take(request: StillRequest): Promise<Still> {
    const key = `${request.stream.toLowerCase()} ${request.at ?? 'now'} ${request.ownPicture ?? false}`
    const nowMs = this.#options.clock.monotonicMs()
    const flight = this.#flights.get(key)
    if (flight && nowMs - flight.startedMs < freshMs) return await flight.still
    const still = this.#make(request)
    this.#flights.delete(key)
    this.#flights.set(key, { startedMs: nowMs, still })
    this.#forgetOld(nowMs)
    return await still
  }

  #forgetOld(nowMs: number): void {
    for (const [key, { startedMs }] of this.#flights) {
      const isOld = nowMs - startedMs >= freshMs
      if (!isOld && this.#flights.size <= snapshotsKept) break // In the order in which they began.
      this.#flights.delete(key)
    }
  }

  async #make({ stream, at, ownPicture }: StillRequest): Promise<Still> {
    const { toJpeg, clock } = this.#options
    if (at !== undefined && at < clock.nowMs()) {
      const frame = await this.#past(stream, at)
      return { jpeg: await toJpeg(frame), takenAt: frame.takenAt }
    }
    const own = ownPicture ? undefined : await this.#vendor(stream)
    if (own) return own
    const frame = await this.#now(stream)
    return { jpeg: await toJpeg(frame), takenAt: frame.takenAt }
  }

  /** Undefined where the stream's own picture must do. */
  async #vendor(stream: string): Promise<Still | undefined> {
    const { vendorStill, clock } = this.#options
    try {
      const jpeg = await vendorStill?.(stream)
      if (!jpeg) return undefined
      if (isJpeg(jpeg)) return { jpeg, takenAt: clock.nowMs() }
    } catch (cause) {
      const error = AppError.from(cause)
      // A wrong password counts towards the camera's lock: the stream would not come either.
      if (error.kind === 'Unauthenticated' || error.kind === 'PermissionDenied') throw ofCamera(error)
    }
    return undefined
  }

  async #now(stream: string): Promise<KeyFrame> {
    const { hold, failure, find } = this.#options
    using held = hold?.(stream)
    return await awaitKeyFrame(stream, this.#options, () => {
      const error = failure?.(stream)
      if (held) return error && ofCamera(error)
      return find(stream)?.state === 'live' ? undefined : offline(stream)
    })
  }

  async #past(stream: string, at: number): Promise<KeyFrame> {
    const { ring, recorder } = this.#options
    const live = newestKeyFrame(stream, this.#options)
    if (live && at >= live.takenAt) return live
    const openSince = recorder.openSince(stream)
    // What is being written can be read once it is sealed: at the next key frame.
    if (openSince !== undefined && at >= openSince) await recorder.flush(stream, { ended: false })
    const kept = await ringKeyFrame(ring, stream, at)
    const near = [kept, live].filter((frame) => frame !== undefined)
    const [best] = near.sort((a, b) => Math.abs(a.takenAt - at) - Math.abs(b.takenAt - at))
    if (best && (best === kept || Math.abs(best.takenAt - at) < freshMs)) return best
    throw await notHeld(stream, ring)
  }
}

function isJpeg(bytes: Uint8Array): boolean {
  return bytes.length <= snapshotBytesMax && bytes[0] === 0xff && bytes[1] === 0xd8
}

/** Says what is held. */
export async function notHeld(stream: string, ring: Pick<KeyFrameRing, 'segments'>): Promise<AppError> {
  const rows = (await ring.segments({ stream })).filter(({ local }) => local)
  const [first, last] = [rows[0], rows.at(-1)]
  const range = first && last ? [first.from, last.to].map((ms) => new Date(ms).toISOString()) : undefined
  const [en, zh] = range
    ? [`held is ${range.join(' to ')}`, `现有 ${range.join(' 至 ')}`]
    : ['nothing of it is held', '没有任何画面']
  return new AppError('FailedPrecondition', `${stream}: there is no picture of that time here; ${en}`, {
    zh: `${stream}：没有该时间的画面；${zh}。`,
  })
}
