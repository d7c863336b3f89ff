import { AppError } from '../../shared/error.ts'
import { keyFrameWaitMs } from '../../shared/limits.ts'
import type { AccessUnit, VideoConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Stream } from '../hub/stream.ts'

/** A picture that can be decoded on its own. */
export type KeyFrame = {
  config: VideoConfig
  /** NAL units without start codes. */
  nalUnits: readonly Uint8Array[]
  /** Wall ms. */
  takenAt: number
}

type LiveStream = Pick<Stream, 'state' | 'subscribe'>

export type LiveOptions = {
  find: (name: string) => LiveStream | undefined
  clock: Clock
}

/** The key frame of the GOP that is under way; undefined when the stream is away or its first one is still to come. */
export function newestKeyFrame(name: string, { find, clock }: LiveOptions): KeyFrame | undefined {
  const stream = find(name)
  if (stream?.state !== 'live') return undefined
  let found: KeyFrame | undefined
  const listener = {
    unit: (unit: AccessUnit) => {
      found ??= keyFrameOf(unit, clock)
    },
    end: () => undefined,
  }
  stream.subscribe(listener)[Symbol.dispose]()
  return found
}

const lookMs = 50

/** Waits for one: a camera that is connected because of it needs a second or two. */
export async function awaitKeyFrame(
  name: string,
  options: LiveOptions,
  giveUp: () => AppError | undefined,
): Promise<KeyFrame> {
  const { clock, find } = options
  const deadlineMs = clock.monotonicMs() + keyFrameWaitMs
  for (;;) {
    const found = newestKeyFrame(name, options)
    if (found) return found
    const failed = giveUp()
    if (failed) throw failed
    if (clock.monotonicMs() >= deadlineMs) throw noneCame(name, find(name)?.state === 'live')
    await clock.sleep(lookMs)
  }
}

function keyFrameOf(unit: AccessUnit, clock: Clock): KeyFrame | undefined {
  if (unit.config.track !== 'video' || !unit.randomAccess) return undefined
  const takenAt = Math.round(clock.nowMs() - (clock.monotonicMs() - unit.arrivalMs))
  return { config: unit.config, nalUnits: unit.nalUnits, takenAt }
}

function noneCame(name: string, isLive: boolean): AppError {
  if (!isLive) return offline(name)
  const seconds = keyFrameWaitMs / 1000
  return new AppError(
    'DeadlineExceeded',
    `${name} sent no key frame within ${seconds} s: set a shorter key frame interval on the camera`,
    { zh: `${name} 在 ${seconds} 秒内没有关键帧：请在摄像机上缩短关键帧间隔。` },
  )
}

export function offline(name: string): AppError {
  return new AppError('Unavailable', `${name} is offline: it sends no pictures now`, {
    zh: `${name} 已离线：当前没有画面。`,
  })
}
