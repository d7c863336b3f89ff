import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'

/** Waits until so many bytes may go out. One for all uploads of an agent: they share the line. */
export type Pace = {
  take(bytes: number, signal: AbortSignal): Promise<void>
  readonly chunkBytes: number
  /** Another cap, from the next piece on. */
  set(bytesPerS: number | null): void
}

const chunkBytesMax = 256 * 1024 // One message of the storage worker.
const bytesPerSMin = 1000 // Below, a segment of 16 MB takes five hours: a mistake of units.

/** `bytesPerS` null: no cap. */
export function createPace(bytesPerS: number | null, clock: Clock): Pace {
  let rate = checkRate(bytesPerS)
  let freeAtMs = clock.monotonicMs()
  return {
    get chunkBytes() {
      // A slow line still sends something every second: the idle timer stays quiet.
      return rate === null ? chunkBytesMax : Math.min(chunkBytesMax, Math.ceil(rate))
    },
    set(next) {
      rate = checkRate(next)
      freeAtMs = clock.monotonicMs()
    },
    async take(bytes, signal) {
      if (rate === null) return
      const nowMs = clock.monotonicMs()
      const startMs = Math.max(freeAtMs, nowMs)
      freeAtMs = startMs + (bytes / rate) * 1000
      if (startMs > nowMs) await clock.sleep(startMs - nowMs, signal)
    },
  }
}

function checkRate(bytesPerS: number | null): number | null {
  if (bytesPerS !== null && bytesPerS < bytesPerSMin) {
    throw new AppError('InvalidArgument', `cloud.bandwidth: ${bytesPerS} bytes/s is too little; write 1MB.`, {
      zh: `cloud.bandwidth：每秒 ${bytesPerS} 字节过小，例如 1MB。`,
    })
  }
  return bytesPerS
}

export type Hours = { fromMinute: number; toMinute: number }

/** `22:00-06:00`, the machine's local time; it may pass midnight. */
export function parseHours(text: string): Hours {
  const match = /^(\d\d):([0-5]\d)-(\d\d):([0-5]\d)$/.exec(text)
  const minute = (h: number, m: number) => Number(match?.[h]) * 60 + Number(match?.[m])
  const hours = { fromMinute: minute(1, 2), toMinute: minute(3, 4) }
  if (hours.fromMinute < 1440 && hours.toMinute <= 1440 && hours.fromMinute !== hours.toMinute) return hours
  throw new AppError('InvalidArgument', `cloud.hours: "${text}" is not a time of day; write 22:00-06:00.`, {
    zh: `cloud.hours："${text}" 不是有效时段，例如 22:00-06:00。`,
  })
}

export function withinHours(hours: Hours | null, nowMs: number): boolean {
  if (!hours) return true
  const now = new Date(nowMs)
  const minute = now.getHours() * 60 + now.getMinutes()
  const { fromMinute, toMinute } = hours
  if (fromMinute < toMinute) return minute >= fromMinute && minute < toMinute
  return minute >= fromMinute || minute < toMinute
}
