import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import { allowedPhones } from '../control/allowed-phones.ts'
import { eventCounters } from '../control/figures.ts'
import { liveTimes } from '../control/live-stats.ts'
import { Metrics } from '../control/metrics.ts'
import { soundFigures } from '../control/sound-figures.ts'
import { createHub, type Hub, type HubEvent } from '../hub/hub.ts'
import { byteSourceMakers } from '../ingest/byte-source-makers.ts'
import { createCameraGuard } from '../ingest/camera-guard.ts'
import { sourceOpener } from '../ingest/open-source.ts'
import { PhoneBroadcast } from '../ingest/phone-broadcast.ts'
import { Phones } from '../ingest/phones.ts'
import { createRtmpIngest, type PublishHub } from '../ingest/rtmp.ts'
import { Sources } from '../ingest/sources.ts'
import { LiveSessions } from '../live-sessions.ts'
import { type AacSound, createAacSound } from '../play/audio-aac.ts'
import { createFlvPlay, type FlvPlay, type PlayStream, type ViewerEvent } from '../play/flv.ts'
import type { LiveTiming } from '../play/flv-feed.ts'
import { createForwards, type Forwards } from '../play/rtmp-forwards.ts'
import { ViewerWorkers } from '../play/viewer-workers.ts'
import { tell } from '../tell.ts'
import type { Kept } from './keep.ts'
import type { AgentOptions } from './options.ts'
import { startVehicleCalls, type VehicleWants } from './vehicle-commands.ts'
import { startSrsPushes } from './vehicle-doors.ts'
import { startVehicles } from './vehicles.ts'

export type Live = Awaited<ReturnType<typeof startLive>>

/** Sources, the hub where their units are handed over, and viewers. */
export async function startLive(stack: AsyncDisposableStack, given: AgentOptions, kept: Kept) {
  const { config, clock, log } = given
  const { recorders, hooks } = kept
  const say = tell(log)
  const metrics = new Metrics()
  const counters = eventCounters(metrics)
  const times = liveTimes(metrics)
  const sessions = new LiveSessions(clock)
  const onEvent = (event: HubEvent) => {
    counters.hub(event)
    hooks.hub(event)
    sessions.hub(event)
    say.hub(event)
    const stream = event.type === 'published' ? hub.stream(event.stream) : undefined
    if (!stream) return
    forwards.published(stream)
    pushes?.published(stream)
  }
  const hub = stack.use(
    createHub({
      ...{ openSink: (stream) => recorders.open(stream), clock, onEvent },
      onViewers: (stream, viewers) => {
        cameras.sources.setWatched(stream, viewers > 0)
        wants.watched(stream, viewers)
      },
    }),
  )
  const cameras = startCameras(stack, given, hub)
  const { vehicleIngest, wants } = startWantedVehicles(stack, given, { ...kept, hub })
  recorders.onClaimed((stream, claims) => {
    cameras.sources.setClaimed(stream, claims > 0)
    wants.claimed(stream, claims)
  })
  const sound = stack.use(await createAacSound({ find: findFfmpeg, clock, onEvent: say.sound }))
  soundFigures(metrics, sound.figures)
  const findStream = (name: string) => cameras.findStream(name) ?? wants.findStream(name)
  const { play, workers } = startPlay(stack, given, {
    ...{ hooks, sessions, findStream, waitMs: wants.waitMs, times, counters, sound },
  })
  const targets = Object.entries(config.streams).map(([stream, { forward }]) => [stream, forward])
  const forwards: Forwards = stack.use(
    createForwards({ targets: Object.fromEntries(targets), clock, sound, onEvent: say.forward }),
  )
  const pushes = startSrsPushes(stack, given, { ...{ hub, sound }, history: wants.history })
  const rtmpIngest = createRtmpIngest({ hub, clock })
  const { phones, broadcast } = await startPhones(stack, given, { ...kept, hub, wants })
  return {
    hub,
    ...cameras,
    findStream,
    play,
    workers,
    sessions,
    forwards,
    rtmpIngest,
    vehicleIngest,
    wants,
    pushes,
    phones,
    broadcast,
    metrics,
    times,
    counters,
  }
}

type PlayNeeds = Pick<Kept, 'hooks'> & {
  findStream: (name: string) => PlayStream | undefined
  waitMs: (stream: string) => number | undefined
  sound: AacSound
  sessions: LiveSessions
  times: LiveTiming
  counters: ReturnType<typeof eventCounters>
}

/** Viewers, and the processes that send to them when there are any. */
function startPlay(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  { hooks, sessions, findStream, waitMs, times, counters, sound }: PlayNeeds,
) {
  const { mergeMs } = config.live
  const workers = stack.use(
    new ViewerWorkers({
      ...{ count: config.live.workers, clock, mergeMs },
      onDied: tell(log).viewerWorker,
      onFigures: (figures) => play.add(figures),
      onGuard: (reason) => counters.door({ type: 'socket-guard', reason }),
    }),
  )
  const onViewer = (event: ViewerEvent) => {
    hooks.viewer(event)
    sessions.viewer(event)
  }
  const play: FlvPlay = stack.use(
    createFlvPlay({
      ...{ findStream, waitMs, clock, timing: times, mergeMs, workers, sound },
      onViewer,
    }),
  )
  return { play, workers }
}

/** Phones, and the recordings that go on from the last run. */
async function startPhones(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  { file, recorders, recordings, hub, wants }: Kept & { hub: Hub; wants: VehicleWants },
) {
  const say = tell(log)
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
  recordings.onStop((recording) => {
    phones.recordingStopped(recording.id)
    wants.history.recordingStopped(recording.id)
  })
  phones.resume(await wants.resume(await recordings.resume()))
  return { phones, broadcast }
}

/** Vehicles, and the commands to those that somebody wants. */
function startWantedVehicles(stack: AsyncDisposableStack, given: AgentOptions, parts: Kept & { hub: Hub }) {
  const { file, recorders, hooks } = parts
  const hasPolicy = (stream: string) =>
    Object.hasOwn(given.config.streams, stream) || Object.hasOwn(file.record.streams ?? {}, stream)
  const hub: PublishHub = { publish: (request) => wants.history.hub.publish(request) }
  const isUnwanted = (stream: string) =>
    wants.queue !== undefined && !wants.calls.list().some((call) => call.stream === stream)
  const onData = hooks.vehicleData
  const vehicleIngest = startVehicles(given, { hub, recorders, hasPolicy, isUnwanted, onData })
  const { vehicles } = vehicleIngest
  const wants: VehicleWants = startVehicleCalls(stack, given, { ...parts, vehicles, hasPolicy })
  return { vehicleIngest, wants }
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
