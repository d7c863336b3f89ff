import { AppError } from '../../shared/error.ts'
import { phoneBitrateMbMax, phoneFpsMax, phoneRatioMax } from '../../shared/limits.ts'
import type { CaptureOptions } from './phone-text.ts'

const bitrateMbDefault = 4
const fpsDefault = 10

/** `start` as the terminal, the command line and the API give it. */
export type StartRequest = {
  width?: number | undefined
  height?: number | undefined
  bitrateMb?: number | undefined
  fps?: number | undefined
}

/**
 * Applies the defaults: 4 Mbit/s, 10 pictures a second (a negative number means 10, 0 without limit), no aspect
 * ratio unless both sides are given. Throws `InvalidArgument` for anything a phone cannot do.
 */
export function captureOptions({ width, height, bitrateMb, fps }: StartRequest): CaptureOptions {
  if ((width === undefined) !== (height === undefined)) {
    throw wrong('Give both width and height of the aspect ratio, or neither.', '宽和高须同时给出，或都不给。')
  }
  const options = {
    bitrateMb: within(
      bitrateMb ?? bitrateMbDefault,
      1,
      phoneBitrateMbMax,
      'bit rate in Mbit/s',
      '码率（Mbit/s）',
    ),
    fps: within(fps === undefined || fps < 0 ? fpsDefault : fps, 0, phoneFpsMax, 'frame rate', '帧率'),
  }
  if (width === undefined || height === undefined) return options
  const aspectRatio = {
    width: within(width, 1, phoneRatioMax, 'width of the aspect ratio', '画面比例的宽'),
    height: within(height, 1, phoneRatioMax, 'height of the aspect ratio', '画面比例的高'),
  }
  return { ...options, aspectRatio }
}

/** Reads `[w:h] [Mb] [fps]`, each part optional: `16:9 4 30`, `4 30`, `8`, or nothing. The defaults are filled in. */
export function parseStartArguments(text: string): CaptureOptions {
  const words = text.split(/\s+/).filter((word) => word !== '')
  const ratio = words[0]?.includes(':') ? words.shift()?.split(':') : undefined
  if (words.length > 2 || (ratio && ratio.length !== 2)) throw wrong(usage.en, usage.zh)
  const [bitrateMb, fps] = words.map(integer)
  const [width, height] = ratio?.map(integer) ?? []
  return captureOptions({ width, height, bitrateMb, fps })
}

const usage = {
  en: 'Use: start [width:height] [Mbit/s] [pictures a second], for example start 16:9 4 30.',
  zh: '用法：start [宽:高] [码率 Mbit/s] [帧率]，例如 start 16:9 4 30。',
}

function integer(word: string): number {
  if (!/^[+-]?\d{1,9}$/.test(word)) throw wrong(usage.en, usage.zh)
  return Number(word)
}

function within(value: number, min: number, max: number, what: string, whatZh: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw wrong(
    `The ${what} must be a whole number from ${min} to ${max}.`,
    `${whatZh}须为 ${min} 到 ${max} 的整数。`,
  )
}

function wrong(en: string, zh: string): AppError {
  return new AppError('InvalidArgument', en, { zh })
}
