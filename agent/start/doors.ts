import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { readPages } from '../../shared/node/read-pages.ts'
import { socketPath } from '../../shared/node/socket-path.ts'
import { version } from '../../shared/version.ts'
import { cameraFailureFromNow } from '../camera-failure.ts'
import { type Auth, createAuth } from '../control/auth.ts'
import { grpcFigures, grpcTimes, silenceFigures } from '../control/camera-figures.ts'
import { createCommands } from '../control/commands.ts'
import type { Commands } from '../control/commands-port.ts'
import { registerFigures } from '../control/figures.ts'
import { createGrpc } from '../control/grpc/grpc.ts'
import { type LoopDelay, watchLoopDelay } from '../control/health.ts'
import { createApi } from '../control/http.ts'
import { liveStats } from '../control/live-stats.ts'
import { createSignedPaths } from '../control/signed-path.ts'
import { openTokens } from '../control/tokens.ts'
import { doorInfo, ownNames } from '../door-info.ts'
import { type HttpDoor, type HttpOptions, openHttp } from '../listen/http.ts'
import { openRtmp, type RtmpDoor, type RtmpDoorEvent } from '../listen/rtmp.ts'
import { recordingReport } from '../record/recording-report.ts'
import { tell } from '../tell.ts'
import { ownCertificate, readCertificate, type TlsFiles } from '../tls/certificate.ts'
import { watchCertificate } from '../tls/watch-certificate.ts'
import { readCloudDocument } from './cloud-document.ts'
import type { Kept } from './keep.ts'
import type { Live } from './live.ts'
import type { AgentOptions } from './options.ts'
import { createStills } from './stills.ts'
import { openVehicleDoors, srsHasRtmpPort } from './vehicle-doors.ts'
import { openVehiclePorts } from './vehicles.ts'

/** Commands, who may give them, and the ports. */
export async function openDoors(stack: AsyncDisposableStack, options: AgentOptions, parts: Kept & Live) {
  const { data, config, clock, log } = options
  const { file, ring, internalToken, metrics } = parts
  const tokens = await openTokens({
    ...{ file, adminPath: join(data, 'admin.token'), clock },
    onRevoked: (name) => {
      parts.sessions.closeOf(name)
      parts.phones.revoked(name)
    },
  })
  tell(log).nmsSecrets(config.auth.nms)
  const links = createSignedPaths({ keyHex: file.record.linkKey, nms: config.auth.nms, clock })
  const auth = createAuth({ tokens, links, file, clock, port: config.http.port })
  const rtmp = await openRtmpDoor(options, parts, auth)
  if (rtmp) parts.ownPorts.push(stack.use(rtmp).port)
  const loop = stack.use(watchLoopDelay())
  const live = watchLive({ ...parts, loop, clock }, rtmp)
  const commands = createCommands({
    ...parts,
    ...options,
    version,
    loop,
    live,
    snapshots: createStills({ ...parts, clock }),
    report: (recording) => recordingReport(recording, ring),
    door: doorInfo(config, rtmp?.port),
  })
  await parts.wanted.attach({ ...parts, streams: commands.streams })
  await openGrpc(stack, options, { ...parts, commands, auth })
  const health = { disk: () => ring.stats().alarm } // Not the upload: an agent that records is in service.
  const cloud = cloudOf(options, internalToken)
  const api = createApi({
    vehicles: parts.wants.commands,
    ...{ commands, auth, tokens, links, sessions: parts.sessions, metrics, health, clock },
    ...(cloud && 'socketPath' in cloud && { cloudDocument: readCloudDocument(cloud.socketPath, clock) }),
  })
  const http = await openHttpDoor(stack, options, { ...parts, auth, api, ...(cloud && { cloud }) })
  stack.defer(() => parts.workers.stop()) // Before the door closes: it waits for sockets that others hold.
  parts.ownPorts.push(http.port)
  await openVehiclePorts(stack, options, parts)
  await openVehicleDoors(stack, options, { ...parts, vehicles: parts.vehicleIngest.vehicles })
  return { http, auth }
}

/** The archive: on this machine, or where this agent uploads to. */
function cloudOf({ data, config }: AgentOptions, internalToken: string | undefined): HttpOptions['cloud'] {
  const { api } = config.cloud
  if (api !== 'local') return { elsewhere: new URL(api).origin }
  return internalToken === undefined ? undefined : { socketPath: socketPath(data, 'cloud'), internalToken }
}

async function openHttpDoor(
  stack: AsyncDisposableStack,
  options: AgentOptions,
  { play, phones, counters, auth, api, cloud }: Live & Pick<HttpOptions, 'auth' | 'api' | 'cloud'>,
): Promise<HttpDoor> {
  const { config, clock, log } = options
  const { port, lan, publicUrl } = config.http
  const tls = await certificateOf(options)
  const door = stack.use(
    await openHttp({
      host: lan ? '0.0.0.0' : '127.0.0.1',
      port,
      ...(publicUrl === null ? {} : { publicUrl }),
      ...(tls && { tls }),
      pages: await readPages(fileURLToPath(new URL('../../dist/web', import.meta.url))),
      ...{ clock, auth, api, play },
      onPhone: (socket, info) => phones.connect(socket, info),
      ...(cloud && { cloud }),
      onEvent: (event) => {
        counters.door(event)
        tell(log).door(event)
      },
    }),
  )
  if (tls) stack.use(keepCertificate(options, door, tls))
  return door
}

/** What the door shows when it speaks TLS. */
async function certificateOf({ data, config, clock }: AgentOptions): Promise<TlsFiles | undefined> {
  const { tls } = config.http
  if (tls === false) return undefined
  return tls === true
    ? await ownCertificate(data, ownNames(config), clock.nowMs())
    : await readCertificate(tls)
}

/** The newest there is, also after months. */
function keepCertificate(options: AgentOptions, door: HttpDoor, shown: TlsFiles): Disposable {
  const { clock, log } = options
  return watchCertificate({
    ...{ shown, clock },
    read: async () => (await certificateOf(options)) ?? shown,
    onNew: (files) => door.show(files),
    onFault: (error) =>
      tell(log).fault('the certificate cannot be read again, the one before goes on', error),
  })
}

const rtmpPort = 1935 // Where encoders look when they are told none.
const rtmpPortBesideSrs = 1936 // CONTRACT.md, Ports.

/** Without a configured port an agent whose neighbour holds the usual one does without. */
async function openRtmpDoor(
  { config, clock, log }: AgentOptions,
  { rtmpIngest, play, counters }: Live,
  auth: Auth,
): Promise<RtmpDoor | undefined> {
  const { port = srsHasRtmpPort(config) ? rtmpPortBesideSrs : rtmpPort } = config.rtmp
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
    sessions,
    commands,
    auth,
  }: Live & { commands: Commands; auth: Auth },
): Promise<void> {
  const say = tell(log)
  const handed = grpcTimes(metrics)
  const grpc = stack.use(
    await createGrpc({
      ...{ commands, auth, clock },
      findStream,
      openSource: async (uri, track) => sources.openUri(uri, track),
      failing: (stream) => cameraFailureFromNow(sources, stream),
      onHanded: (ms, stream) => {
        times.latency.observe(ms)
        handed.observe(stream, ms)
      },
      onViewer: (event) => sessions.viewer(event),
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
function watchLive(parts: Kept & Live & { loop: LoopDelay; clock: Clock }, rtmp: RtmpDoor | undefined) {
  const { metrics, hub, play, phones, ring, uploader, hooks, forwards, rtmpIngest, sources, times } = parts
  const { loop, clock, sessions } = parts
  silenceFigures(metrics, parts)
  registerFigures(metrics, {
    ...{ hub, loop, play: play.figures },
    refusedPackets: () => phones.refusedPackets(),
    ring: () => ring.stats(),
    upload: () => {
      const { pending, pendingBytes, oldestFromMs, setAside, state } = uploader.status()
      const lagMs = oldestFromMs === undefined ? 0 : Math.max(0, clock.nowMs() - oldestFromMs)
      return {
        pendingSegments: pending,
        pendingBytes,
        lagMs,
        setAside,
        isWell: state === 'ok' || state === 'paused',
      }
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
      grpcViewers: () => sessions.list().filter(({ transport }) => transport === 'grpc').length,
    })
}
