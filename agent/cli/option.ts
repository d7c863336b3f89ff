import { parseTime, type TimeText, timeText } from '../../shared/contract/agent-api.ts'
import { printable } from './output.ts'
import { failure } from './words.ts'

/** Values of options as people type them. Each throws `InvalidArgument` with what would be right. */

export const timeForms = '2026-11-20T14:03:22, 2026-11-20, ms since the epoch, or -30s, -5m, -2h'

/** A time in one of `timeForms`, of this machine's zone where it names none; a relative one stays relative. */
export function timeOption(option: string, text: string): TimeText {
  if (/^\d{10,16}$/.test(text)) return Number(text)
  const relative = timeText.safeParse(text)
  if (relative.success) return relative.data
  const wallMs = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text)
  if (/^\d{4}-\d\d-\d\d/.test(text) && wallMs >= 0) return wallMs
  throw failure('InvalidArgument', {
    en: `${option} ${printable(text)} is no time: give ${timeForms}`,
    zh: `${option} ${printable(text)} 不是时间：请用 ${timeForms}`,
  })
}

/** The same as wall ms, for servers that know no relative times. */
export function wallMsOption(option: string, text: string, nowMs: number): number {
  return parseTime(timeOption(option, text), nowMs)
}

/** Seconds above 0. */
export function secondsOption(option: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw failure('InvalidArgument', {
    en: `${option} ${printable(text)}: give a number of seconds above 0`,
    zh: `${option} ${printable(text)}：请给出大于 0 的秒数`,
  })
}

/** A whole number within bounds. */
export function wholeOption(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw failure('InvalidArgument', {
    en: `${option} is a whole number from ${min} to ${max}`,
    zh: `${option} 应为 ${min} 到 ${max} 的整数`,
  })
}
