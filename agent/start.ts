import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../shared/error.ts'
import { type Clock, steadyClock } from '../shared/node/clock.ts'
import { findFfmpeg } from '../shared/node/find-ffmpeg.ts'
import type { Log } from '../shared/node/log.ts'
import { socketPath } from '../shared/node/socket-path.ts'
import { version } from '../shared/version.ts'
import { agentName } from './agent-name.ts'
import type { Config } from './config.ts'
import { openAgentFile } from './control/agent-file.ts'
import { allowedPhones } from './control/allowed-phones.ts'
import { type Auth, createAuth } from './control/auth.ts'
import { createCommands } from './control/commands.ts'
import type { Commands } from './control/commands-port.ts'
import { eventCounters, grpcFigures, registerFigures } from './control/figures.ts'
import { createGrpc } from './control/grpc/grpc.ts'
import { type LoopDelay, watchLoopDelay } from './control/health.ts'
import { createHooks, type Hooks } from './control/hooks.ts'
import { createApi } from './control/http.ts'
import { liveStats, liveTimes } from './control/live-stats.ts'
import { Metrics } from './control/metrics.ts'
import { createSignedPaths } from './control/signed-path.ts'
import { openTokens } from './control/tokens.ts'
import { doorInfo } from './door-info.ts'
import { createHub, type Hub, type HubEvent } from './hub/hub.ts'
import { byteSourceMakers } from './ingest/byte-source-makers.ts'
import { createCameraGuard } from './ingest/camera-guard.ts'
import { sourceOpener } from './ingest/open-source.ts'
import { PhoneBroadcast } from './ingest/phone-broadcast.ts'
import { Phones } from './ingest/phones.ts'
import { createRtmpIngest } from './ingest/rtmp.ts'
import { Sources } from './ingest/sources.ts'
import { openHttp } from './listen/http.ts'
import { readPages } from './listen/pages.ts'
import { openRtmp, type RtmpDoor, type RtmpDoorEvent } from './listen/rtmp.ts'
import { createFlvPlay } from './play/flv.ts'
import { createForwards, type Forwards } from './play/rtmp-forwards.ts'
import { Recorders } from './record/recorders.ts'
import { Recordings, type RecordingsOptions } from './record/recordings.ts'
import { openRing } from './ring/ring.ts'
import type { Ring } from './ring/types.ts'
import { createStills } from './stills.ts'
import { tell } from './tell.ts'
import { createCloudClient } from './upload/cloud-client.ts'
import { startUploader, type Uploader, type UploaderOptions } from './upload/uploader.ts'

export type AgentOptions = {
  data: string
  config: Config
  clock: Clock
  log: Log
  /** The storage worker died: the process should end and be started again. */
  onFatal: (error: Error) => void
}

export type Agent = AsyncDisposable & {
  readonly port: number
  /** Path of the page, with a code that logs its first visitor in as admin, once. */
  loginPath(): string
}

/**
 * Builds the agent from the sink to the source, so that disposal closes it from the source to the sink: doors,
 * sources, hub, recordings, recorders, uploader, ring. Nothing in flight is lost on the way.
 */
export async function startAgent(given: AgentOptions): Promise<Agent> {
  await using stack = new AsyncDisposableStack()
  let isRecording = () => false
  const clock = steadyClock(given.clock, () => !isRecording(), tell(given.log).clock)
  const options = { ...given, clock }
  const kept = await startKeeping(stack, options)
  isRecording = () => true // Until it is known what goes on from the last run.
  clock.advanceTo(await newestKept(kept.ring))
  const live = await startLive(stack, options, kept)
  isRecording = () => kept.recordings.begunCount > 0
  const { http, auth } = await openDoors(stack, options, { ...kept, ...live })
  const closing = stack.move()
  return {
    port: http.port,
    loginPath: () => `/login?code=${auth.createLoginCode()}`,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Wall ms of the newest picture of the recordings that go on: a clock that was set back meanwhile must not undo them. */
async function newestKept(ring: Ring): Promise<number> {
  const begun = (await ring.recordings()).filter(({ state }) => state === 'open')
  const ends = begun.flatMap(({ from, streams }) =>
    streams.map(async ({ name }) => (await ring.segments({ stream: name, from })).at(-1)?.to ?? from),
  )
  return Math.max(0, ...(await Promise.all(ends)))
}

type Kept = Awaited<ReturnType<typeof startKeeping>>
type Live = Awaited<ReturnType<typeof startLive>>

/** The disk and the way to the cloud; recordings are claims on the disk. */
async function startKeeping(stack: AsyncDisposableStack, options: AgentOptions) {
  const { data, config, clock, log, onFatal } = options
  const say = tell(log)
  const file = await openAgentFile(join(data, 'agent.json'), { name: agentName() })
  const { uuid, name } = file.record
  const { quota: quotaBytes, whenFull, segmentSeconds } = config.ring
  const ring = stack.use(
    await openRing({ dir: data, agent: { uuid, name }, quotaBytes, whenFull, clock, onFatal }),
  )
  say.recovery(ring.recovery)
  const internalToken = await readFile(join(data, 'internal.token'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
  const uploader = stack.use(startUploader(uploaderOptions(options, { ring, name, internalToken })))
  const agent = { uuid, name }
  const hooks = stack.use(createHooks({ config: config.hooks, agent, clock, onFailed: say.hook }))
  const recorders = stack.use(
    new Recorders({ ring, clock, segmentMs: segmentSeconds * 1000, onGap: say.gap }),
  )
  const recordings = stack.use(
    new Recordings({
      agent: name,
      ring: telling(ring, uploader, hooks),
      recorder: recorders,
      clock,
      onFault: say.fault,
    }),
  )
  stack.adopt(
    ring.onSealed(() => uploader.wake()),
    (stop) => stop(),
  )
  stack.adopt(ring.onLost(say.gap), (stop) => stop())
  stack.adopt(ring.onAlarm(say.alarm), (stop) => stop())
  return { file, name, ring, internalToken, uploader, recorders, recordings, hooks }
}

/** A closed recording goes up at once, as a sealed segment does, and hooks are told. */
function telling(ring: Ring, uploader: Uploader, hooks: Hooks): RecordingsOptions['ring'] {
  return {
    saveRecording: async (recording) => {
      await ring.saveRecording(recording)
      uploader.wake()
      if (recording.state === 'closed') hooks.recorded(recording)
    },
    recordings: () => ring.recordings(),
    recording: (id) => ring.recording(id),
    segments: (range) => ring.segments(range),
    gaps: (range) => ring.gaps(range),
  }
}

/** Sources, the hub where their units are handed over, and viewers. */
async function startLive(stack: AsyncDisposableStack, given: AgentOptions, kept: Kept) {
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
  return { hub, ...cameras, play, forwards, rtmpIngest, phones, broadcast, metrics, times, counters }
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

/** Commands, who may give them, and the ports. */
async function openDoors(stack: AsyncDisposableStack, options: AgentOptions, parts: Kept & Live) {
  const { data, config, clock, log } = options
  const { file, play, phones, ring, internalToken, metrics, counters } = parts
  const { port, lan, publicUrl } = config.http
  const say = tell(log)
  const tokens = await openTokens({ file, adminPath: join(data, 'admin.token'), clock })
  say.nmsSecrets(config.auth.nms)
  const links = createSignedPaths({ keyHex: file.record.linkKey, nms: config.auth.nms, clock })
  const auth = createAuth({ tokens, links, file, clock, port })
  const rtmp = await openRtmpDoor(options, parts, auth)
  if (rtmp) parts.ownPorts.push(stack.use(rtmp).port)
  const loop = stack.use(watchLoopDelay())
  const live = watchLive({ ...parts, loop }, rtmp)
  const commands = createCommands({
    ...parts,
    ...options,
    version,
    loop,
    live,
    snapshots: createStills({ ...parts, clock }),
    door: doorInfo(config, rtmp?.port),
  })
  await openGrpc(stack, options, { ...parts, commands, auth })
  const health = { disk: () => ring.stats().alarm }
  const isLocal = config.cloud.api === 'local' && internalToken !== undefined
  const http = stack.use(
    await openHttp({
      host: lan ? '0.0.0.0' : '127.0.0.1',
      port,
      ...(publicUrl === null ? {} : { publicUrl }),
      clock,
      pages: await readPages(fileURLToPath(new URL('../dist/web', import.meta.url))),
      auth,
      api: createApi({ commands, auth, tokens, links, metrics, health, clock }),
      play,
      onPhone: (socket, info) => phones.connect(socket, info),
      ...(isLocal ? { cloud: { socketPath: socketPath(data, 'cloud'), internalToken } } : {}),
      onEvent: (event) => {
        counters.door(event)
        say.door(event)
      },
    }),
  )
  parts.ownPorts.push(http.port)
  return { http, auth }
}

const rtmpPort = 1935 // Where encoders look when they are told none.

/** Without a configured port an agent whose neighbour holds the usual one does without. */
async function openRtmpDoor(
  { config, clock, log }: AgentOptions,
  { rtmpIngest, play, counters }: Live,
  auth: Auth,
): Promise<RtmpDoor | undefined> {
  const { port = rtmpPort } = config.rtmp
  if (port === null) return undefined
  const say = tell(log)
  const onEvent = (event: RtmpDoorEvent) => {
    counters.door(event)
    say.door(event)
  }
  const host = config.http.lan ? '0.0.0.0' : '127.0.0.1'
  try {
    return await openRtmp({ host, port, clock, auth, ingest: rtmpIngest, play, onEvent })
  } catch (cause) {
    if (config.rtmp.port !== undefined) throw cause
    say.rtmpOff(AppError.from(cause))
    return undefined
  }
}

const grpcPort = 38080

/** The socket always; the port as that of RTMP. */
async function openGrpc(
  stack: AsyncDisposableStack,
  { data, config, clock, log }: AgentOptions,
  {
    findStream,
    sources,
    ownPorts,
    times,
    metrics,
    commands,
    auth,
  }: Live & { commands: Commands; auth: Auth },
): Promise<void> {
  const say = tell(log)
  const grpc = stack.use(
    await createGrpc({
      ...{ commands, auth, clock },
      findStream,
      openSource: async (uri, track) => sources.openUri(uri, track),
      onHanded: (ms) => times.latency.observe(ms),
      onFault: (error) => say.fault('a gRPC call failed', error),
    }),
  )
  grpcFigures(metrics, grpc.figures)
  await grpc.listenSocket(socketPath(data, 'edgereel'))
  const { port = grpcPort } = config.grpc
  if (port === null) return
  try {
    ownPorts.push(await grpc.listen({ host: config.http.lan ? '0.0.0.0' : '127.0.0.1', port }))
  } catch (cause) {
    if (config.grpc.port !== undefined) throw cause
    say.grpcOff(AppError.from(cause))
  }
}

/** The figures of Prometheus; what is live, for `stats`. */
function watchLive(parts: Kept & Live & { loop: LoopDelay }, rtmp: RtmpDoor | undefined) {
  const { metrics, hub, play, phones, ring, uploader, hooks, forwards, rtmpIngest, sources, times, loop } =
    parts
  registerFigures(metrics, {
    ...{ hub, loop, play: play.figures },
    refusedPackets: () => phones.refusedPackets(),
    ring: () => ring.stats(),
    upload: () => {
      const { pending, pendingBytes } = uploader.status()
      return { pendingSegments: pending, pendingBytes }
    },
    hooks: () => hooks.figures,
    forwards: () => forwards.status(),
    cameras: () => sources.list(),
    rtmp: () => ({ ended: rtmp?.ended ?? {}, refused: rtmpIngest.refused }),
  })
  return () =>
    liveStats({
      ...{ hub, times, play: play.figures },
      hooks: () => hooks.figures,
      forwards: () => forwards.status(),
      rtmpConnections: () => rtmp?.sessions().length ?? 0,
    })
}

type UploadParts = { ring: Ring; name: string; internalToken: string | undefined }

function uploaderOptions(
  { data, config, clock, log }: AgentOptions,
  { ring, name, internalToken }: UploadParts,
): UploaderOptions {
  const { api, token, bandwidth, hours } = config.cloud
  const local = {
    authorization: `Bearer ${internalToken ?? ''}`,
    'x-edgereel-role': 'device',
    'x-edgereel-subject': name,
  }
  const remote = { authorization: `Bearer ${token ?? ''}` }
  return {
    source: ring,
    client: createCloudClient({
      base: api === 'local' ? `unix:${socketPath(data, 'cloud')}` : api,
      headers: () => (api === 'local' ? local : remote),
      clock,
    }),
    clock,
    random: Math.random,
    bandwidth,
    hours,
    version,
    agentState: () => ({ ring: ring.stats() }),
    onAlarm: tell(log).upload,
  }
}
