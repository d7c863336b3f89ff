import type { Clock } from '../../shared/node/clock.ts'
import type { Hub } from '../hub/hub.ts'
import type { SourceInfo } from '../ingest/sources.ts'
import type { GrpcFigures } from './grpc/media-service.ts'
import { byLabel, type Metrics } from './metrics.ts'

/** How cameras that are fetched from stand. */
export function cameraFigures(metrics: Metrics, cameras: () => readonly SourceInfo[]): void {
  metrics.gauge(
    'edgereel_camera_live',
    'Cameras that are wanted: 1 while they give pictures, otherwise 0',
    () =>
      byLabel(
        'stream',
        cameras()
          .filter(({ status }) => status.state !== 'idle')
          .map(({ name, status }) => [name, status.state === 'live' ? 1 : 0] as const),
      ),
  )
  metrics.counterOf(
    'edgereel_camera_failures_total',
    'Connections to cameras that ended without being asked to',
    () =>
      byLabel(
        'stream',
        cameras().map(({ name, status }) => [name, status.failures] as const),
      ),
  )
}

/**
 * Streams that are to be recorded and send nothing: what to alarm about. A stream that sends, or is not to be recorded
 * now, is 0 or absent.
 */
export function silenceFigures(
  metrics: Metrics,
  parts: {
    recorders: { wanted(): readonly { stream: string; since: number }[] }
    hub: Pick<Hub, 'stream'>
    clock: Clock
  },
): void {
  const { recorders, hub, clock } = parts
  const silentS = (stream: string, since: number) => {
    const lastMs = Math.max(since, hub.stream(stream)?.stats.lastUnitAt ?? since)
    return Math.max(0, clock.nowMs() - lastMs) / 1000
  }
  metrics.gauge(
    'edgereel_recording_silent_seconds',
    'For how long a stream that is to be recorded now has sent nothing',
    () =>
      byLabel(
        'stream',
        recorders.wanted().map(({ stream, since }) => [stream, silentS(stream, since)] as const),
      ),
  )
}

/** From the arrival of a unit until it is with a gRPC client's connection, by stream. */
export function grpcTimes(metrics: Metrics): { observe(stream: string, ms: number): void } {
  const seconds = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.1, 1]
  const help = 'From the arrival of a unit until it is with the connection of a gRPC client'
  const histograms = metrics.histograms('edgereel_grpc_latency_seconds', help, seconds)
  return { observe: (stream, ms) => histograms.of({ stream }).observe(ms / 1000) }
}

/** Calls and open streams of gRPC clients. */
export function grpcFigures(metrics: Metrics, figures: GrpcFigures): void {
  metrics.gauge('edgereel_grpc_streams', 'Open streams of gRPC clients', () => figures.streams)
  metrics.gauge(
    'edgereel_grpc_queued_units',
    'Pictures and audio frames that wait for slow gRPC clients',
    () => figures.queuedUnits,
  )
  metrics.counterOf('edgereel_grpc_calls_total', 'Calls by the code of their answer', () =>
    byLabel('code', Object.entries(figures.calls)),
  )
  metrics.counterOf('edgereel_grpc_bytes_total', 'Bytes of media handed to gRPC clients', () => figures.bytes)
  metrics.counterOf(
    'edgereel_grpc_dropped_units_total',
    'Pictures and audio frames that slow gRPC clients missed',
    () => figures.droppedUnits,
  )
  metrics.counterOf('edgereel_grpc_ended_total', 'Open streams of gRPC clients that ended, by reason', () =>
    byLabel('reason', Object.entries(figures.ended)),
  )
}
