import { AppError } from '../../shared/error.ts'

const wallMsMax = Date.UTC(9999, 11, 31) // ISO dates of five-digit years do not sort by bytes.

/** `2026-03-01T12:00:00.000Z`: sorts by bytes as by time. Times outside of 1970 to 9999 are refused. */
export function timeKey(wallMs: number): string {
  if (!(wallMs >= 0 && wallMs <= wallMsMax)) {
    throw new AppError('InvalidArgument', `The time ${wallMs} is not between the years 1970 and 9999.`)
  }
  return new Date(wallMs).toISOString()
}

export const dayKey = (wallMs: number): string => timeKey(wallMs).slice(0, 10)
export const monthKey = (wallMs: number): string => timeKey(wallMs).slice(0, 7)

/** Brings a time from a wire into the range that keys can hold. */
export function clampWallMs(wallMs: number): number {
  return Math.min(Math.max(Math.trunc(wallMs), 0), wallMsMax)
}

export const dayMs = 86_400_000

/** UTC days that touch [from, to], oldest first. */
export function daysBetween(from: number, to: number): string[] {
  const days: string[] = []
  for (let day = Math.floor(from / dayMs); day <= Math.floor(to / dayMs); day += 1)
    days.push(dayKey(day * dayMs))
  return days
}

/** Partitions of GSI2, sparse: what is unfinished, failed, or due later. Sort key: a time, then the row's own keys. */
export const work = {
  open: 'W#open',
  failed: 'W#failed',
  /** Raw objects to delete; the sort key begins with the time when they are due. */
  expire: 'W#expire',
  /** Deleted recordings whose bytes are to go. */
  purge: 'W#purge',
  /** Objects below a prefix that are to go. */
  prefixes: 'W#prefixes',
  /** Closed recordings of one agent that wait for segments. */
  waiting: (agent: string) => `W#waiting#${agent}`,
}

export function workKey(dueWallMs: number, pk: string, sk: string): string {
  return `${timeKey(dueWallMs)}#${pk}#${sk}`
}
