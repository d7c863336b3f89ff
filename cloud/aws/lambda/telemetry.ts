import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { AppError } from '../../../shared/error.ts'
import { reasonOf } from '../../jobs/reason.ts'

const namespace = 'edgereel'

export type Telemetry = {
  logger: Logger
  /** One unit of work ended. */
  done(startedMs: number, nowMs: number): void
  failed(error: AppError, final: boolean, fields: Record<string, unknown>): void
  /** To be called once at the end of each invocation: metrics leave as one log line (EMF). */
  flush(): void
}

/** Log lines and metrics of one function. Metrics: `Done`, `Retried`, `FailedForEver` (counts), `DurationMs`. */
export function telemetryOf(service: string): Telemetry {
  const logger = new Logger({ serviceName: service })
  const metrics = new Metrics({ namespace, serviceName: service })
  return {
    logger,
    done(startedMs, nowMs) {
      metrics.addMetric('Done', MetricUnit.Count, 1)
      metrics.addMetric('DurationMs', MetricUnit.Milliseconds, nowMs - startedMs)
    },
    failed(error, final, fields) {
      metrics.addMetric(final ? 'FailedForEver' : 'Retried', MetricUnit.Count, 1)
      const line = { ...fields, error, kind: error.kind, reason: reasonOf(error) }
      if (final) logger.error('A job failed for ever; its message is a dead letter.', line)
      else logger.warn('A job failed and is tried again.', line)
    },
    flush() {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
    },
  }
}
