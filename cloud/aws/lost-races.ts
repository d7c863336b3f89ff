import { awsRowTriesMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'

/** Nobody's condition was broken: it is to be tried again. */
export class LostRace extends AppError {
  constructor(cause: unknown) {
    super('Aborted', 'Others wrote the same rows at the same moment.', { cause })
  }
}

const backoff = { baseMs: 20, maxMs: 1000 } // A write takes 5 to 10 ms.

/** For writes whose caller set no condition: a lost race is nothing to them. */
export async function againAfterRaces<T>(clock: Pick<Clock, 'sleep'>, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof LostRace) || attempt >= awsRowTriesMax) throw error
      await clock.sleep(backoffMs(attempt, backoff))
    }
  }
}
