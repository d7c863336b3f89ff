import { AppError } from '../../shared/error.ts'
import { cameraSilenceMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'

/** The same bytes; `Unavailable` when the next ones do not come. How long the reader takes between does not count. */
export async function* patientBytes(
  bytes: AsyncIterable<Uint8Array>,
  clock: Clock,
  silenceMs = cameraSilenceMs,
): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await inTime(iterator.next(), clock, silenceMs)
      if (next.done) return
      yield next.value
    }
  } finally {
    // Not awaited: one that gives nothing does not answer this either.
    iterator.return?.().catch(() => undefined)
  }
}

async function inTime<T>(work: Promise<T>, clock: Clock, ms: number): Promise<T> {
  const over = new AbortController()
  const late = clock.sleep(ms, over.signal).then(() => {
    throw new AppError(
      'Unavailable',
      `the camera is connected but sent nothing for ${Math.round(ms / 1000)} s`,
      {
        zh: `摄像机已连接，但 ${Math.round(ms / 1000)} 秒内没有数据。`,
      },
    )
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
