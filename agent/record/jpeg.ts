import { AppError } from '../../shared/error.ts'
import {
  snapshotBytesMax,
  snapshotQueueMax,
  snapshotsAtOnceMax,
  snapshotTimeoutMs,
} from '../../shared/limits.ts'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { isWholeJpeg } from '../../shared/media/jpeg.ts'
import { runFfmpeg } from '../../shared/node/ffmpeg.ts'
import type { KeyFrame } from './key-frame.ts'

const startCode = Uint8Array.of(0, 0, 0, 1)
const formats: Partial<Record<VideoConfig['codec'], string>> = { h264: 'h264', h265: 'hevc' }
const turns: Record<VideoConfig['rotation'], string[]> = {
  0: [],
  90: ['-vf', 'transpose=clock'],
  180: ['-vf', 'hflip,vflip'],
  270: ['-vf', 'transpose=cclock'],
}

export type ToJpeg = (frame: KeyFrame) => Promise<Uint8Array>

/** JPEGs by FFmpeg: a few at once, a bounded number that wait, and no address ever. */
export function createToJpeg(findFfmpeg: () => Promise<string | undefined>): ToJpeg {
  const turn = new Turns(snapshotsAtOnceMax, snapshotQueueMax)
  return async (frame) => {
    const format = formats[frame.config.codec]
    if (format === undefined) throw noStills(frame.config.codec)
    const bin = await findFfmpeg()
    if (bin === undefined) throw missing()
    using _ = await turn.take()
    const jpeg = await runFfmpeg({
      bin,
      args: [
        ...['-flags2', 'showall', '-f', format, '-i', 'pipe:0', '-an', ...turns[frame.config.rotation]],
        ...['-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '3', '-f', 'image2pipe', 'pipe:1'],
      ],
      input: annexB([...frame.config.parameterSets, ...frame.nalUnits]),
      timeoutMs: snapshotTimeoutMs,
      maxOutputBytes: snapshotBytesMax,
      signal: new AbortController().signal, // Others may wait for it too; it is bounded in time.
    })
    if (!isWholeJpeg(jpeg)) throw undecodable()
    return jpeg
  }
}

function annexB(nalUnits: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(nalUnits.flatMap((nal) => [startCode, nal]))
}

/** At most `most` at once; beyond `waitingMax` that wait nobody is let in. */
class Turns {
  readonly #most: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(most: number, waitingMax: number) {
    this.#most = most
    this.#waitingMax = waitingMax
  }

  async take(): Promise<Disposable> {
    if (this.#taken < this.#most) this.#taken += 1
    else {
      if (this.#waiting.length >= this.#waitingMax) throw tooMany()
      const turn = Promise.withResolvers<void>()
      this.#waiting.push(turn.resolve)
      await turn.promise
    }
    return { [Symbol.dispose]: () => this.#leave() }
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next)
      next() // The place goes from hand to hand.
    else this.#taken -= 1
  }
}

function missing(): AppError {
  return new AppError(
    'FailedPrecondition',
    'a still needs FFmpeg, and it is not found: install it or set FFMPEG_BIN',
    { zh: '截图需要 FFmpeg，但未找到：请安装或设置 FFMPEG_BIN。' },
  )
}

function noStills(codec: string): AppError {
  return new AppError('FailedPrecondition', `no stills are made of ${codec}`, {
    zh: `不支持 ${codec} 的截图。`,
  })
}

function tooMany(): AppError {
  return new AppError('ResourceExhausted', 'too many stills are asked for at once; ask again in a second', {
    zh: '同时请求的截图过多，请稍后再试。',
  })
}

function undecodable(): AppError {
  return new AppError('DataLoss', 'this key frame cannot be decoded', { zh: '该关键帧无法解码。' })
}
