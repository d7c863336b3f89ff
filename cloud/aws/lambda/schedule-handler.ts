import type { Context } from 'aws-lambda'
import { AppError } from '../../../shared/error.ts'
import type { JobPorts } from '../../jobs/job-ports.ts'
import { remainingTime } from './remaining-time.ts'
import { telemetryOf } from './telemetry.ts'

/** Runs a job that a schedule wakes. Out of time is no failure: the next run goes on where this one ended. */
export function scheduleHandler(
  name: string,
  ports: JobPorts,
  run: (ports: JobPorts, signal: AbortSignal) => Promise<unknown>,
) {
  const telemetry = telemetryOf(name)
  return async (_event: unknown, context: Context): Promise<void> => {
    telemetry.logger.addContext(context)
    const startedMs = ports.clock.monotonicMs()
    using time = remainingTime(context)
    try {
      const result = await run(ports, time.signal)
      telemetry.logger.info('done', { result: JSON.stringify(result) })
      telemetry.done(startedMs, ports.clock.monotonicMs())
    } catch (cause) {
      telemetry.failed(AppError.from(cause), false, {})
      if (!time.signal.aborted) throw cause
    } finally {
      telemetry.flush()
    }
  }
}
