import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import { allowedPhones } from '../control/allowed-phones.ts'
import { eventCounters } from '../control/figures.ts'
import { liveTimes } from '../control/live-stats.ts'
import { Metrics } from '../control/metrics.ts'
import { createHub, type Hub, type HubEvent } from '../hub/hub.ts'
import { byteSourceMakers } from '../ingest/byte-source-makers.ts'
import { createCameraGuard } from '../ingest/camera-guard.ts'
import { sourceOpener } from '../ingest/open-source.ts'
import { PhoneBroadcast } from '../ingest/phone-broadcast.ts'
import { Phones } from '../ingest/phones.ts'
import { createRtmpIngest } from '../ingest/rtmp.ts'
import { Sources } from '../ingest/sources.ts'
import { createFlvPlay } from '../play/flv.ts'
import { createForwards, type Forwards } from '../play/rtmp-forwards.ts'
import { startVehicles } from '../start-vehicles.ts'
import { tell } from '../tell.ts'
import type { Kept } from './keep.ts'
import type { AgentOptions } from './options.ts'

export type Live = Awaited<ReturnType<typeof startLive>>

/** Sources, the hub where their units are handed over, and viewers. */
export async function startLive(stack: AsyncDisposableStack, given: AgentOptions, kept: Kept) {
  const { config, clock, log } = given
  const { file, recorders, recordings, hooks } = kept
  const say = tell(log)
  const metrics = new Metrics()
  const counters = eventCounters(metrics)
  const times = liveTimes(metrics)
  const onEvent = (event: HubEvent) => {
    counters.hub(event)
    hooks.hub(event)
    say.hub(event)
    const stream = event.type === 'published' ? hub.stream(event.stream) : undefined
    if (stream) forwards.published(stream)
  }
  const hub = stack.use(
    createHub({
      ...{ openSink: (stream) => recorders.open(stream), clock, onEvent },
      onViewers: (stream, viewers) => cameras.sources.setWatched(stream, viewers > 0),
    }),
  )
  const cameras = startCameras(stack, given, hub)
  recorders.onClaimed((stream, claims) => cameras.sources.setClaimed(stream, claims > 0))
  const play = stack.use(
    createFlvPlay({
      findStream: cameras.findStream,
      clock,
      onViewer: hooks.viewer,
      timing: times,
      mergeMs: config.live.mergeMs,
    }),
  )
  const targets = Object.entries(config.streams).map(([stream, { forward }]) => [stream, forward])
  const forwards: Forwards = stack.use(
    createForwards({ targets: Object.fromEntries(targets), clock, onEvent: say.forward }),
  )
  const rtmpIngest = createRtmpIngest({ hub, clock })
  const hasPolicy = (stream: string) =>
    Object.hasOwn(config.streams, stream) || Object.hasOwn(file.record.streams ?? {}, stream)
  const vehicleIngest = startVehicles(given, { hub, recorders, hasPolicy, onData: hooks.vehicleData })
  const phones = stack.use(
    new Phones({
      clock,
      hub,
      recordings,
      allowWithoutToken: config.phones.allowWithoutToken,
      allowed: allowedPhones(file, clock),
      onRoundTrip: (stream, ms) => recorders.roundTrip(stream, ms),
      onEvent: say.phone,
    }),
  )
  const broadcast = new PhoneBroadcast({ clock, phones: () => phones.connected() })
  recordings.onStop((recording) => phones.recordingStopped(recording.id))
  phones.resume(await recordings.resume())
  return {
    hub,
    ...cameras,
    play,
    forwards,
    rtmpIngest,
    vehicleIngest,
    phones,
    broadcast,
    metrics,
    times,
    counters,
  }
}

/** Cameras that are fetched from, while they are wanted. */
function startCameras(stack: AsyncDisposableStack, { config, clock, log }: AgentOptions, hub: Hub) {
  const { allow, files } = config.cameras
  const ownPorts: number[] = []
  const guard = createCameraGuard({ allow, ownPorts: () => ownPorts })
  const makers = byteSourceMakers({ guard, clock, files, findFfmpeg })
  const open = sourceOpener({ guard, clock }, makers)
  const sources = stack.use(new Sources({ hub, clock, open, onEvent: tell(log).source }))
  /** A stream whose camera is not connected yet is one too: whoever waits for it wants it. */
  const findStream = (name: string) => {
    const known = sources.nameOf(name)
    return known === undefined ? hub.stream(name) : hub.expect(known)
  }
  return { sources, findStream, ownPorts, guard }
}
