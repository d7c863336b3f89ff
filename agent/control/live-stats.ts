import type { AgentStats } from '../../shared/contract/agent-api.ts'
import type { PlayFigures } from '../play/flv.ts'
import type { ForwardStatus } from '../play/rtmp-forwards.ts'
import type { HookFigures } from './hook-queue.ts'
import type { Histogram, Metrics } from './metrics.ts'

type LiveSources = {
  hub: { streams(): { kind: string; state: 'live' | 'waiting' }[] }
  play: PlayFigures
  times: LiveTimes
  hooks: () => HookFigures
  forwards: () => ForwardStatus[]
  /** Open, whatever they do. */
  rtmpConnections: () => number
  /** Open streams of gRPC clients. */
  grpcViewers: () => number
}

/** `live` of `GET /agent/v1/stats`. */
export function liveStats(sources: LiveSources): NonNullable<AgentStats['live']> {
  const { hub, play, times, hooks, forwards, rtmpConnections, grpcViewers } = sources
  const { viewers, bytes, skips, skippedBytes, ended } = play
  return {
    publishers: publishersByKind(hub.streams()),
    viewers: { ...viewers, grpc: grpcViewers() },
    rtmpConnections: rtmpConnections(),
    ...{ bytes, skips, skippedBytes },
    ended: { ...ended },
    latencyMs: times.latency.summary(),
    joinMs: times.join.summary(),
    hooks: hooks(),
    forwards: forwards(),
  }
}

export function publishersByKind(
  streams: readonly { kind: string; state: 'live' | 'waiting' }[],
): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind, state } of streams) if (state === 'live') counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

// From what a loopback takes over the 33 and 40 ms of a picture to the ten seconds that a viewer waits at most.
const boundsMs = [0.25, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** A histogram that is fed in milliseconds and shown to Prometheus in seconds. */
class Times {
  readonly #histogram: Histogram

  constructor(metrics: Metrics, name: string, help: string) {
    this.#histogram = metrics.histogram(
      name,
      help,
      boundsMs.map((ms) => ms / 1000),
    )
  }

  observe(ms: number, count = 1): void {
    this.#histogram.observe(ms / 1000, count)
  }

  /** Upper bounds of the buckets in which the quantiles lie, since the start of the agent. */
  summary(): { p50: number; p99: number } {
    const ms = (share: number) => Math.round(this.#histogram.quantile(share) * 1e5) / 100
    return { p50: ms(0.5), p99: ms(0.99) }
  }
}

export type LiveTimes = { latency: Times; join: Times }

/** How live it is. */
export function liveTimes(metrics: Metrics): LiveTimes {
  const latency = 'From the arrival of a unit until it is with a viewer’s socket'
  const join = 'From a viewer’s arrival until its first key frame is with its socket'
  return {
    latency: new Times(metrics, 'edgereel_viewer_latency_seconds', latency),
    join: new Times(metrics, 'edgereel_viewer_join_seconds', join),
  }
}
