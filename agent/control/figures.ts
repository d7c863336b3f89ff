import { AppError } from '../../shared/error.ts'
import type { Hub, HubEvent } from '../hub/hub.ts'
import type { SourceInfo } from '../ingest/sources.ts'
import type { DoorEvent } from '../listen/http.ts'
import type { RtmpDoorEvent } from '../listen/rtmp.ts'
import type { PlayFigures } from '../play/flv.ts'
import type { ForwardStatus } from '../play/rtmp-forwards.ts'
import { cameraFigures } from './camera-figures.ts'
import type { LoopDelay } from './health.ts'
import type { HookFigures } from './hook-queue.ts'
import { publishersByKind } from './live-stats.ts'
import { byLabel, type Metrics } from './metrics.ts'

type Sources = {
  hub: Pick<Hub, 'streams'>
  play: PlayFigures
  loop: LoopDelay
  /** Refused packets of phones, by reason. */
  refusedPackets?: () => Readonly<Record<string, number>>
  ring?: () => {
    usedBytes: number
    quotaBytes: number
    freeBytes: number
    segments: number
    queueBytes: number
    alarm?: string
    reach?: readonly { stream: string; from: number; to: number; bytes: number }[]
  }
  upload?: () => {
    pendingSegments: number
    pendingBytes: number
    /** For how long the oldest of them has waited. */
    lagMs: number
    /** Segments and recordings that the cloud will not have: a person is needed. */
    setAside: number
    isWell: boolean
  }
  hooks?: () => HookFigures
  forwards?: () => readonly ForwardStatus[]
  /** Cameras that are fetched from. */
  cameras?: () => readonly SourceInfo[]
  /** Connections of RTMP that ended, and units of RTMP publishers that were refused, by reason. */
  rtmp?: () => { ended: Readonly<Partial<Record<string, number>>>; refused: Readonly<Record<string, number>> }
}

/** The standard figures of an agent, read at each scrape. */
export function registerFigures(metrics: Metrics, sources: Sources): void {
  streamFigures(metrics, sources.hub)
  viewerFigures(metrics, sources.play)
  processFigures(metrics, sources.loop)
  const { refusedPackets, ring, upload, hooks, forwards, cameras, rtmp } = sources
  if (refusedPackets) {
    metrics.counterOf('edgereel_phone_refused_packets_total', 'Packets of phones that were refused', () =>
      byLabel('reason', Object.entries(refusedPackets())),
    )
  }
  if (ring) ringFigures(metrics, ring)
  if (hooks) hookFigures(metrics, hooks)
  if (forwards) forwardFigures(metrics, forwards)
  if (cameras) cameraFigures(metrics, cameras)
  if (rtmp) rtmpFigures(metrics, rtmp)
  if (upload) uploadFigures(metrics, upload)
}

/** Counters of what happens at the doors and in the hub: give them each event. */
export function eventCounters(metrics: Metrics): {
  door(event: DoorEvent | RtmpDoorEvent): void
  hub(event: HubEvent): void
} {
  const refused = metrics.counter(
    'edgereel_door_refused_total',
    'Requests that were refused, by door and status',
  )
  const guarded = metrics.counter(
    'edgereel_sockets_guarded_total',
    'WebSockets that a guard closed, by reason',
  )
  const hubEvents = metrics.counter('edgereel_hub_events_total', 'Publishers that came, went or were refused')
  return {
    door: (event) => {
      if (event.type === 'refused') refused.add({ door: event.door, status: String(statusOf(event)) })
      else if (event.type === 'socket-guard') guarded.add({ reason: event.reason })
    },
    hub: ({ type }) => hubEvents.add({ type }),
  }
}

/** RTMP has no status: that of the same refusal over HTTP. */
function statusOf(event: Extract<DoorEvent | RtmpDoorEvent, { type: 'refused' }>): number {
  return 'status' in event ? event.status : new AppError(event.reason, '').httpStatus
}

function streamFigures(metrics: Metrics, hub: Pick<Hub, 'streams'>): void {
  const perStream = (read: (stats: ReturnType<Hub['streams']>[number]['stats']) => number) => () =>
    byLabel(
      'stream',
      hub.streams().map((stream) => [stream.name, read(stream.stats)] as const),
    )
  metrics.gauge('edgereel_streams', 'Streams by state', () => {
    const live = hub.streams().filter(({ state }) => state === 'live').length
    return byLabel('state', [
      ['live', live],
      ['waiting', hub.streams().length - live],
    ])
  })
  metrics.gauge('edgereel_publishers', 'Streams that are published now, by kind', () =>
    byLabel('kind', Object.entries(publishersByKind(hub.streams()))),
  )
  metrics.counterOf(
    'edgereel_stream_units_total',
    'Pictures and audio frames received',
    perStream((s) => s.units),
  )
  metrics.counterOf(
    'edgereel_stream_bytes_total',
    'Bytes of media received',
    perStream((s) => s.bytes),
  )
  metrics.counterOf(
    'edgereel_stream_gaps_total',
    'Gaps that sources reported',
    perStream((s) => s.gaps),
  )
  metrics.gauge(
    'edgereel_stream_bits_per_second',
    'Bits per second',
    perStream((s) => Math.round(s.bitsPerSecond)),
  )
  metrics.gauge(
    'edgereel_stream_fps',
    'Pictures per second',
    perStream((s) => s.fps),
  )
  metrics.gauge(
    'edgereel_stream_key_frame_interval_seconds',
    'Between the last two key frames',
    perStream((s) => (s.keyFrameMs ?? 0) / 1000),
  )
  metrics.gauge(
    'edgereel_stream_viewers',
    'Viewers of a stream',
    perStream((s) => s.viewers),
  )
}

function viewerFigures(metrics: Metrics, play: PlayFigures): void {
  metrics.gauge('edgereel_viewers', 'Viewers by transport', () =>
    byLabel('transport', Object.entries(play.viewers)),
  )
  metrics.counterOf('edgereel_viewer_bytes_total', 'Bytes handed to viewers', () => play.bytes)
  metrics.counterOf(
    'edgereel_viewer_skips_total',
    'Times that a slow viewer skipped to a key frame',
    () => play.skips,
  )
  metrics.counterOf(
    'edgereel_viewer_skipped_bytes_total',
    'Bytes that slow viewers missed',
    () => play.skippedBytes,
  )
  metrics.counterOf('edgereel_viewers_ended_total', 'Viewers that left, by reason', () =>
    byLabel('reason', Object.entries(play.ended)),
  )
}

function forwardFigures(metrics: Metrics, forwards: NonNullable<Sources['forwards']>): void {
  const states = ['waiting', 'connecting', 'live'] as const
  metrics.gauge('edgereel_forwards', 'Streams that are pushed on, by state of the connection', () =>
    byLabel(
      'state',
      states.map((wanted) => [wanted, forwards().filter(({ state }) => state === wanted).length] as const),
    ),
  )
  const perForward = (read: (status: ForwardStatus) => number) => () =>
    forwards().map((status) => {
      const { stream, target } = status
      return { labels: { stream, target }, value: read(status) }
    })
  metrics.counterOf(
    'edgereel_forward_bytes_total',
    'Bytes that were pushed on',
    perForward(({ bytes }) => bytes),
  )
  metrics.counterOf(
    'edgereel_forward_skips_total',
    'Times that a slow server made a forward skip to a key frame',
    perForward(({ skips }) => skips),
  )
  metrics.counterOf(
    'edgereel_forward_failures_total',
    'Connections of forwards that failed or were cut',
    perForward(({ failures }) => failures),
  )
}

function rtmpFigures(metrics: Metrics, rtmp: NonNullable<Sources['rtmp']>): void {
  metrics.counterOf('edgereel_rtmp_ended_total', 'RTMP connections that ended, by reason', () =>
    byLabel(
      'reason',
      Object.entries(rtmp().ended).map(([reason, count = 0]) => [reason, count] as const),
    ),
  )
  metrics.counterOf('edgereel_rtmp_refused_units_total', 'Units of RTMP publishers that were refused', () =>
    byLabel('reason', Object.entries(rtmp().refused)),
  )
}

function hookFigures(metrics: Metrics, hooks: () => HookFigures): void {
  metrics.gauge('edgereel_hooks_queued', 'Messages of hooks that wait', () => hooks().queued)
  metrics.counterOf('edgereel_hooks_total', 'Messages of hooks, by what became of them', () => {
    const { delivered, failed, dropped } = hooks()
    return byLabel('result', Object.entries({ delivered, failed, dropped }))
  })
}

function uploadFigures(metrics: Metrics, upload: NonNullable<Sources['upload']>): void {
  metrics.gauge(
    'edgereel_upload_pending_segments',
    'Segments that wait for upload',
    () => upload().pendingSegments,
  )
  metrics.gauge('edgereel_upload_pending_bytes', 'Bytes that wait for upload', () => upload().pendingBytes)
  metrics.gauge(
    'edgereel_upload_lag_seconds',
    'For how long the oldest picture that waits for upload has waited',
    () => upload().lagMs / 1000,
  )
  metrics.gauge(
    'edgereel_upload_set_aside',
    'Segments and recordings that the cloud will not have',
    () => upload().setAside,
  )
  metrics.gauge('edgereel_upload_well', 'Uploads: 1 while the cloud takes them, otherwise 0', () =>
    upload().isWell ? 1 : 0,
  )
}

function ringFigures(metrics: Metrics, ring: NonNullable<Sources['ring']>): void {
  metrics.gauge('edgereel_ring_used_bytes', 'Bytes of the ring on the disk', () => ring().usedBytes)
  metrics.gauge('edgereel_ring_quota_bytes', 'Bytes that the ring may use', () => ring().quotaBytes)
  metrics.gauge('edgereel_disk_free_bytes', 'Free bytes of the disk', () => ring().freeBytes)
  metrics.gauge('edgereel_disk_alarm', 'The disk: 0, or 1 while something is wrong with it', () =>
    ring().alarm === undefined ? 0 : 1,
  )
  metrics.gauge('edgereel_ring_stream_seconds', 'How far back the ring reaches', () =>
    byLabel(
      'stream',
      (ring().reach ?? []).map(({ stream, from, to }) => [stream, (to - from) / 1000] as const),
    ),
  )
  metrics.gauge('edgereel_ring_stream_bytes', 'Bytes of a stream in the ring', () =>
    byLabel(
      'stream',
      (ring().reach ?? []).map(({ stream, bytes }) => [stream, bytes] as const),
    ),
  )
  metrics.gauge('edgereel_ring_segments', 'Segments in the ring', () => ring().segments)
  metrics.gauge(
    'edgereel_ring_queue_bytes',
    'Bytes that wait for the storage worker',
    () => ring().queueBytes,
  )
}

function processFigures(metrics: Metrics, loop: LoopDelay): void {
  metrics.counterOf('process_cpu_seconds_total', 'CPU time, user and system', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss())
  metrics.gauge('edgereel_event_loop_delay_seconds', 'How late the event loop runs', () => [
    { labels: { share: '0.99' }, value: loop.p99Ms() / 1000 },
    { labels: { share: '1' }, value: loop.maxMs() / 1000 },
  ])
}
